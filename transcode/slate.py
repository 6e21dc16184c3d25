"""What viewers see while a publisher is gone: its last picture, dimmed, with a caption, as one GOP that is repeated.

A spare worker decodes and encodes it, so that hostile media never meets the server, then ends. The GOP is made by the
rung's own encoder settings: its track equals that of the live encoder, and no new init segment is needed around it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from media.error import LocalStateError, TranscodeError
from media.h264 import h264_track
from media.packet import Packet, VideoTrack
from transcode.backlog import MAX_BYTES
from transcode.message import DrawSlate, EncodedFrame, Media, Message, SetTrack, SlateDrawn
from transcode.pool import WorkerPool
from transcode.process import WorkerProcess
from transcode.rung import RungSpec

log = structlog.get_logger(__name__)

MAX_FRAMES = 120
"""Pictures of one GOP: 4 s at 30 frames per second. It stands still, so more would only be more bytes."""

MIN_FRAMES = 2
"""Repeated, a GOP of one IDR picture would be IDR pictures in a row of equal idr_pic_id (H.264, 7.4.3)."""


@dataclass(frozen=True, slots=True)
class SlateRequest:
    """What to show, and how long one GOP of it is.

    Raises:
        LocalStateError: the number or the distance of pictures is out of bounds.
    """

    track: VideoTrack | None
    packets: Sequence[Packet]
    """From the last keyframe to the last packet; times in ticks. Empty or damaged: the picture is black."""
    specs: Sequence[RungSpec]
    caption: str
    frame_count: int
    frame_ticks: int

    def __post_init__(self) -> None:
        if not MIN_FRAMES <= self.frame_count <= MAX_FRAMES or self.frame_ticks < 1:
            raise LocalStateError(f"a slate of {self.frame_count} pictures every {self.frame_ticks} ticks")


class SlateRung(NamedTuple):
    """The slate of one rung: an IDR picture and P pictures that change nothing, `frame_ticks` apart."""

    track: VideoTrack
    frames: tuple[EncodedFrame, ...]


async def make_slate(pool: WorkerPool, request: SlateRequest, timeout_s: float) -> Mapping[str, SlateRung]:
    """Make a slate for each rung wanted, by name.

    Raises:
        TranscodeError: no worker could make it in time.
    """
    if not request.specs:
        return {}
    try:
        async with asyncio.timeout(timeout_s):
            return await _make(pool, request)
    except TimeoutError as error:
        raise TranscodeError(f"the slate was not ready within {timeout_s:g} s") from error


async def _make(pool: WorkerPool, request: SlateRequest) -> Mapping[str, SlateRung]:
    media = list(_media(request))
    if media:
        try:
            return await _Job(request, media).run(pool)
        except TranscodeError as error:
            # The picture may be what killed the worker; the words still have to be said.
            log.warning("no slate of the last picture, a black one instead", reason=str(error))
    return await _Job(request, []).run(pool)


class _Job:
    """One worker at work on one slate. Implements `transcode.process.Receiver`."""

    def __init__(self, request: SlateRequest, media: Iterable[Message]) -> None:
        self._order = DrawSlate(
            request.caption, tuple(request.specs), request.frame_count, request.frame_ticks
        )
        self._media = media
        self._rungs: dict[str, SlateRung] = {}
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, pool: WorkerPool) -> Mapping[str, SlateRung]:
        """Take a worker, wait for its pictures, let go of it."""
        worker = await pool.take()
        try:
            self._begin(worker)
            await self._done
        finally:
            pool.release(worker, at_once=True)
        return self._rungs

    def _begin(self, worker: WorkerProcess) -> None:
        worker.attach(self)
        for message in self._media:
            worker.send(message)
        worker.send(self._order)

    def on_message(self, message: Message) -> None:
        """Take the slate of a rung."""
        if isinstance(message, SlateDrawn):
            self._rungs[message.rung] = SlateRung(h264_track(message.config), message.frames)
            if len(self._rungs) == len(self._order.specs) and not self._done.done():
                self._done.set_result(None)

    def on_lost(self, reason: str) -> None:
        """Give up: the worker died or hung."""
        if not self._done.done():
            self._done.set_exception(TranscodeError(reason))


def _media(request: SlateRequest) -> Iterable[Message]:
    if request.track is None or not request.packets:
        return
    yield SetTrack(request.track)
    size = 0
    for packet in request.packets:
        size += len(packet.data)
        if size > MAX_BYTES:
            return  # an earlier picture is better than none
        yield Media(packet.is_video, packet.is_keyframe, packet.pts, packet.dts, packet.data)
