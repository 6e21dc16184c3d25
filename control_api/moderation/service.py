"""Moderation of channels: who moderates, who is banned, how chat is restricted. Knows no HTTP."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from control_api.audit import Actor, AuditEntry, AuditNote
from control_api.moderation.guard import ChatGuard
from control_api.moderation.store import NEWEST, Ban, ChatSettings, Deed, ModerationStore, Moderator
from control_api.realtime.bus import Bus
from control_api.stream.catalogue import Catalogue
from control_api.stream.record import Identity, Stream
from control_api.stream.service import utc_now
from control_api.user.social_graph_port import SocialGraph
from media.error import StreamError

Result = TypeVar("Result")


class ModerationService(ChatGuard):
    """Appoints moderators, bans and restricts chat. A channel is all streams of one user.

    All methods raise `CapacityError` while nothing can be stored or read.

    Args:
        store: keeps it.
        streams: knows the streams and who may see them.
        graph: knows who follows whom.
        now: tells the time.
        clock: seconds, never stepping back.
        bus: tells other nodes what has changed.
    """

    def __init__(
        self,
        store: ModerationStore,
        streams: Catalogue,
        graph: SocialGraph,
        *,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = time.monotonic,
        bus: Bus | None = None,
    ) -> None:
        super().__init__(store, graph, now=now, clock=clock, bus=bus)
        self._streams = streams

    async def moderated(self, stream_id: str, identity: Identity) -> Stream:
        """Find a stream that the one who asks may moderate.

        Raises:
            StreamError: `not_found`; `forbidden` for a stream that may be seen and not moderated.
        """
        stream = await self._streams.visible(stream_id, identity)
        if not await self.may_moderate(stream, identity):
            raise StreamError("forbidden", "This is for the owner of the channel and its moderators.")
        return stream

    async def may_moderate(self, stream: Stream, viewer: Identity | None) -> bool:
        """Tell whether somebody is the owner, a moderator or an admin; None is somebody without a token."""
        if viewer is None:
            return False
        return viewer.is_in_charge_of(stream) or await self.is_moderator(stream.user_id, viewer.user_id)

    async def visible_settings(self, stream_id: str, viewer: Identity | None) -> tuple[ChatSettings, bool]:
        """Give the chat settings of a stream, and whether the viewer may know the blocked words.

        Raises:
            StreamError: `not_found`.
        """
        stream = await self._streams.visible(stream_id, viewer)
        return await self.settings(stream.id), await self.may_moderate(stream, viewer)

    async def moderators(self, channel_id: str) -> Sequence[Moderator]:
        """List the moderators of a channel, those appointed first first."""
        return await self._store.moderators(channel_id)

    async def appoint(self, owner: Actor, user_id: str) -> None:
        """Make somebody a moderator of one's channel; a ban of theirs is lifted.

        Raises:
            StreamError: `invalid` for oneself, `too_many`.
        """
        channel_id = _own_channel(owner, user_id)
        note = _note(Deed.APPOINTED, owner, user_id, channel_id)
        await self._changing(channel_id, self._store.appoint(channel_id, user_id, note))

    async def dismiss(self, owner: Actor, user_id: str) -> None:
        """Make somebody a moderator of one's channel no more.

        Raises:
            StreamError: `invalid` for oneself.
        """
        channel_id = _own_channel(owner, user_id)
        note = _note(Deed.DISMISSED, owner, user_id, channel_id)
        await self._changing(channel_id, self._store.dismiss(channel_id, user_id, note))

    async def ban(
        self, stream: Stream, by: Actor, user_id: str, *, reason: str = "", duration_s: int | None = None
    ) -> Ban:
        """Ban somebody from the channel of a stream, in place of an older ban.

        Args:
            stream: one that `by` may moderate; see `moderated`.
            by: who does it.
            user_id: of a user, or of a viewer without a token. A moderator is one no more.
            reason: for the other moderators.
            duration_s: for how long; None for good.

        Raises:
            StreamError: `invalid` for oneself; `forbidden` for the owner, and for a moderator unless the owner or an
                admin does it.
        """
        await self._check_target(stream, by.identity, user_id)
        now = self._now()
        ends_at = None if duration_s is None else now + timedelta(seconds=duration_s)
        ban = Ban(
            id=0,
            user_id=user_id,
            banned_by=by.identity.user_id,
            reason=reason,
            created_at=now,
            ends_at=ends_at,
        )
        until = None if ends_at is None else ends_at.isoformat()
        note = _note(
            Deed.BANNED, by, user_id, stream.user_id, stream_id=stream.id, reason=reason, ends_at=until
        )
        return await self._changing(stream.user_id, self._store.ban(stream.user_id, ban, note))

    async def unban(self, stream: Stream, by: Actor, user_id: str) -> None:
        """Lift a ban; nothing happens when there is none. `by` may moderate the stream."""
        note = _note(Deed.UNBANNED, by, user_id, stream.user_id, stream_id=stream.id)
        await self._changing(stream.user_id, self._store.unban(stream.user_id, user_id, self._now(), note))

    async def bans(self, stream: Stream, before: int | None, limit: int) -> Sequence[Ban]:
        """List the bans of a stream's channel that hold, the newest first."""
        return await self._store.bans(stream.user_id, self._now(), before or NEWEST, limit)

    async def change_settings(self, stream: Stream, by: Actor, changes: Mapping[str, object]) -> ChatSettings:
        """Change any subset of a stream's chat settings; returns all of them.

        Args:
            stream: one that `by` may moderate; see `moderated`.
            by: who does it.
            changes: new values of fields of `ChatSettings`, checked by `control_api.moderation.model`.
        """
        if not changes:
            return await self.settings(stream.id)
        # Of lists their length: they may have 50,000 characters, and the log is read by the page.
        told = {name: len(value) if isinstance(value, list) else value for name, value in changes.items()}
        note = _note(Deed.CHANGED, by, stream.id, stream.user_id, **told)
        try:
            return await self._store.change_settings(stream.id, changes, note)
        finally:
            self._forget_settings(stream.id)

    async def log(self, stream: Stream, before: int | None, limit: int) -> Sequence[AuditEntry]:
        """List what was done in the channel of a stream, the newest first."""
        return await self._store.log(stream.user_id, before or NEWEST, limit)

    async def _check_target(self, stream: Stream, by: Identity, user_id: str) -> None:
        if user_id == by.user_id:
            raise StreamError("invalid", "You cannot ban yourself.")
        if user_id == stream.user_id:
            raise StreamError("forbidden", "The owner of a channel cannot be banned from it.")
        if not by.is_in_charge_of(stream) and await self.is_moderator(stream.user_id, user_id):
            raise StreamError("forbidden", "Only the owner of a channel can ban one of its moderators.")

    async def _changing(self, channel_id: str, change: Awaitable[Result]) -> Result:
        """Do a change; whatever becomes of it, what is remembered may be untrue afterwards."""
        try:
            return await change
        finally:
            self._forget_channel(channel_id)


def _own_channel(owner: Actor, user_id: str) -> str:
    """Give the channel of somebody who appoints or dismisses another."""
    if user_id == owner.identity.user_id:
        raise StreamError("invalid", "You cannot be a moderator of your own channel: it is yours.")
    return owner.identity.user_id


def _note(deed: Deed, by: Actor, subject: str, channel_id: str, **details: object) -> AuditNote:
    return AuditNote(
        actor_id=by.identity.user_id,
        action=deed,
        subject=subject,
        address=by.address,
        channel_id=channel_id,
        details=details,
    )
