"""One worker that renders stretches of sources, one after the other, in the pipeline that also encodes live."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Collection, Mapping, Sequence

from media.error import TranscodeError
from media.h264 import h264_track
from media.packet import Packet, VideoTrack
from transcode.message import (
    Activate,
    Flush,
    Frames,
    Media,
    Message,
    Progress,
    Reset,
    RungOpened,
    SetTrack,
)
from transcode.process import WorkerProcess
from transcode.render_request import Rendered, RenderedFrame, RenderRequest
from transcode.rung import RungSpec

MAX_DECODER_THREADS = 4
"""Decoding is half of the work; the encoders need cores too."""

MAX_PIXELS_AT_ONCE = 2 * 3840 * 2160
"""In all threads of a decoder. Each holds pictures of its own: with four, a worker with all rungs of a 2160p source has
400 MB."""

MAX_KEPT_PIXELS = 2560 * 1440
"""Of a source. What larger pictures leave in the allocator adds up from job to job: 260 MB become 320 and more with
2160p, while 1080p stays below 160."""

WINDOW = 32
"""Media packets on their way: the worker takes 8 into its queue and reports every 8, so it never runs dry."""

WINDOW_BYTES = 4 << 20
"""The same in bytes: with pictures of a megabyte (2160p, all-intra) a window of packets alone would be 32 MB."""


class RenderWorker:
    """Renders in a worker process. Implements `transcode.process.Receiver`.

    Args:
        process: a worker that nobody works with.
    """

    def __init__(self, process: WorkerProcess) -> None:
        self.process = process
        self._packets: Sequence[Packet] = ()
        self._position = 0
        self._sent = 0  # `Media` messages since the worker started, as `Progress` counts them
        self._on_their_way: deque[int] = deque()  # their sizes
        self._flushes = 0
        self._configs: dict[str, bytes] = {}
        self._frames: list[Frames] = []
        self._done: asyncio.Future[None] | None = None
        self.is_worn = False
        """Whether it should not be used again: it would take too much memory."""
        process.attach(self)

    @property
    def is_usable(self) -> bool:
        """Whether it has not been lost."""
        return self.process.is_usable

    async def render(self, requests: Sequence[RenderRequest]) -> Mapping[str, Rendered]:
        """Render requests of one source, by the names of their rungs, which differ.

        Raises:
            TranscodeError: the worker was lost.
            PeerError: the worker names parameter sets that are none.
        """
        first = requests[0]
        self.is_worn |= first.track.width * first.track.height > MAX_KEPT_PIXELS
        threads = decoder_threads(first.track, os.cpu_count() or 1)
        commands = [Activate(request.spec, request.start) for request in requests]
        largest = max(request.spec.height for request in requests)
        track = SetTrack(first.track, threads, is_shrunk=2 * largest <= first.track.height)
        await self._perform([track, *commands], first.packets)
        return {request.spec.name: self._rendered(request) for request in requests}

    async def open(self, specs: Collection[RungSpec]) -> Mapping[str, VideoTrack]:
        """Open encoders only to see their parameter sets, by the names of the rungs, which differ.

        Raises:
            TranscodeError: the worker was lost.
            PeerError: the worker names parameter sets that are none.
        """
        await self._perform([Activate(spec, 0) for spec in specs], ())
        return {spec.name: self._track(spec.name) for spec in specs}

    def on_message(self, message: Message) -> None:
        """Take a message of the worker."""
        match message:
            case Frames():
                self._frames.append(message)
            case RungOpened(rung, config):
                self._configs[rung] = config
            case Progress(consumed):
                while self._sent - len(self._on_their_way) < consumed:
                    self._on_their_way.popleft()
                self._pump()
            case Flush(number) if number == self._flushes:
                self._on_their_way.clear()  # of the last few packets no progress may have been reported
                self._settle(None)

    def on_lost(self, reason: str) -> None:
        """Give up what is being rendered: the worker died or hung."""
        self._settle(TranscodeError(reason))

    async def _perform(self, commands: Sequence[Message], packets: Sequence[Packet]) -> None:
        if not self.process.is_usable:
            raise TranscodeError("the worker process ended while it had nothing to do")
        self._configs, self._frames = {}, []
        self._packets, self._position = packets, 0
        self._flushes += 1
        self._done = asyncio.get_running_loop().create_future()
        for command in (Reset(), *commands):
            self.process.send(command)
        self._pump()
        try:
            await self._done
        finally:
            self._done, self._packets = None, ()

    def _pump(self) -> None:
        """Send what waits, as far as the window is open, and the mark behind the last packet."""
        if self._done is None or self._position > len(self._packets):
            return
        while self._position < len(self._packets) and self._is_open:
            packet = self._packets[self._position]
            self._position += 1
            self._sent += 1
            self._on_their_way.append(len(packet.data))
            self.process.send(Media(packet.is_video, packet.is_keyframe, packet.pts, packet.dts, packet.data))
        if self._position == len(self._packets):
            self._position += 1
            self.process.send(Flush(self._flushes))

    @property
    def _is_open(self) -> bool:
        return len(self._on_their_way) < WINDOW and sum(self._on_their_way) < WINDOW_BYTES

    def _settle(self, error: TranscodeError | None) -> None:
        if self._done is None or self._done.done():
            return
        if error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(error)

    def _rendered(self, request: RenderRequest) -> Rendered:
        name = request.spec.name
        frames = tuple(
            RenderedFrame(message.pts, frame.data, frame.is_keyframe)
            for message in self._frames
            if request.start <= message.pts < request.end
            for frame in message.frames
            if frame.rung == name
        )
        return Rendered(self._track(name), frames)

    def _track(self, rung: str) -> VideoTrack:
        if rung not in self._configs:
            raise TranscodeError(f"the worker opened no encoder for rung {rung}")
        return h264_track(self._configs[rung])


def decoder_threads(track: VideoTrack, cores: int) -> int:
    """Say how many threads decode for whoever waits for the whole, and not for each picture."""
    by_memory = MAX_PIXELS_AT_ONCE // max(1, track.width * track.height)
    return max(1, min(MAX_DECODER_THREADS, cores, by_memory))
