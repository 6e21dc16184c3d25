"""A broadcast for WebRTC that is made in the test: H.264 of two rungs, Opus, in real time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import av
from av.codec.context import Flags

from media.h264 import with_parameter_sets
from media.packet import CLOCK_HZ
from webrtc.gop import RecentGop
from webrtc.port import Rung, Sink, VideoFrame

FPS = 30
STEP = CLOCK_HZ // FPS
RUNGS = {"360p": (640, 360), "144p": (256, 144)}
OPUS_SILENCE = b"\xfc\xff\xfe"
"""Stereo, 20 ms."""


def encode(width: int, height: int, frames: int) -> list[VideoFrame]:
    """Encode a second and a half of grey that gets brighter; an IDR first, no other."""
    codec: Any = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.time_base, codec.framerate, codec.thread_count = Fraction(1, CLOCK_HZ), Fraction(FPS), 1
    codec.flags |= Flags.global_header
    codec.options = {
        "preset": "ultrafast",
        "profile": "baseline",
        "tune": "zerolatency",
        "x264-params": f"annexb=0:keyint={frames}:min-keyint={frames}:scenecut=0",
    }
    codec.open()
    found = []
    for index in range(frames):
        picture = av.VideoFrame(width, height, "yuv420p")
        for number, plane in enumerate(picture.planes):
            plane.update(bytes([128 if number else 32 + index]) * plane.buffer_size)
        picture.pts, picture.time_base = index * STEP, Fraction(1, CLOCK_HZ)
        found += codec.encode(picture)
    found += codec.encode(None)
    config = codec.extradata
    return [
        VideoFrame(
            packet.pts,
            bool(packet.is_keyframe),
            with_parameter_sets(config, bytes(packet)) if packet.is_keyframe else bytes(packet),
        )
        for packet in found
    ]


class Broadcast:
    """A `Source` that plays the same pictures again and again, as fast as they should."""

    def __init__(self, gop: int = 15) -> None:
        self.frames = {name: encode(*size, gop) for name, size in RUNGS.items()}
        self.gop = gop
        self.sink: Sink | None = None
        self.wanted: dict[str, int] = {}
        self.audio = False
        self.forced: list[str] = []
        self._held = {name: RecentGop() for name in RUNGS}
        self._playing = asyncio.create_task(self._play())

    def attach(self, sink: Sink) -> None:
        self.sink = sink
        sink.declare([Rung(name, *size, 300_000, True, False) for name, size in RUNGS.items()])

    def detach(self) -> None:
        self.sink = None
        self.wanted = {}

    def want(self, rungs: Mapping[str, int], *, audio: bool) -> None:
        added = rungs.keys() - self.wanted.keys()
        self.wanted, self.audio = dict(rungs), audio
        for name in added:
            for frame in self._held[name].frames:
                self._give(name, frame)

    def force_keyframe(self, rung: str, after_pts: int) -> None:
        self.forced.append(rung)

    async def end(self) -> None:
        self._playing.cancel()
        await asyncio.wait([self._playing])
        if self.sink is not None:
            self.sink.close()

    def _give(self, name: str, frame: VideoFrame) -> None:
        if self.sink is not None:
            self.sink.receive_video(name, frame)

    async def _play(self) -> None:
        began = time.monotonic()
        sound = 0
        index = 0
        while True:
            for name, frames in self.frames.items():
                frame = frames[index % self.gop]._replace(pts=index * STEP)
                self._held[name].receive(frame)
                if name in self.wanted:
                    self._give(name, frame)
            while sound <= index * STEP:
                if self.sink is not None and self.audio:
                    self.sink.receive_audio(sound, OPUS_SILENCE)
                sound += CLOCK_HZ // 50
            index += 1
            await asyncio.sleep(max(0.0, began + index / FPS - time.monotonic()))


class Broadcasts:
    """Where they are found."""

    def __init__(self) -> None:
        self.sources: dict[str, Broadcast] = {}

    def find_source(self, stream_id: str) -> Broadcast | None:
        return self.sources.get(stream_id)
