"""A broadcast of two rungs for the WebRTC benchmarks: frames with the sizes of real ones, and their numbers in them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping

from benchmarks.webrtc_crowd_viewer import STAMP_BYTES
from benchmarks.webrtc_stream import FPS, KEYFRAME_EVERY, KEYFRAME_RATIO, OPUS_BYTES, SPREAD
from media.nal import join_length_prefixed
from media.packet import CLOCK_HZ
from webrtc.gop import RecentGop
from webrtc.port import Rung, Sink, VideoFrame

AUDIO_STEP = CLOCK_HZ // 50
HIGH, LOW = "720p", "480p"
RUNGS = (
    Rung(HIGH, 1280, 720, 2_500_000, True, False),
    Rung(LOW, 854, 480, 1_200_000, True, True),
)
"""The best is copied from its publisher, so nobody can ask for its keyframes; the other one is made here."""
_PARAMETERS = (b"\x67" + bytes([1] * 24), b"\x68" + bytes([1] * 5))
_SOUND = bytes([0xFC]) * OPUS_BYTES


class Show:
    """A `Source` in real time.

    Args:
        lead_s: until the first frame.
    """

    def __init__(self, lead_s: float = 0.1) -> None:
        self.zero_at = time.monotonic() + lead_s
        """When frame 0 is due."""
        self.late_s: list[float] = []
        """How late this process was with each frame."""
        self._sink: Sink | None = None
        self._wanted: frozenset[str] = frozenset()
        self._audio = False
        self._held = {rung.name: RecentGop() for rung in RUNGS}
        self._forced: set[str] = set()
        self._chance = random.Random(8)  # noqa: S311 - sizes, no secrets
        self._playing = asyncio.create_task(self._play())

    def attach(self, sink: Sink) -> None:
        """See `Source`."""
        self._sink = sink
        sink.declare(RUNGS)

    def detach(self) -> None:
        """See `Source`."""
        self._sink, self._wanted = None, frozenset()

    def want(self, rungs: Mapping[str, int], *, audio: bool) -> None:
        """See `Source`."""
        added = rungs.keys() - self._wanted
        self._wanted, self._audio = frozenset(rungs), audio
        for name in added:
            for frame in self._held[name].frames:
                self._give(name, frame)

    def force_keyframe(self, rung: str, after_pts: int) -> None:  # noqa: ARG002 - it is the next one
        """See `Source`."""
        if rung == LOW:
            self._forced.add(rung)

    async def end(self) -> None:
        """End the broadcast."""
        self._playing.cancel()
        await asyncio.wait([self._playing])
        if self._sink is not None:
            self._sink.close()

    def _give(self, name: str, frame: VideoFrame) -> None:
        if self._sink is not None:
            self._sink.receive_video(name, frame)

    async def _play(self) -> None:
        number = sound = 0
        while True:
            due_at = self.zero_at + number / FPS
            await asyncio.sleep(max(0.0, due_at - time.monotonic()))
            self.late_s.append(time.monotonic() - due_at)
            pts = number * CLOCK_HZ // FPS
            for rung in RUNGS:
                is_keyframe = number % KEYFRAME_EVERY == 0 or rung.name in self._forced
                self._forced.discard(rung.name)
                frame = VideoFrame(pts, is_keyframe, self._picture(rung, number, is_keyframe=is_keyframe))
                self._held[rung.name].receive(frame)
                if rung.name in self._wanted:
                    self._give(rung.name, frame)
            while sound <= pts:
                if self._sink is not None and self._audio:
                    self._sink.receive_audio(sound, _SOUND)
                sound += AUDIO_STEP
            number += 1

    def _picture(self, rung: Rung, number: int, *, is_keyframe: bool) -> bytes:
        mean = rung.bitrate_bps / 8 / FPS * KEYFRAME_EVERY / (KEYFRAME_EVERY - 1 + KEYFRAME_RATIO)
        size = int(mean * (KEYFRAME_RATIO if is_keyframe else self._chance.uniform(1 - SPREAD, 1 + SPREAD)))
        kind = b"\x65" if is_keyframe else b"\x41"
        picture = kind + b"\x07" * (size - STAMP_BYTES) + f"{number:0{STAMP_BYTES}d}".encode()
        return join_length_prefixed([*(_PARAMETERS if is_keyframe else ()), picture])


class Shows:
    """Where it is found."""

    def __init__(self) -> None:
        self.sources: dict[str, Show] = {}

    def find_source(self, stream_id: str) -> Show | None:
        """See `Broadcasts`."""
        return self.sources.get(stream_id)
