"""Streams and the rules about them. Knows no HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from weakref import WeakValueDictionary

import structlog
import uuid_utils

from control_api.event.record import Event, EventType, ended_event, event_of, live_event, reminder_event
from control_api.key import new_stream_key
from control_api.port import Broadcasts
from control_api.stream import lifecycle
from control_api.stream.admission import admit
from control_api.stream.catalogue import Catalogue
from control_api.stream.playback import new_salt
from control_api.stream.record import Status, Stream
from control_api.stream.store import Store
from control_api.user.social_graph_port import SocialGraph
from media.error import StreamError

logger = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


class StreamService(Catalogue):
    """Creates, changes, starts and ends streams.

    Changes of one stream happen one after the other, together with what they do to its broadcast.

    Args:
        store: keeps streams and channel keys.
        graph: knows who follows whom.
        broadcasts: the media plane.
        min_followers: how many followers going live takes; 0 for none.
        is_graph_elsewhere: whether the store knows nothing of followers.
        now: tells the time.
    """

    def __init__(
        self,
        store: Store,
        graph: SocialGraph,
        broadcasts: Broadcasts,
        *,
        min_followers: int,
        is_graph_elsewhere: bool = False,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(store, graph, min_followers, is_graph_elsewhere=is_graph_elsewhere)
        self._keys = store
        self._broadcasts = broadcasts
        self._now = now
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._watchers: list[Callable[[Stream], None]] = []

    def watch(self, watcher: Callable[[Stream], None]) -> None:
        """Call `watcher` after every stored change of a stream, before whoever asked for it hears of it."""
        self._watchers.append(watcher)

    async def create(self, user_id: str, fields: Mapping[str, Any]) -> Stream:
        """Create a stream.

        Args:
            user_id: the owner.
            fields: of `Stream`, checked by `control_api.model`; `title` at least.

        Raises:
            NotEligibleError: the user has too few followers.
            StreamError: `invalid` when `scheduled_at` has passed.
        """
        lifecycle.check_schedule(fields.get("scheduled_at"), self._now())
        await self.require_eligible(user_id)
        stream = Stream(
            id=str(uuid_utils.uuid7()),
            user_id=user_id,
            stream_key=new_stream_key(),
            playback_salt=new_salt(),
            status=Status.SCHEDULED if fields.get("scheduled_at") else Status.CREATED,
            created_at=self._now(),
            **fields,
        )
        await self._store.add(stream)
        self._tell(stream)
        return stream

    async def authorize_publish(self, app: str, stream_key: str) -> Stream:
        """Find the stream that an encoder may publish to; see `control_api.stream.admission.admit`."""
        return await admit(self._keys, app, stream_key, self._now())

    async def edit(self, stream_id: str, changes: Mapping[str, Any], revision: int | None = None) -> Stream:
        """Change fields of a stream.

        Args:
            stream_id: of the stream.
            changes: new values of fields of `Stream`, checked by `control_api.model`.
            revision: what the stream must have; None for any.

        Raises:
            StreamError: `not_found`, `precondition_failed`, `invalid`, or a state that does not allow it.
        """

        def change(stream: Stream) -> Stream:
            after = lifecycle.edited(stream, changes, self._now())
            # Who has a link to what was public is not thereby one of those who may see it now.
            is_hidden = after.is_private and not stream.is_private
            return replace(after, playback_salt=new_salt()) if is_hidden else after

        return await self._change(stream_id, change, revision)

    async def new_key(self, stream_id: str) -> Stream:
        """Give a stream another key; the old one stops working.

        Raises:
            StreamError: `not_found`, `already_ended`, `cancelled`.
        """

        def change(stream: Stream) -> Stream:
            lifecycle.started(stream, self._now())  # refuses what can never be live again
            return replace(stream, stream_key=new_stream_key())

        return await self._change(stream_id, change)

    async def new_playback_salt(self, stream_id: str) -> Stream:
        """End all playback tokens of a stream that are around; addresses that are asked for from now on have new ones.

        Raises:
            StreamError: `not_found`.
        """
        return await self._change(stream_id, lambda stream: replace(stream, playback_salt=new_salt()))

    async def start(self, stream_id: str) -> Stream:
        """Make a stream live. Does not wait for media; nothing happens when it is live.

        Raises:
            NotEligibleError: the owner has too few followers by now.
            StreamError: `not_found`, `already_ended`, `cancelled`.
        """
        async with self._lock(stream_id):
            before = await self.get(stream_id)
            stream = lifecycle.started(before, self._now())
            if stream is not before:
                await self.require_eligible(stream.user_id, fresh=True)
                stream = await self._replace(stream, live_event(stream, self._now()))
                await self._broadcasts.start(stream)
                logger.info("stream_live", stream_id=stream_id, user_id=stream.user_id)
            return stream

    async def auto_start(self, stream_id: str) -> Stream:
        """Start a stream at its first packet when its owner wants that; else leave it as it is.

        Raises:
            StreamError: as `start`.
        """
        stream = await self.get(stream_id)
        return await self.start(stream_id) if stream.auto_start else stream

    async def end(self, stream_id: str, reason: str) -> Stream:
        """End a stream and its broadcast; nothing happens when it has ended.

        Args:
            stream_id: of the stream.
            reason: a word for the record: `owner`, or which grace has run out.

        Raises:
            StreamError: `not_found`, `not_live`, `cancelled`.
        """
        async with self._lock(stream_id):
            before = await self.get(stream_id)
            stream = lifecycle.ended(before, self._now(), reason)
            if stream is not before:
                stream = await self._replace(stream, ended_event(stream, self._now()))
                await self._broadcasts.end(stream_id, reason)
                logger.info("stream_ended", stream_id=stream_id, reason=reason)
            return stream

    async def publisher_lost(self, stream_id: str, reason: str) -> None:
        """Tell that a live stream's encoder went away; nothing happens when the stream is not live.

        Raises:
            CapacityError: it cannot be stored.
        """
        stream = await self.get(stream_id)
        if stream.status is Status.LIVE:
            await self._store.tell(event_of(EventType.PUBLISHER_LOST, stream, self._now(), reason=reason))
            self._tell(stream)

    async def cancel(self, stream_id: str, revision: int | None = None) -> Stream:
        """Cancel a stream that was never live; nothing happens when it is cancelled.

        Raises:
            StreamError: `not_found`, `already_live`, `already_ended`, `precondition_failed`.
        """
        stream = await self._change(stream_id, lifecycle.cancelled, revision)
        await self._broadcasts.end(stream_id, "cancelled")
        return stream

    async def disown(self, stream_id: str, pseudonym: str) -> Stream:
        """Take a stream from its owner, who is deleted: what is counted of it stays, for admins to see.

        Args:
            stream_id: of the stream.
            pseudonym: the owner from now on.

        Raises:
            StreamError: `not_found`, `already_live`.
        """
        upcoming = (await self.get(stream_id)).is_upcoming
        stream = await self._change(stream_id, lambda stream: lifecycle.disowned(stream, pseudonym))
        if upcoming:
            await self._broadcasts.end(stream_id, "cancelled")
        return stream

    async def expire(self, stream_id: str) -> None:
        """Cancel a scheduled stream that nobody has started long after its time; else nothing happens.

        Raises:
            StreamError: `not_found`.
        """
        stream = await self._change(stream_id, lambda stream: lifecycle.expired(stream, self._now()))
        if stream.status is Status.CANCELLED:
            await self._broadcasts.end(stream_id, lifecycle.EXPIRED)
            logger.info("stream_expired", stream_id=stream_id)

    async def remind(self, stream_id: str) -> None:
        """Remind the streamer and the followers of a scheduled stream, once and when it is time; else nothing happens.

        Raises:
            StreamError: `not_found`.
        """
        async with self._lock(stream_id):
            before = await self.get(stream_id)
            stream = lifecycle.reminded(before, self._now())
            if stream is not before:
                await self._replace(stream, reminder_event(stream, self._now()))

    def media(self, stream_id: str) -> Mapping[str, object]:
        """Describe what arrives for a stream."""
        return self._broadcasts.media(stream_id)

    def health(self, stream_id: str) -> Mapping[str, object]:
        """Describe a stream's ingest, for its owner."""
        return self._broadcasts.health(stream_id)

    async def _change(
        self, stream_id: str, change: Callable[[Stream], Stream], revision: int | None = None
    ) -> Stream:
        async with self._lock(stream_id):
            before = await self.get(stream_id)
            if revision is not None and before.revision != revision:
                raise StreamError("precondition_failed", "The stream has changed since it was read.")
            after = change(before)
            return before if after is before else await self._replace(after)

    async def _replace(self, stream: Stream, *events: Event) -> Stream:
        stored = await self._store.replace(stream, *events)
        self._tell(stored)
        return stored

    def _tell(self, stream: Stream) -> None:
        for watcher in self._watchers:
            watcher(stream)

    def _lock(self, stream_id: str) -> asyncio.Lock:
        return self._locks.setdefault(stream_id, asyncio.Lock())
