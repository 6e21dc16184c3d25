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

from control_api import lifecycle
from control_api.admission import admit
from control_api.catalogue import Catalogue
from control_api.key import new_stream_key
from control_api.port import Broadcasts
from control_api.store import Store
from control_api.stream import Status, Stream
from media.error import StreamError

logger = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


class StreamService(Catalogue):
    """Creates, changes, starts and ends streams.

    Changes of one stream happen one after the other, together with what they do to its broadcast.

    Args:
        store: keeps streams and users.
        broadcasts: the media plane.
        min_followers: how many followers going live takes; 0 for none.
        now: tells the time.
    """

    def __init__(
        self,
        store: Store,
        broadcasts: Broadcasts,
        *,
        min_followers: int,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(store, min_followers)
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
            status=Status.SCHEDULED if fields.get("scheduled_at") else Status.CREATED,
            created_at=self._now(),
            **fields,
        )
        await self._store.add(stream)
        self._tell(stream)
        return stream

    async def authorize_publish(self, app: str, stream_key: str) -> Stream:
        """Find the stream that an encoder may publish to; see `control_api.admission.admit`."""
        return await admit(self._store, app, stream_key, self._now())

    async def edit(self, stream_id: str, changes: Mapping[str, Any], revision: int | None = None) -> Stream:
        """Change fields of a stream.

        Args:
            stream_id: of the stream.
            changes: new values of fields of `Stream`, checked by `control_api.model`.
            revision: what the stream must have; None for any.

        Raises:
            StreamError: `not_found`, `precondition_failed`, `invalid`, or a state that does not allow it.
        """
        return await self._change(stream_id, lambda s: lifecycle.edited(s, changes, self._now()), revision)

    async def new_key(self, stream_id: str) -> Stream:
        """Give a stream another key; the old one stops working.

        Raises:
            StreamError: `not_found`, `already_ended`, `cancelled`.
        """

        def change(stream: Stream) -> Stream:
            lifecycle.started(stream, self._now())  # refuses what can never be live again
            return replace(stream, stream_key=new_stream_key())

        return await self._change(stream_id, change)

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
                await self.require_eligible(stream.user_id)
                stream = await self._replace(stream)
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
                stream = await self._replace(stream)
                await self._broadcasts.end(stream_id, reason)
                logger.info("stream_ended", stream_id=stream_id, reason=reason)
            return stream

    async def cancel(self, stream_id: str, revision: int | None = None) -> Stream:
        """Cancel a stream that was never live; nothing happens when it is cancelled.

        Raises:
            StreamError: `not_found`, `already_live`, `already_ended`, `precondition_failed`.
        """
        stream = await self._change(stream_id, lifecycle.cancelled, revision)
        await self._broadcasts.end(stream_id, "cancelled")
        return stream

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

    async def _replace(self, stream: Stream) -> Stream:
        stored = await self._store.replace(stream)
        self._tell(stored)
        return stored

    def _tell(self, stream: Stream) -> None:
        for watcher in self._watchers:
            watcher(stream)

    def _lock(self, stream_id: str) -> asyncio.Lock:
        return self._locks.setdefault(stream_id, asyncio.Lock())
