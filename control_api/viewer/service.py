"""Who watches: joins and leaves, what media requests tell, and all of it stored. Knows no HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from control_api.postgres.viewer_table import ViewerTable
from control_api.stream.lifecycle import WORDS, Refusal
from control_api.stream.record import Identity, Status, Stream
from control_api.stream.service import StreamService
from control_api.viewer.audience import Figures
from control_api.viewer.presence import EXPIRY_S, MAX_VIEWERS, Presence
from control_api.viewer.viewer_id import ViewerIds, user_key
from media.error import StreamError

AT_ONCE = 2000
"""Viewers stored with one statement."""

logger = structlog.get_logger(__name__)

_NOT_LIVE = {
    Status.CREATED: Refusal.NOT_LIVE,
    Status.SCHEDULED: Refusal.NOT_LIVE,
    Status.ENDED: Refusal.ALREADY_ENDED,
    Status.CANCELLED: Refusal.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Admission:
    """What somebody gets who joins."""

    stream: Stream
    viewer_id: str
    figures: Figures


class ViewerService:
    """Counts viewers in memory and stores them now and then; while the database is away, that waits.

    Args:
        service: knows the streams, and tells when they begin and end.
        table: keeps viewers.
        ids: of viewers.
        clock: Unix time.
        max_viewers: how many are remembered.
    """

    def __init__(
        self,
        service: StreamService,
        table: ViewerTable,
        ids: ViewerIds,
        clock: Callable[[], float] = time.time,
        max_viewers: int = MAX_VIEWERS,
    ) -> None:
        self._service = service
        self._table = table
        self._ids = ids
        self._clock = clock
        self._max_viewers = max_viewers
        self._presence = Presence(max_viewers)
        self._storing = asyncio.Lock()

    async def open(self) -> None:
        """Take up the streams that are live. Nobody is present; those who were are known when they come back.

        Raises:
            CapacityError: the database is away.
        """
        streams = await self._service.live_streams()
        for stream in streams:
            self._open(stream)
        for row in await self._table.latest([stream.id for stream in streams], self._max_viewers):
            self._presence.recall(row)
        self._service.watch(self._note)

    async def join(self, stream_id: str, identity: Identity | None, viewer_id: str | None) -> Admission:
        """Let somebody watch a stream that is live; again while they do it is a sign of life.

        Args:
            stream_id: of the stream.
            identity: who asks; None for somebody without a token.
            viewer_id: that somebody without a token got before. One that is not from here is not taken.

        Raises:
            StreamError: `not_found`; `not_live`, `already_ended`, `cancelled`.
        """
        stream = await self._service.visible(stream_id, identity)
        if stream.status is not Status.LIVE:
            refusal = _NOT_LIVE[stream.status]
            raise StreamError(refusal.value, WORDS[refusal])
        self._open(stream)
        viewer_id, key = self._ids.joining(identity, viewer_id)
        self._presence.join(stream.id, key, self._clock())
        return Admission(stream, viewer_id, self.figures(stream))

    async def leave(self, stream_id: str, identity: Identity | None, viewer_id: str | None) -> Figures:
        """Let a viewer go; nothing happens when that is known.

        Raises:
            StreamError: `not_found`; `forbidden` for a viewer that is somebody else.
        """
        stream = await self._service.visible(stream_id, identity)
        key = self._ids.leaving(identity, viewer_id)
        if key is None:
            raise StreamError("forbidden", "This viewer_id is not yours.")
        self._presence.leave(stream.id, key, self._clock())
        return self.figures(stream)

    def seen(self, stream_id: str, viewer_id: str) -> None:
        """Take note that a viewer has asked for media with a playback token."""
        self._presence.seen(stream_id, self._ids.key_of(viewer_id), self._clock())

    def figures(self, stream: Stream) -> Figures:
        """Tell how many watch a stream: now while it is live, else as it is stored."""
        known = self._presence.figures(stream.id, self._clock())
        return known or Figures(stream.viewer_count, stream.peak_viewers, stream.unique_viewers)

    def unstored_time_s(self, stream_id: str) -> float:
        """Tell how much watch time there is that is not stored, once everything has been: of those who are present."""
        return self._presence.unstored_time_s(stream_id, self._clock())

    def live_figures(self) -> dict[str, Figures]:
        """Tell how many watch each stream that is live."""
        now, found = self._clock(), {}
        for stream_id in self._presence.open_streams():
            figures = self._presence.figures(stream_id, now)
            if figures is not None:
                found[stream_id] = figures
        return found

    async def store(self) -> bool:
        """Store what has changed; returns whether there is more.

        Raises:
            CapacityError: the database is away; nothing is lost.
        """
        async with self._storing:
            self._presence.expire(self._clock())
            changes = self._presence.take(AT_ONCE)
            is_stored = False
            try:
                if new := [viewer for viewer in changes.viewers if not viewer.has_past]:
                    past = {(row.stream_id, row.viewer_id): row for row in await self._table.find(new)}
                    for viewer in new:
                        self._presence.learn(viewer, past.get((viewer.audience.stream_id, viewer.key)))
                await self._table.write(changes.viewers, changes.audiences)
                is_stored = True
            finally:
                if not is_stored:
                    self._presence.give_back(changes)
        return len(changes.viewers) == AT_ONCE

    async def store_all(self) -> None:
        """Store everything that has changed by now.

        Raises:
            CapacityError: the database is away.
        """
        while await self.store():
            pass

    async def tidy(self) -> bool:
        """Take note of what other servers did: ended streams, and died with viewers that they had counted.

        Raises:
            CapacityError: the database is away.
        """
        if count := await self._table.close_silent(self._clock() - EXPIRY_S):
            logger.info("silent_viewers_closed", count=count)
        counted = self._presence.open_streams()
        live = {stream.id for stream in await self._service.live_streams()}
        for stream_id in counted:
            if stream_id not in live:
                self._note(await self._service.get(stream_id))
        return False

    def _note(self, stream: Stream) -> None:
        if stream.status is Status.LIVE:
            self._open(stream)
        elif stream.status is Status.ENDED:
            self._presence.close(stream.id, self._clock())

    def _open(self, stream: Stream) -> None:
        self._presence.open(
            stream.id, user_key(stream.user_id), peak=stream.peak_viewers, unique=stream.unique_viewers
        )
