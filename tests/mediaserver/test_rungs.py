"""Rungs with real workers: what players decode when a source changes hands."""

from __future__ import annotations

import asyncio
import io
import itertools
import os
import signal
from collections.abc import AsyncIterator, Iterable

import av
import pytest

from hls.config import HlsConfig
from hls.output import HlsOutput
from media.packet import CLOCK_HZ, Packet
from mediaserver.live.broadcast import Broadcast
from mediaserver.live.rungs import Rungs
from tests.transcode.source import STEP, video
from transcode.supervisor import WorkerPool

from .scene import NOW, SURROUND, NoFiller


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool()
    await pool.start()
    yield pool
    await pool.close()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `drain` wait for encoders on a machine that does other work as well."""
    monkeypatch.setattr("mediaserver.live.encoding.DRAIN_S", 10.0)


def make_broadcast(pool: WorkerPool) -> Broadcast:
    output = HlsOutput(HlsConfig())
    rungs = Rungs("rungs", output, pool, quality="1080p", wanted=None)
    return Broadcast(
        "rungs", output, rungs, filler=NoFiller(), wall_clock=lambda: NOW, on_segment=lambda: None
    )


async def feed(broadcast: Broadcast, packets: Iterable[Packet]) -> None:
    """Feed at twenty times real time: a worker keeps up, and is always some frames behind."""
    for index, packet in enumerate(packets):
        broadcast.receive(packet)
        if index % 10 == 9:
            await asyncio.sleep(0.02)


async def decoded(output: HlsOutput, name: str) -> list[int]:
    """PTS of all frames of a rung as a player decodes them, run by run."""
    view = output.view(name)
    assert view is not None
    found = []
    for generation, segments in itertools.groupby(view.segments, key=lambda segment: segment.generation):
        data = output.init(name, generation) or b""
        for segment in segments:
            data += await output.get(name, generation, segment.msn, None) or b""
        with av.open(io.BytesIO(data), "r", format="mp4") as container:
            for frame in container.decode(video=0):
                assert frame.pts is not None
                assert not frame.is_corrupt
                found.append(round(frame.pts * frame.time_base * CLOCK_HZ) if frame.time_base else 0)
    return found


async def worker_of(broadcast: Broadcast, *, unlike: int = 0) -> int:
    for _ in range(500):
        pid = broadcast.rungs._encoding._transcoder.worker_pid
        if pid not in (None, unlike):
            return pid
        await asyncio.sleep(0.01)
    raise AssertionError("no worker came")


def gaps(output: HlsOutput, name: str) -> float:
    view = output.view(name)
    assert view is not None
    return sum(part.duration_s for segment in view.segments for part in segment.parts if part.is_gap)


def breaks(output: HlsOutput, name: str) -> list[int]:
    view = output.view(name)
    assert view is not None
    return [segment.msn for segment in view.segments if segment.is_discontinuity]


async def test_takeover_within_a_millisecond(pool: WorkerPool) -> None:
    broadcast = make_broadcast(pool)
    packets = video(60, gop=50)
    for _ in range(3):
        broadcast.begin_source(SURROUND)  # it comes with audio that never arrives
        await feed(broadcast, packets)
    await broadcast.finish()
    for name in ("240p", "144p"):
        assert await decoded(broadcast.output, name) == [n * STEP for n in range(180)], name
        assert gaps(broadcast.output, name) == 0
    assert breaks(broadcast.output, "240p") == breaks(broadcast.output, "144p") == [2, 4]
    assert breaks(broadcast.output, "audio") == [2, 4]


@pytest.mark.parametrize("b_frames", [0, 2])
async def test_rare_keyframes_and_back(pool: WorkerPool, b_frames: int) -> None:
    broadcast = make_broadcast(pool)
    rare, usual = video(150, gop=250, b_frames=b_frames), video(60, gop=50, b_frames=b_frames)
    for _ in range(2):
        broadcast.begin_source()
        await feed(broadcast, rare)
        assert not broadcast.rungs.is_copying
        broadcast.begin_source()
        await feed(broadcast, usual[:10])
        await (
            broadcast.rungs.drain()
        )  # the copied run waits for its rung, but no longer than a second of media
        await feed(broadcast, usual[10:])
        assert broadcast.rungs.is_copying
    await broadcast.finish()
    for name in ("240p", "144p"):
        times = await decoded(broadcast.output, name)
        # Players of whole files shift a run with negative composition offsets, so runs seem to overlap then.
        assert b_frames or times == sorted(set(times)), name
        assert len(times) >= 420 - 4 * 2 * b_frames, name
        assert gaps(broadcast.output, name) <= 0.04 * b_frames * 4
    assert breaks(broadcast.output, "240p") == breaks(broadcast.output, "144p")
    assert len(breaks(broadcast.output, "240p")) == 5


async def test_worker_killed_around_a_takeover(pool: WorkerPool) -> None:
    broadcast = make_broadcast(pool)
    packets = video(60, gop=50)
    broadcast.begin_source(SURROUND)
    await feed(broadcast, packets)
    pid = await worker_of(broadcast)
    os.kill(pid, signal.SIGKILL)
    broadcast.begin_source(SURROUND)
    await feed(broadcast, packets)
    await worker_of(broadcast, unlike=pid)
    await broadcast.finish()
    assert await decoded(broadcast.output, "240p") == [n * STEP for n in range(120)]
    assert len(await decoded(broadcast.output, "144p")) >= 120 - 8
    assert breaks(broadcast.output, "240p") == breaks(broadcast.output, "144p") == [2]


async def test_source_of_another_size(pool: WorkerPool) -> None:
    broadcast = make_broadcast(pool)
    for width, height in ((320, 180), (640, 360), (192, 108), (180, 320)):
        broadcast.begin_source(SURROUND)
        packets = video(30, width, height)
        await feed(broadcast, packets[:10])
        await broadcast.rungs.drain()
        await feed(broadcast, packets[10:])
    await broadcast.finish()
    for name in ("240p", "144p"):
        assert len(await decoded(broadcast.output, name)) == 120, name
        assert gaps(broadcast.output, name) == 0
