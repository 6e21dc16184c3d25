"""A store that remembers streams: for a second while the database answers, and live ones for as long as it does not.

So a stream that everybody looks at costs one query a second. While the database is away encoders and viewers of live
broadcasts get in, since their keys are known, and broadcasts end: that is written into a file and stored later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import structlog
from cachetools import LRUCache

from control_api.event.record import Event, ended_event
from control_api.joined_cache import Joined
from control_api.stream.lifecycle import ended
from control_api.stream.pending_end import PendingEnd, PendingEnds
from control_api.stream.record import Status, Stream
from control_api.stream.store import Store
from media.error import CapacityError, os_reason

logger = structlog.get_logger(__name__)

MAX_STREAMS = 10_000
"""Streams remembered that are not live, 2 KB each."""

MAX_KEYS = 10_000
"""Channel keys remembered, with whose they are."""

MAX_AGE_S = 1.0
"""How old an answer may be that another node has made untrue meanwhile."""


class _Entry(NamedTuple):
    stream: Stream
    read_at: float


@dataclass
class _Memory:
    """Streams by id. Live ones are never forgotten."""

    live: dict[str, _Entry]
    others: LRUCache[str, _Entry]

    def get(self, stream_id: str) -> _Entry | None:
        return self.live.get(stream_id) or self.others.get(stream_id)

    def put(self, entry: _Entry) -> None:
        known = self.get(entry.stream.id)
        if known is not None and known.stream.revision > entry.stream.revision:
            return  # an older answer that was under way while the stream was changed
        is_live = entry.stream.status is Status.LIVE
        (self.others if is_live else self.live).pop(entry.stream.id, None)
        (self.live if is_live else self.others)[entry.stream.id] = entry


class CachedStore:
    """Implements `control_api.stream.store.Store` on top of another one.

    Args:
        store: the real one.
        pending: takes ends that cannot be stored.
        clock: seconds, never stepping back.
    """

    def __init__(
        self, store: Store, pending: PendingEnds, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._pending = pending
        self._clock = clock
        self._memory = _Memory({}, LRUCache(MAX_STREAMS))
        self._users_by_key: LRUCache[str, str] = LRUCache(MAX_KEYS)
        self._reading: Joined[str, Stream | None] = Joined()
        self._kept: dict[str, Stream] = {}
        self.follow = store.follow
        self.unfollow = store.unfollow
        self.channel_key = store.channel_key
        self.add_channel_key = store.add_channel_key
        self.set_channel_key = store.set_channel_key
        self.find = store.find
        self.tell = store.tell
        self.due = store.due
        self.unreminded = store.unreminded
        self.open_streams = store.open_streams

    async def get(self, stream_id: str) -> Stream | None:
        """Find a stream by its id; the answer may be a second old, and older while the database is away."""
        entry = self._memory.get(stream_id)
        if entry is not None and self._clock() - entry.read_at <= MAX_AGE_S:
            return self._kept.get(stream_id, entry.stream)
        return await self.get_newest(stream_id)

    async def get_newest(self, stream_id: str) -> Stream | None:
        """Find a stream as it is now; while the database is away, as it was when last seen."""
        if stream_id in self._kept:
            return self._kept[stream_id]
        try:
            return await self._read(stream_id)
        except CapacityError:
            entry = self._memory.get(stream_id)
            if entry is None:
                raise
            return entry.stream

    async def get_by_key(self, stream_key: str) -> Stream | None:
        """Find a stream by its stream key; while the database is away, a live one."""
        try:
            return self._noted(await self._store.get_by_key(stream_key))
        except CapacityError:
            for stream in self._live():
                if stream.stream_key == stream_key:
                    return stream
            raise

    async def publishable(self, user_id: str, until: datetime) -> Stream | None:
        """Find what a user's encoder publishes to; while the database is away, the live stream."""
        try:
            return self._noted(await self._store.publishable(user_id, until))
        except CapacityError:
            for stream in self._live():
                if stream.user_id == user_id:
                    return stream
            raise

    async def user_by_channel_key(self, channel_key: str) -> str | None:
        """Find the user whose channel key this is; while the database is away, one who has shown it before."""
        try:
            user_id = await self._store.user_by_channel_key(channel_key)
        except CapacityError:
            if channel_key not in self._users_by_key:
                raise
            return self._users_by_key[channel_key]
        if user_id is None:
            self._users_by_key.pop(channel_key, None)
        else:
            self._users_by_key[channel_key] = user_id
        return user_id

    async def add(self, stream: Stream) -> None:
        """Store a new stream."""
        await self._store.add(stream)
        self._noted(stream)

    async def replace(self, stream: Stream, *events: Event) -> Stream:
        """Store a change, together with what is to be told of it; an end is taken in any case."""
        try:
            stored = await self._store.replace(stream, *events)
        except CapacityError:
            if stream.status is not Status.ENDED:
                raise
            await self._keep(stream)
            return stream
        self._noted(stored)
        return stored

    async def store_pending(self) -> None:
        """Store the ends that could not be stored when they happened.

        Raises:
            CapacityError: the database is away again; what is left waits for the next time.
        """
        for end in await self._pending.read():
            stream = await self._store.get(end.stream_id)
            if stream is not None and stream.status is Status.LIVE:
                after = ended(stream, end.ended_at, end.reason)
                await self._store.replace(after, ended_event(after, end.ended_at))
            await self._pending.forget([end])
            self._kept.pop(end.stream_id, None)
            self._memory.live.pop(end.stream_id, None)
            logger.info("pending_end_stored", stream_id=end.stream_id)

    async def live_streams(self) -> Sequence[Stream]:
        """List every live stream."""
        streams = await self._store.live_streams()
        for stream in streams:
            self._noted(stream)
        return streams

    async def _keep(self, stream: Stream) -> None:
        end = PendingEnd(stream.id, stream.ended_at or datetime.now(UTC), stream.end_reason or "")
        try:
            await self._pending.add(end)
        except OSError as error:
            raise CapacityError(f"The end cannot be written down: {os_reason(error)}.", 5) from error
        self._kept[stream.id] = stream
        logger.warning("end_pending", stream_id=stream.id)

    def _live(self) -> Iterator[Stream]:
        return (entry.stream for key, entry in self._memory.live.items() if key not in self._kept)

    async def _read(self, stream_id: str) -> Stream | None:
        """Read a stream once for everybody who asks meanwhile."""
        return self._noted(await self._reading.get(stream_id, lambda: self._store.get(stream_id)))

    def _noted(self, stream: Stream | None) -> Stream | None:
        if stream is not None:
            self._memory.put(_Entry(stream, self._clock()))
        return stream
