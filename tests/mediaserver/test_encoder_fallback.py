"""Hardware that breaks down in the middle of a segment, as players of the HLS output see it."""

from __future__ import annotations

import asyncio
import io
import time
from dataclasses import dataclass
from itertools import pairwise

import av
import pytest

from hls.config import HlsConfig
from hls.output import HlsOutput
from media.packet import Packet
from mediaserver.live.broadcast import Broadcast
from mediaserver.live.rungs import Rungs
from tests.transcode.faulty_hardware import FAILS_AFTER
from tests.transcode.source import video
from transcode import process
from transcode.supervisor import WorkerPool

from .scene import NoFiller

FRAMES = 125
"""5 s: two whole segments of 2 s and a begun one. The hardware fails in the first one."""


@dataclass
class Published:
    """A rung as it was published."""

    inits: dict[int, bytes]
    segments: list[tuple[int, bytes]]
    """With their generations."""


async def publish(monkeypatch: pytest.MonkeyPatch, packets: list[Packet]) -> Published:
    """Broadcast with hardware that breaks down, and read what is there at the end."""
    monkeypatch.setattr(process, "WORKER_MODULE", "tests.transcode.faulty_hardware")
    pool = WorkerPool(warm=0)
    pool.encoders = ("breaks_down",)
    output = HlsOutput(HlsConfig(), None)
    rungs = Rungs("it", output, pool, quality="360p", wanted=["240p"])
    broadcast = Broadcast(
        "it", output, rungs, filler=NoFiller(), wall_clock=time.time, on_segment=lambda: None
    )
    try:
        broadcast.begin_source()
        for packet in packets:
            broadcast.receive(packet)
        await asyncio.wait_for(broadcast.finish(), 15)
        assert rungs.stats.encoders_failed == ("breaks_down: the device was removed",)
    finally:
        await pool.close()
    return await read(output)


async def read(output: HlsOutput) -> Published:
    view = output.view("240p")
    assert view is not None
    found = Published({}, [])
    for segment in view.segments:
        assert not any(part.is_gap for part in segment.parts)
        parts = [
            await output.get("240p", segment.generation, segment.msn, index)
            for index in range(len(segment.parts))
        ]
        found.segments.append((segment.generation, b"".join(part or b"" for part in parts)))
        found.inits[segment.generation] = output.init("240p", segment.generation) or b""
    return found


def count(data: bytes) -> tuple[int, list[int]]:
    """Decode a file; returns how many pictures it shows, and their distances in time."""
    with av.open(io.BytesIO(data), "r") as container:
        times = [frame.pts or 0 for frame in container.decode(video=0)]
    return len(times), sorted({b - a for a, b in pairwise(times)})


async def test_players_lose_no_frame_and_get_another_init_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await publish(monkeypatch, video(FRAMES, 640, 360, gop=50))
    generations = [generation for generation, _ in found.segments]
    assert FAILS_AFTER < 50
    assert generations[0] < generations[1] == generations[2], "the next segment has another EXT-X-MAP"
    # As FFmpeg and what is built on it, which read the first EXT-X-MAP of a playlist alone.
    everything = found.inits[generations[0]] + b"".join(data for _, data in found.segments)
    assert count(everything) == (FRAMES, [3600])
    # As players that take each segment with its own: both sides of the change stand for themselves.
    for (generation, data), frames in zip(found.segments, (50, 50, 25), strict=True):
        assert count(found.inits[generation] + data)[0] == frames
