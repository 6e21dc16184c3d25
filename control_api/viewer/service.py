"""Who watches: joins and leaves, what media requests and sockets tell, and all of it stored. Knows no HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from control_api.postgres.viewer_table import ViewerTable
from control_api.realtime.bus import Bus
from control_api.stream.lifecycle import WORDS, Refusal
from control_api.stream.record import Identity, Status, Stream
from control_api.stream.service import StreamService
from control_api.viewer.attending import Admission, Attending, Sockets
from control_api.viewer.audience import Figures
from control_api.viewer.ledger import Ledger
from control_api.viewer.presence import EXPIRY_S, MAX_VIEWERS, Presence
from control_api.viewer.shared import SharedPresence
from control_api.viewer.tally import Tally
from control_api.viewer.viewer_id import ViewerIds, user_key
from media.error import StreamError

logger = structlog.get_logger(__name__)

_NOT_LIVE = {
    Status.CREATED: Refusal.NOT_LIVE,
    Status.SCHEDULED: Refusal.NOT_LIVE,
    Status.ENDED: Refusal.ALREADY_ENDED,
    Status.CANCELLED: Refusal.CANCELLED,
}


class ViewerService:
    """Counts viewers in memory and stores them now and then; while the database is away, that waits.

    Args:
        service: knows the streams, and tells when they begin and end.
        table: keeps viewers.
        ids: of viewers.
        clock: Unix time.
        max_viewers: how many are remembered.
        shared: where all servers count together; None where this is the only one.
        bus: how they tell each other of changes; None likewise.
    """

    def __init__(
        self,
        service: StreamService,
        table: ViewerTable,
        ids: ViewerIds,
        clock: Callable[[], float] = time.time,
        max_viewers: int = MAX_VIEWERS,
        *,
        shared: SharedPresence | None = None,
        bus: Bus | None = None,
    ) -> None:
        self._service = service
        self._table = table
        self._ids = ids
        self._clock = clock
        self._max_viewers = max_viewers
        self._presence = Presence(max_viewers)
        self._tally = Tally(self._presence, clock, shared, bus)
        self._ledger = Ledger(self._presence, self._tally, table, clock)
        self._sockets = Sockets(self._presence, clock, self._tally.settle)

    async def open(self) -> None:
        """Take up the streams that are live. Nobody is present; those who were are known when they come back.

        Raises:
            CapacityError: the database is away.
        """
        streams = await self._service.live_streams()
        for stream in streams:
            self._open(stream)
        for known in await self._table.latest([stream.id for stream in streams], self._max_viewers):
            self._presence.recall(known)
        self._service.watch(self._note)
        await self._tally.open()

    async def close(self) -> None:
        """Tell other servers nothing any more."""
        await self._tally.close()

    def watch(self, watcher: Callable[[str], None]) -> None:
        """Call `watcher` with the id of a stream whenever its figures may have changed, here or on another server.

        Args:
            watcher: is called in the event loop, once per call that has changed something; must not raise.
        """
        self._tally.watch(watcher)

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
        await self._tally.tell()
        return Admission(stream, viewer_id, self.figures(stream))

    async def attend(self, stream_id: str, identity: Identity | None, viewer_id: str | None) -> Attending:
        """Let somebody watch over a socket; present until what this returns is closed, whenever the stream is live.

        Args:
            stream_id: of the stream, in whatever state.
            identity: who asks; None for somebody without a token.
            viewer_id: as for `join`.

        Raises:
            StreamError: `not_found`.
        """
        stream = await self._service.visible(stream_id, identity)
        viewer_id, key = self._ids.joining(identity, viewer_id)
        return await self._attend(stream, viewer_id, key)

    async def attend_media(self, stream_id: str, viewer_id: str | None) -> Attending:
        """Let somebody watch over a connection of media, who has been let in to it; present as with `attend`.

        Args:
            stream_id: of the stream.
            viewer_id: that the playback token names; None for somebody without one.

        Raises:
            StreamError: `not_found`.
        """
        stream = await self._service.get(stream_id)
        viewer_id = viewer_id or self._ids.new()
        return await self._attend(stream, viewer_id, self._ids.key_of(viewer_id))

    async def _attend(self, stream: Stream, viewer_id: str, key: str) -> Attending:
        attending = self._sockets.open(stream, key)
        try:
            if stream.status is Status.LIVE:
                self._open(stream)
                attending.begin()
                await self._tally.tell()
        except asyncio.CancelledError:
            attending.close(has_left=True)
            raise
        attending.admission = Admission(stream, viewer_id, self.figures(stream))
        return attending

    async def leave(self, stream_id: str, identity: Identity | None, viewer_id: str | None) -> Figures:
        """Let a viewer go; nothing happens when that is known, or while a socket of the viewer is open.

        Raises:
            StreamError: `not_found`; `forbidden` for a viewer that is somebody else.
        """
        stream = await self._service.visible(stream_id, identity)
        key = self._ids.leaving(identity, viewer_id)
        if key is None:
            raise StreamError("forbidden", "This viewer_id is not yours.")
        if stream.status is Status.LIVE:
            self._open(stream)  # whoever leaves may have been seen by another server alone
        self._presence.leave(stream.id, key, self._clock())
        await self._tally.tell()
        return self.figures(stream)

    def seen(self, stream_id: str, viewer_id: str) -> None:
        """Take note that a viewer has asked for media with a playback token."""
        self._presence.seen(stream_id, self._ids.key_of(viewer_id), self._clock())
        self._tally.settle()

    def figures(self, stream: Stream) -> Figures:
        """Tell how many watch a stream: now while it is live, else as it is stored."""
        if stream.status is Status.LIVE and self._tally.is_shared:
            self._open(stream)  # whoever watches it elsewhere is counted from the next look on
        known = self._tally.count(stream.id)
        return (
            known.figures
            if known
            else Figures(stream.viewer_count, stream.peak_viewers, stream.unique_viewers)
        )

    def unstored_time_s(self, stream_id: str) -> float:
        """Tell how much watch time there is that is not stored, once everything has been: of those who are present."""
        return self._presence.unstored_time_s(stream_id, self._clock())

    def live_figures(self) -> dict[str, Figures]:
        """Tell how many watch each stream that is live."""
        found = {stream_id: self._tally.count(stream_id) for stream_id in self._presence.open_streams()}
        return {stream_id: count.figures for stream_id, count in found.items() if count is not None}

    async def look(self) -> bool:
        """Let those go who have been silent for too long, and find out what other servers know by now."""
        await self._tally.look()
        return False

    async def store(self) -> bool:
        """Store what has changed; returns whether there is more.

        Raises:
            CapacityError: the database is away; nothing is lost.
        """
        return await self._ledger.store()

    async def store_all(self) -> None:
        """Store everything that has changed by now, with the time that open sockets have been watching.

        Raises:
            CapacityError: the database is away.
        """
        await self._ledger.store_all()

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

    async def find_live(self) -> bool:
        """Count those who wait over a socket for streams that another server has made live.

        Raises:
            CapacityError: the database is away.
        """
        if waiting := self._sockets.waiting():
            for stream in await self._service.live_streams():
                if stream.id in waiting:
                    self._open(stream)
            self._tally.settle()
        return False

    def _note(self, stream: Stream) -> None:
        if stream.status is Status.LIVE:
            self._open(stream)
        elif stream.status in (Status.ENDED, Status.CANCELLED):
            self._sockets.forget(stream.id)
            ended_at = stream.ended_at.timestamp() if stream.ended_at else self._clock()
            self._presence.close(stream.id, self._clock(), ended_at)
        self._tally.settle()

    def _open(self, stream: Stream) -> None:
        owner, peak, unique = user_key(stream.user_id), stream.peak_viewers, stream.unique_viewers
        if self._presence.open(stream.id, owner, peak=peak, unique=unique):
            self._sockets.begin(stream.id)
