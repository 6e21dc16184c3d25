"""A broadcast on a stage of its own: real HLS output, a source made of numbers, an encoder that keeps a diary.

A frame's bytes say what it is, `<copy@PTS>` or `<RUNG@PTS!>` (`!` for an IDR), so a test reads from what is published
which frames reached players.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import pytest

from hls.config import HlsConfig
from hls.output import HlsOutput
from hls.timeline import Checkpoint
from hls.view import RenditionView, SegmentView
from media.aac import STEREO_48K, aac_track
from media.h264 import h264_track
from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack
from mediaserver.live import bridge as bridge_module
from mediaserver.live import encoding as encoding_module
from mediaserver.live import stand_in as stand_in_module
from mediaserver.live.broadcast import Broadcast
from mediaserver.live.interlude import Screen
from mediaserver.live.past import SegmentRenderer
from mediaserver.live.rungs import Rungs
from transcode.port import TranscoderSink, TranscoderStats
from transcode.rung import RungSpec
from transcode.supervisor import WorkerPool

NOW = 1_790_000_000.0
FRAME = CLOCK_HZ // 25
MS = CLOCK_HZ // 1000

# 640x360, 25 frames a second, High, 8 bits, as x264 says it.
VIDEO = h264_track(
    bytes.fromhex("0164001effe100186764001eacb405017fcb080000030008000003019078b17501000468ee0fcbfdf8f800")
)
AAC_48 = STEREO_48K
AAC_44 = aac_track(bytes.fromhex("1210"))
SURROUND = replace(AAC_48, channels=6, config=bytes.fromhex("11b0"))
"""AAC-LC with six channels, which is not copied."""


@dataclass
class Source:
    """A publisher's packets, on a clock of its own."""

    video: VideoTrack | None = VIDEO
    audio: AudioTrack | None = AAC_48
    origin: int = 5_000 * MS
    gop: int = 50
    b_frames: int = 0
    frame: int = FRAME
    audio_delay: int = 0
    number: int = 0
    """Of the next frame."""
    _heard: int = 0

    def run(self, frames: int) -> Iterator[Packet]:
        """Yield so many video frames in decoding order with the audio before each."""
        for _ in range(frames):
            dts = self.origin + self.number * self.frame
            yield from self._sound(dts)
            if self.video is not None:
                yield self._picture(dts)
            self.number += 1

    def _picture(self, dts: int) -> Packet:
        assert self.video is not None
        place = self.number % self.gop
        # I P b b P b b: a P shows as many frames later as there are Bs behind it.
        delay = self.b_frames
        if self.b_frames and place:
            delay += self.b_frames if (place - 1) % (self.b_frames + 1) == 0 else -1
        return Packet(self.video, dts + delay * self.frame, dts, b"", is_keyframe=place == 0)

    def _sound(self, until: int) -> Iterator[Packet]:
        while self.audio is not None:
            pts = self.origin + self._heard * 1024 * CLOCK_HZ // self.audio.sample_rate // MS * MS
            if pts > until:
                return
            self._heard += 1
            pts += self.audio_delay
            yield Packet(self.audio, pts, pts, b"<a>", is_keyframe=True)


class Encoder:
    """Stands in for `Transcoder`: encodes when told to, in display order, and honours orders by pts."""

    made: list[Encoder]

    def __init__(self, pool: WorkerPool, sink: TranscoderSink) -> None:
        Encoder.made.append(self)
        self.sink = sink
        self.is_slow = False
        """Whether nothing is delivered until `work`."""
        self.rungs: dict[str, tuple[RungSpec, int]] = {}
        self.outputs: set[str] = set()
        self.orders: dict[str, list[int]] = {}
        self.diary: list[str] = []
        self.is_closed = False
        self._queue: deque[Packet | None] = deque()
        self._shown: list[Packet] = []
        self._fresh: set[str] = set()
        self.primed: list[Packet] = []

    @property
    def stats(self) -> TranscoderStats:
        return TranscoderStats(0.0, None, 0, 0, 0, 0)

    def may_begin(self, pts: int) -> bool:
        return False

    def prime(self, packets: Sequence[Packet], from_pts: int) -> None:
        self.primed = list(packets)
        self._shown.clear()
        self._queue = deque(entry for entry in self._queue if entry is None or not entry.is_video)

    def activate(self, spec: RungSpec, from_pts: int) -> None:
        self.diary.append(f"activate {spec.name}")
        self.rungs[spec.name] = (spec, from_pts)
        self._fresh.add(spec.name)
        track = replace(VIDEO, width=spec.width, height=spec.height, codec_string=f"avc1.{spec.height:06x}")
        self.sink.on_rung_opened(spec.name, track, from_pts)
        for packet in self.primed:
            self.send(packet)
        self.primed = []

    def deactivate(self, name: str) -> None:
        if name in self.rungs:
            self.diary.append(f"deactivate {name}")
            del self.rungs[name]

    def activate_audio(self, output: str) -> None:
        self.outputs.add(output)

    def deactivate_audio(self, output: str) -> None:
        self.outputs.discard(output)

    def force_keyframe(self, pts: int, rung: str | None = None) -> None:
        for name in self.rungs:
            if rung in (None, name):
                self.orders.setdefault(name, []).append(pts)

    def send(self, packet: Packet) -> None:
        self._queue.append(packet)
        if not self.is_slow:
            self.work()

    def flush(self) -> None:
        self.diary.append("flush")
        if not self.rungs and not self.outputs:
            # No worker is there, so nothing of what has been sent is still to come.
            self._queue.clear()
            self._shown.clear()
        self._queue.append(None)
        self.is_slow &= bool(self.rungs or self.outputs)
        if not self.is_slow:
            self.work()

    async def close(self) -> None:
        self.is_closed = True

    def work(self, entries: int = 1_000_000) -> None:
        """Encode so many entries of what has been sent."""
        while self._queue and entries:
            entries -= 1
            packet = self._queue.popleft()
            if packet is None:
                self._show(0)
                self._fresh |= set(self.rungs)
                self.sink.on_flushed()
            elif packet.is_video:
                self._shown.append(packet)
                self._show(3)
            elif self.outputs:
                self.sink.on_audio("aac", replace(packet, track=AAC_48, data=b"<encoded>"))

    def _show(self, held: int) -> None:
        self._shown.sort(key=lambda packet: packet.pts)
        while len(self._shown) > held:
            pts = self._shown.pop(0).pts
            frames = {
                name: self._encode(name, pts) for name, (_, from_pts) in self.rungs.items() if pts >= from_pts
            }
            if frames:
                self.sink.on_video(pts, frames)

    def _encode(self, name: str, pts: int) -> Packet:
        orders = self.orders.get(name, [])
        is_idr = name in self._fresh or any(order <= pts for order in orders)
        self.orders[name] = [order for order in orders if order > pts]
        self._fresh.discard(name)
        data = f"<{name}@{pts}{'!' if is_idr else ''}>".encode()
        return Packet(VIDEO, pts, pts, data, is_idr)


@dataclass
class Scene:
    """A broadcast with its stand-ins."""

    broadcast: Broadcast
    encoder: Encoder
    checkpoints: list[Checkpoint] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    """PTS of all video frames that have come onto the timeline."""
    source: Source = field(default_factory=Source)
    """Who sends, where a test goes on with it."""

    @property
    def output(self) -> HlsOutput:
        return self.broadcast.output

    def is_copying(self) -> bool:
        return self.broadcast.rungs.is_copying

    def is_on_slate(self) -> bool:
        return self.broadcast.is_on_slate

    def publish(self, source: Source, frames: int) -> None:
        """Let a source send."""
        for packet in source.run(frames):
            self.broadcast.receive(packet)

    def connect(self, source: Source, frames: int) -> None:
        self.broadcast.begin_source()
        self.publish(source, frames)

    def view(self, name: str) -> RenditionView:
        view = self.output.view(name)
        assert view is not None
        return view

    def discontinuities(self, name: str) -> list[int]:
        return [segment.msn for segment in self.view(name).segments if segment.is_discontinuity]

    def gaps(self, name: str) -> list[tuple[int, int]]:
        """Segments and parts that are gaps."""
        return [
            (segment.msn, index)
            for segment in self.view(name).segments
            for index, part in enumerate(segment.parts)
            if part.is_gap
        ]

    async def media(self, name: str, segment: SegmentView) -> bytes:
        parts = [
            await self.output.get(name, segment.generation, segment.msn, index)
            for index in range(len(segment.parts))
        ]
        return b"".join(part or b"" for part in parts)

    async def frames(self, name: str, msn: int | None = None) -> list[str]:
        """Names of the published frames of a video rung, of one segment or all."""
        found = []
        for segment in self.view(name).segments:
            if msn in (None, segment.msn):
                found += re.findall(rb"<(\w+@-?\d+!?)>", await self.media(name, segment))
        return [frame.decode() for frame in found]

    def starts(self, name: str) -> dict[int, float]:
        return {segment.msn: segment.program_date_time for segment in self.view(name).segments}

    def assert_aligned(self) -> None:
        """Every rendition has the same segments, dates and discontinuities."""
        names = [*self.broadcast.rungs.names, "audio"]
        breaks = {name: tuple(self.discontinuities(name)) for name in names}
        assert len(set(breaks.values())) == 1, breaks
        common = set.intersection(*(set(self.starts(name)) for name in names))
        for msn in common:
            assert len({self.starts(name)[msn] for name in names}) == 1


class NoFiller:
    """Shows no slate by itself: tests show one when they want it."""

    def begin(self, screen: Screen, silent_s: float) -> None:
        pass

    def end(self) -> None:
        pass


class MakeScene:
    """Builds scenes whose encoder is the stand-in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Encoder.made = []
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(encoding_module, "Transcoder", Encoder)
        monkeypatch.setattr(bridge_module, "Transcoder", Encoder)
        monkeypatch.setattr(stand_in_module, "Transcoder", Encoder)

    def __call__(
        self,
        *,
        quality: str = "1080p",
        wanted: Collection[str] | None = None,
        checkpoint: Checkpoint | None = None,
        config: HlsConfig | None = None,
        renderer: SegmentRenderer | None = None,
    ) -> Scene:
        output = HlsOutput(config or HlsConfig(), checkpoint)
        rungs = Rungs("scene", output, WorkerPool(), quality=quality, wanted=wanted, renderer=renderer)
        receive = rungs.receive_video
        sent: list[int] = []

        def receive_named(packet: Packet) -> None:
            sent.append(packet.pts)
            name = f"<copy@{packet.pts}{'!' if packet.is_keyframe else ''}>"
            receive(replace(packet, data=name.encode()))

        receive_other = rungs.receive_companion

        def receive_companion_named(number: int, packet: Packet) -> None:
            name = f"<own{number}@{packet.pts}{'!' if packet.is_keyframe else ''}>"
            receive_other(number, replace(packet, data=name.encode()))

        self._monkeypatch.setattr(rungs, "receive_video", receive_named)
        self._monkeypatch.setattr(rungs, "receive_companion", receive_companion_named)
        kept: list[Checkpoint] = []
        broadcast = Broadcast(
            "scene",
            output,
            rungs,
            filler=NoFiller(),
            wall_clock=lambda: NOW,
            on_segment=lambda: kept.append(output.timeline.checkpoint()),
        )
        return Scene(broadcast, Encoder.made[-1], kept, sent)


def sized(width: int, height: int) -> VideoTrack:
    """Describe a source of another size."""
    return replace(VIDEO, width=width, height=height, frame_rate=Fraction(25))
