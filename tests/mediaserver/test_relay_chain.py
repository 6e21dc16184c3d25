"""From a source's packets to what a browser's decoders show: real encoders, real workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from itertools import pairwise

import av
import pytest

from hls.config import HlsConfig
from hls.output import HlsOutput
from media.h264 import join_annexb, split_length_prefixed
from media.packet import Packet
from mediaserver.live.broadcast import Broadcast
from mediaserver.live.relay_sound import FRAME
from mediaserver.live.rungs import Rungs
from tests.transcode.source import STEP, audio, video
from transcode.supervisor import WorkerPool

from .relay_sink import Diary
from .scene import NOW, NoFiller

ORIGIN = 7_000_000


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool()
    await pool.start()
    yield pool
    await pool.close()


@pytest.fixture
async def broadcast(pool: WorkerPool) -> AsyncIterator[Broadcast]:
    output = HlsOutput(HlsConfig())
    rungs = Rungs("relay", output, pool, quality="1080p", wanted=None)
    broadcast = Broadcast(
        "relay", output, rungs, filler=NoFiller(), wall_clock=lambda: NOW, on_segment=lambda: None
    )
    yield broadcast
    await rungs.close()


def source(frames: int, *, b_frames: int = 0) -> list[Packet]:
    """Encode pictures and a tone, on a clock that began long ago."""
    packets = [*video(frames, gop=50, b_frames=b_frames), *audio(frames / 25)]
    packets.sort(key=lambda packet: packet.dts)
    return [replace(item, pts=item.pts + ORIGIN, dts=item.dts + ORIGIN) for item in packets]


async def feed(broadcast: Broadcast, packets: Iterable[Packet]) -> None:
    """Feed at some ten times real time."""
    for index, packet in enumerate(packets):
        broadcast.receive(packet)
        if index % 10 == 9:
            await asyncio.sleep(0.02)


async def has_come(diary: Diary, name: str, pts: int) -> None:
    for _ in range(1000):
        if diary.pts(name)[-1:] >= [pts]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{name} has not come to {pts}: {diary.pts(name)[-1:]}")


def shown(diary: Diary, name: str) -> list[int]:
    """PTS of the pictures of a rung as a decoder shows them that knows nothing else."""
    codec = av.CodecContext.create("h264", "r")
    assert isinstance(codec, av.VideoCodecContext)
    codec.options = {"err_detect": "explode"}
    found = []
    for rung, frame in diary.frames:
        if rung == name:
            packet = av.Packet(join_annexb(split_length_prefixed(frame.data)))
            packet.pts = packet.dts = frame.pts
            pictures = codec.decode(packet)
            assert [picture.pts for picture in pictures] == [frame.pts], "without any delay"
            assert not pictures[0].is_corrupt
            found.append(frame.pts)
    return found


async def test_what_comes_is_decoded_without_a_hole(broadcast: Broadcast) -> None:
    diary = Diary()
    packets = source(150)
    broadcast.begin_source()
    await feed(broadcast, packets[:100])
    broadcast.rungs.relay.attach(diary)
    assert diary.names == ["240p", "144p"]
    broadcast.rungs.relay.want({"240p": 1, "144p": 2}, audio=True)
    await feed(broadcast, packets[100:])
    await has_come(diary, "144p", 149 * STEP)
    for name in diary.names:
        pts = shown(diary, name)
        assert pts == list(range(pts[0], 150 * STEP, STEP))
        assert pts[0] % (50 * STEP) == 0
    assert all(0 < rung.bitrate_bps < 100_000 for rung in diary.told[-1]), "measured by now"
    await broadcast.finish()
    assert diary.is_closed
    sounds = [pts for pts, _ in diary.sounds]
    assert {later - earlier for earlier, later in pairwise(sounds)} == {FRAME}
    assert sounds[0] < 60 * STEP
    assert abs(sounds[-1] - 149 * STEP) < 4 * FRAME, "sound and pictures are on one timeline"


async def test_a_keyframe_on_demand_leaves_hls_as_it_is(broadcast: Broadcast) -> None:
    diary = Diary()
    packets = source(150)
    broadcast.begin_source()
    await feed(broadcast, packets[:20])
    relay = broadcast.rungs.relay
    relay.attach(diary)
    relay.want({"144p": 1}, audio=False)
    for begin in range(20, len(packets), 40):
        # The encoders are where the source is: what is asked for twice before they get there is one keyframe.
        await has_come(diary, "144p", (begin - 1) * STEP)
        relay.force_keyframe("144p", diary.pts("144p")[-1])
        await feed(broadcast, packets[begin : begin + 40])
    await broadcast.finish()
    keyframes = [pts // STEP for pts in diary.keyframes("144p")]
    assert set(keyframes) >= {0, 50, 100}
    assert len(keyframes) > 5
    assert shown(diary, "144p") == [n * STEP for n in range(150)]
    view = broadcast.output.view("144p")
    assert view is not None
    assert [segment.msn for segment in view.segments] == [0, 1, 2]
    assert not any(part.is_gap for segment in view.segments for part in segment.parts)


async def test_a_source_with_b_frames_comes_as_its_best_encoded_rung(broadcast: Broadcast) -> None:
    broadcast.rungs.relay.stand_in._admit = lambda *_: False
    diary = Diary()
    packets = source(100, b_frames=2)
    broadcast.begin_source()
    await feed(broadcast, packets[:20])
    broadcast.rungs.relay.attach(diary)
    broadcast.rungs.relay.want({"144p": 1, "240p": 1}, audio=False)
    await feed(broadcast, packets[20:])
    await broadcast.finish()
    assert diary.names == ["144p"]
    assert shown(diary, "144p") == [n * STEP for n in range(100)]
    assert diary.pts("240p") == []


async def test_where_there_is_room_a_source_with_b_frames_is_encoded_at_its_size(
    broadcast: Broadcast,
) -> None:
    diary = Diary()
    packets = source(150, b_frames=2)
    broadcast.begin_source()
    await feed(broadcast, packets[:80])
    broadcast.rungs.relay.attach(diary)
    assert [(rung.name, rung.width, rung.can_force) for rung in diary.told[-1]] == [
        ("240p", 320, True),
        ("144p", 256, True),
    ]
    broadcast.rungs.relay.want({"240p": 1}, audio=False)
    await feed(broadcast, packets[80:])
    await has_come(diary, "240p", 145 * STEP)
    await broadcast.finish()
    pts = shown(diary, "240p")
    assert pts == list(range(pts[0], pts[-1] + STEP, STEP))
    assert pts[0] <= 45 * STEP, "it begins with the next picture, not with the next segment"
    assert set(diary.keyframes("240p")) >= {pts[0], 50 * STEP, 100 * STEP}
    view = broadcast.output.view("240p")
    assert view is not None
    assert not any(part.is_gap for segment in view.segments for part in segment.parts)
