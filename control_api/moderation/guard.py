"""Who may write what in a chat. Implements `control_api.chat.rules_port.ChatRules`."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from math import ceil

from control_api.forgetful_cache import ForgetfulCache
from control_api.moderation.blocked_words import blocked_words
from control_api.moderation.link import has_link
from control_api.moderation.slow_mode import SlowMode
from control_api.moderation.store import ChatSettings, KnownBans, ModerationStore
from control_api.realtime.bus import Bus, LocalBus, Subscription
from control_api.stream.record import Identity, Stream
from control_api.stream.service import utc_now
from control_api.user.social_graph_port import SocialGraph
from control_api.wait import TooEarlyError
from media.error import StreamError

MAX_AGE_S = 1.0
"""How old an answer may be that another node has made untrue meanwhile."""

TOPIC = "moderation"
CHANNEL, STREAM = b"c", b"s"
"""On the bus: what was changed, in front of its id. Whoever hears it reads the database anew."""

MAX_CHANNELS = 1000
"""Whose moderators and bans are remembered, and as many streams' settings."""


class ChatGuard:
    """Knows moderators, bans and settings, as they were at most a second ago.

    Args:
        store: keeps them.
        graph: knows who follows whom.
        now: tells the time.
        clock: seconds, never stepping back.
        bus: tells other nodes what to forget; between `open` and `close` this one hears it too.
    """

    def __init__(
        self,
        store: ModerationStore,
        graph: SocialGraph,
        *,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = time.monotonic,
        bus: Bus | None = None,
    ) -> None:
        self._store = store
        self._graph = graph
        self._now = now
        self._clock = clock
        self._slow_mode = SlowMode()
        self._bus: Bus = LocalBus() if bus is None else bus
        self._subscription: Subscription | None = None
        self._moderators: ForgetfulCache[frozenset[str]] = ForgetfulCache(MAX_CHANNELS, MAX_AGE_S, clock)
        self._bans: ForgetfulCache[KnownBans] = ForgetfulCache(MAX_CHANNELS, MAX_AGE_S, clock)
        self._settings: ForgetfulCache[ChatSettings] = ForgetfulCache(MAX_CHANNELS, MAX_AGE_S, clock)

    async def open(self) -> None:
        """Hear from now on what other nodes change."""
        self._subscription = await self._bus.subscribe(TOPIC, self._hear)

    def close(self) -> None:
        """Hear nothing more; what is remembered is a second old at most, all the same."""
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    async def is_moderator(self, channel_id: str, user_id: str) -> bool:
        """Tell whether somebody moderates a channel.

        Raises:
            CapacityError: that is not known at the moment; so do all the others here.
        """

        async def ask() -> frozenset[str]:
            return frozenset(one.user_id for one in await self._store.moderators(channel_id))

        return user_id in await self._moderators.get(channel_id, ask)

    async def settings(self, stream_id: str) -> ChatSettings:
        """Give the chat settings of a stream."""
        return await self._settings.get(stream_id, lambda: self._store.settings(stream_id))

    async def check_ban(self, channel_id: str, user_id: str) -> None:
        """Refuse somebody who is banned.

        Args:
            channel_id: whose channel.
            user_id: of a user, or of a viewer without a token.

        Raises:
            StreamError: `banned`.
        """
        now = self._now()
        known = await self._bans.get(channel_id, lambda: self._store.known_bans(channel_id, now))
        if user_id in known.ends_at:
            _refuse(known.ends_at[user_id], now)
        elif not known.is_whole and (ban := await self._store.ban_of(channel_id, user_id, now)) is not None:
            _refuse(ban.ends_at, now)

    async def check(self, stream: Stream, author: Identity, content: str, *, is_exempt: bool) -> None:
        """Refuse a comment that may not be written. Called last: one that passes counts for slow mode.

        Args:
            stream: where.
            author: who.
            content: what.
            is_exempt: whether the author is the owner, a moderator or an admin, whom nothing here concerns.

        Raises:
            StreamError: `banned`, `followers_only`, `no_links`, `blocked_word`.
            TooEarlyError: `slow_mode`.
        """
        if is_exempt:
            return
        await self.check_ban(stream.user_id, author.user_id)
        settings = await self.settings(stream.id)
        if settings.followers_only and not await self._graph.is_follower(stream.user_id, author.user_id):
            raise StreamError("followers_only", "Only followers may write in this chat.")
        _check_content(settings, content)
        if settings.slow_mode_s:
            self._take_turn(stream, author, settings.slow_mode_s)

    def give_back(self, stream: Stream, author: Identity) -> None:
        """Give the turn in slow mode back: the comment that was allowed last could not be stored."""
        self._slow_mode.give_back(stream.id, author.user_id)

    def _forget_channel(self, channel_id: str) -> None:
        """Ask anew for moderators and bans, on all nodes."""
        self._hear(b"%b%b" % (CHANNEL, channel_id.encode()))
        self._bus.publish(TOPIC, b"%b%b" % (CHANNEL, channel_id.encode()))

    def _forget_settings(self, stream_id: str) -> None:
        """Ask anew for the settings of a stream, on all nodes."""
        self._hear(b"%b%b" % (STREAM, stream_id.encode()))
        self._bus.publish(TOPIC, b"%b%b" % (STREAM, stream_id.encode()))

    def _hear(self, message: bytes) -> None:
        kind, name = message[:1], message[1:].decode()
        if kind == CHANNEL:
            self._moderators.forget(name)
            self._bans.forget(name)
        elif kind == STREAM:
            self._settings.forget(name)

    def _take_turn(self, stream: Stream, author: Identity, every_s: int) -> None:
        wait_s = self._slow_mode.take(stream.id, author.user_id, every_s, self._clock())
        if wait_s > 0:
            words = f"Slow mode: one comment every {every_s} s. Wait {ceil(wait_s)} s."
            raise TooEarlyError("slow_mode", words, wait_s)


def _refuse(ends_at: datetime | None, now: datetime) -> None:
    if ends_at is None:
        raise StreamError("banned", "You are banned from this chat.")
    if ends_at > now:  # what is remembered may have ended meanwhile
        raise StreamError("banned", f"You are banned from this chat until {ends_at:%Y-%m-%d %H:%M:%S} UTC.")


def _check_content(settings: ChatSettings, content: str) -> None:
    if not settings.links_allowed and has_link(content):
        raise StreamError("no_links", "Links are not allowed in this chat.")
    if blocked_words(settings.blocked_words).match(content):
        raise StreamError("blocked_word", "This comment holds a word that is not allowed in this chat.")
