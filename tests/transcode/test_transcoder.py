"""The whole room with real worker processes, which are killed, stopped and starved on purpose."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import numpy as np
import pytest
import uvloop

from media.packet import CLOCK_HZ, Packet
from media.rendition import LADDER, Rendition, renditions_for
from media.timing import rescale
from transcode import process
from transcode.delivery import AUDIO_TRACKS
from transcode.message import ActivateAudio, EncodedAudio, Flush
from transcode.pipeline import Pipeline
from transcode.rung import RungSpec, rung_spec
from transcode.supervisor import Transcoder, WorkerPool

from .codec import video_of
from .source import STEP, Recorder, audio, decode, messages, sine, spec, video

SMALL = spec("144p", 256, 144)
LARGE = spec("240p", 426, 240)


@pytest.fixture
def sink() -> Recorder:
    return Recorder()


@pytest.fixture
async def transcoder(pool: WorkerPool, sink: Recorder) -> AsyncIterator[Transcoder]:
    transcoder = Transcoder(pool, sink)
    yield transcoder
    await transcoder.close()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def merged(*sources: list[Packet]) -> list[Packet]:
    return sorted((packet for source in sources for packet in source), key=lambda packet: packet.dts)


async def feed(transcoder: Transcoder, packets: list[Packet], speed: float = 8.0) -> None:
    """Send at a multiple of real time."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for packet in packets:
        wait = began + (packet.dts - packets[0].dts) / CLOCK_HZ / speed - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        transcoder.send(packet)


async def finish(transcoder: Transcoder, sink: Recorder) -> None:
    flushes = sink.flushes
    transcoder.flush()
    await sink.until(lambda: sink.flushes > flushes)


def kill(transcoder: Transcoder, number: signal.Signals = signal.SIGKILL) -> None:
    assert transcoder.worker_pid is not None
    os.kill(transcoder.worker_pid, number)


def assert_complete(sink: Recorder, frames: int, rungs: set[str]) -> None:
    assert sink.pts == [index * STEP for index in range(frames)]
    assert all(set(found) == rungs for _, found in sink.video)


def assert_decodes(sink: Recorder, rung: str, frames: int) -> None:
    (track,) = sink.opened[rung]
    data = [found[rung].data for _, found in sink.video if rung in found]
    assert len(decode(track.config, data)) == frames


@pytest.mark.parametrize("b_frames", [0, 2])
async def test_rungs_and_audio_come_out_complete(
    transcoder: Transcoder, sink: Recorder, b_frames: int
) -> None:
    transcoder.activate(SMALL, 0)
    transcoder.activate(LARGE, 0)
    transcoder.activate_audio("aac")
    transcoder.activate_audio("opus")
    transcoder.force_keyframe(25 * STEP)
    await feed(transcoder, merged(video(50, b_frames=b_frames), audio(2.0)))
    await finish(transcoder, sink)
    assert_complete(sink, 50, {"144p", "240p"})
    assert_decodes(sink, "144p", 50)
    assert sink.keyframes("144p") == sink.keyframes("240p") == [0, 25 * STEP]
    assert all(packet.dts == packet.pts for _, found in sink.video for packet in found.values())
    assert sink.opened["240p"][0].width == 426
    assert {len(sink.audio[output]) > 80 for output in ("aac", "opus")} == {True}
    assert sink.gaps == []
    assert transcoder.stats.restarts == 0


async def test_costs_of_each_rung_are_measured(transcoder: Transcoder, sink: Recorder) -> None:
    transcoder.activate(SMALL, 0)
    transcoder.activate(spec("720p", 1280, 720, "superfast"), 0)
    await feed(transcoder, video(75), speed=4)
    await sink.until(lambda: len(sink.video) == 75)
    await until(lambda: len(transcoder.stats.costs) == 2)
    costs, base = transcoder.stats.costs, transcoder.stats.base_cost
    assert base is not None
    assert 0 < base < 10
    assert 0 < costs["144p"] < costs["720p"] < 10, "thirty times the pixels and a dearer preset"
    transcoder.deactivate("720p")
    await feed(transcoder, video(50, start=75 * STEP), speed=4)
    await until(lambda: set(transcoder.stats.costs) == {"144p"})


async def test_all_rungs_of_a_large_source(transcoder: Transcoder, sink: Recorder) -> None:
    specs = [rung_spec(rung, None, "ultrafast") for rung in renditions_for(3840, 2160)]
    for item in specs:
        transcoder.activate(item, 0)
    for packet in video(3, 3840, 2160):
        transcoder.send(packet)
    await finish(transcoder, sink)
    assert_complete(sink, 3, set(LADDER))
    assert [(sink.opened[item.name][0].width, sink.opened[item.name][0].height) for item in specs] == [
        (item.width, item.height) for item in specs
    ]


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("at", [3, 24, 61])
async def test_a_killed_worker_costs_nothing(
    transcoder: Transcoder, sink: Recorder, at: int, b_frames: int
) -> None:
    packets = merged(video(100, b_frames=b_frames, gop=50), audio(4.0))
    transcoder.activate(SMALL, 0)
    transcoder.activate(LARGE, 0)
    transcoder.activate_audio("aac")
    transcoder.force_keyframe(50 * STEP)
    transcoder.force_keyframe(75 * STEP)
    feeding = asyncio.create_task(feed(transcoder, packets))
    await sink.until(lambda: len(sink.video) >= at)
    kill(transcoder)
    await feeding
    await finish(transcoder, sink)
    assert_complete(sink, 100, {"144p", "240p"})
    assert_decodes(sink, "144p", 100)
    assert {0, 50 * STEP, 75 * STEP} <= set(sink.keyframes("144p"))
    assert len(sink.keyframes("144p")) <= 4
    sound = [rescale(packet.pts, 48_000, CLOCK_HZ) for packet in sink.audio["aac"]]
    assert {b - a for a, b in pairwise(sound)} == {1024}
    assert sink.gaps == []
    assert transcoder.stats.restarts == 1


@pytest.mark.parametrize("kind", ["hevc open GOP", "av1"])
@pytest.mark.parametrize("at", [11, 13, 24, 37])
async def test_a_killed_worker_costs_nothing_whatever_the_codec(
    transcoder: Transcoder, sink: Recorder, kind: str, at: int
) -> None:
    packets = video_of(kind, 75)
    first = packets[0].pts
    transcoder.activate(SMALL, first)
    feeding = asyncio.create_task(feed(transcoder, packets))
    await sink.until(lambda: len(sink.video) >= at)
    kill(transcoder)
    await feeding
    await finish(transcoder, sink)
    assert sink.pts == [first + index * STEP for index in range(75)]
    assert_decodes(sink, "144p", 75)
    assert sink.gaps == []
    assert transcoder.stats.restarts == 1


async def test_frames_go_on_after_a_kill_while_the_source_does(
    transcoder: Transcoder, sink: Recorder
) -> None:
    transcoder.activate(SMALL, 0)
    feeding = asyncio.create_task(feed(transcoder, video(100, gop=50), speed=1.5))
    await sink.until(lambda: len(sink.video) >= 40)
    await asyncio.sleep(0.8)  # the pool's next spare is warm by now
    kill(transcoder)
    known = len(sink.video)
    await sink.until(lambda: len(sink.video) > known + 2)
    await feeding
    await finish(transcoder, sink)
    assert_complete(sink, 100, {"144p"})


async def test_a_hung_worker_is_replaced(
    transcoder: Transcoder, sink: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "TICK_S", 0.2)
    transcoder.activate(SMALL, 0)
    packets = video(75)
    await feed(transcoder, packets[:40])
    await sink.until(lambda: len(sink.video) >= 20)
    kill(transcoder, signal.SIGSTOP)
    await feed(transcoder, packets[40:])
    await finish(transcoder, sink)
    assert_complete(sink, 75, {"144p"})
    assert transcoder.stats.restarts == 1


async def test_an_idle_worker_answers_its_heartbeat(
    transcoder: Transcoder, sink: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "TICK_S", 0.1)
    transcoder.activate(SMALL, 0)
    await feed(transcoder, video(5))
    await sink.until(lambda: len(sink.video) >= 4)
    pid = transcoder.worker_pid
    await asyncio.sleep(1.2)
    assert transcoder.worker_pid == pid


async def test_a_gop_that_kills_twice_is_skipped(transcoder: Transcoder, sink: Recorder) -> None:
    """The worker dies whenever the second GOP has begun, as if a frame of it crashed the decoder."""
    transcoder.activate(SMALL, 0)
    packets = video(75, gop=25)
    for packet in packets[:26]:
        transcoder.send(packet)
    await kill_and_wait(transcoder, sink, 25)
    await kill_and_wait(transcoder, sink, 25)
    for packet in packets[26:]:
        transcoder.send(packet)
    await finish(transcoder, sink)
    missing = set(range(25, 50)) - {pts // STEP for pts in sink.pts}
    assert missing == set(range(26 if 25 * STEP in sink.pts else 25, 50))
    assert sink.pts[-25:] == [index * STEP for index in range(50, 75)]
    assert sink.keyframes("144p")[-1] == 50 * STEP
    assert sink.gaps[-1] == (("144p",), 50 * STEP)
    assert transcoder.stats.skipped_gops == 1
    assert sink.failures == []


async def test_three_unexplained_crashes_end_encoding(transcoder: Transcoder, sink: Recorder) -> None:
    transcoder.activate(SMALL, 0)
    packets = video(100, gop=10)
    for count in range(3):
        for packet in packets[count * 20 : count * 20 + 20]:
            transcoder.send(packet)
        await kill_and_wait(transcoder, sink, count * 20 + 18)
    (reason,) = sink.failures
    assert "worker" in reason
    transcoder.send(packets[60])
    transcoder.flush()
    await sink.until(lambda: sink.flushes == 1)


async def test_a_stalled_worker_drops_to_a_keyframe_and_says_so(
    pool: WorkerPool, sink: Recorder, stack: AsyncExitStack
) -> None:
    now = 0.0
    transcoder = Transcoder(pool, sink, clock=lambda: now)
    stack.push_async_callback(transcoder.close)
    transcoder.activate(SMALL, 0)
    packets = video(400, gop=50)
    for packet in packets[:20]:
        transcoder.send(packet)
    await sink.until(lambda: len(sink.video) >= 15)
    kill(transcoder, signal.SIGSTOP)
    for packet in packets[20:390]:
        now = packet.dts / CLOCK_HZ
        transcoder.send(packet)
    kill(transcoder, signal.SIGCONT)
    for packet in packets[390:]:
        transcoder.send(packet)
    await finish(transcoder, sink)
    assert sink.pts == sorted(set(sink.pts))
    assert sink.pts[-1] == 399 * STEP
    holes = [b for a, b in pairwise(sink.pts) if b - a != STEP]
    assert holes
    assert all(end % (50 * STEP) == 0 and end in sink.keyframes("144p") for end in holes)
    assert sink.gaps[-1] == (("144p",), holes[-1])
    assert transcoder.stats.dropped_packets > 100
    assert transcoder.stats.restarts == 0


async def test_what_a_bad_network_held_back_is_caught_up_with(transcoder: Transcoder, sink: Recorder) -> None:
    """Ten seconds of media come at once: encoders that are fast enough lose none of it."""
    transcoder.activate(SMALL, 0)
    for packet in video(250, gop=50):
        transcoder.send(packet)
    await finish(transcoder, sink)
    assert sink.pts == [index * STEP for index in range(250)]
    assert sink.gaps == []
    assert transcoder.stats.dropped_packets == 0


async def test_a_rung_begins_inside_a_gop_that_nobody_needed_before(
    transcoder: Transcoder, sink: Recorder
) -> None:
    packets = video(60, gop=25)
    for packet in packets[:40]:
        transcoder.send(packet)
    assert transcoder.worker_pid is None
    transcoder.activate(SMALL, 30 * STEP)
    for packet in packets[40:]:
        transcoder.send(packet)
    await finish(transcoder, sink)
    assert sink.pts == [index * STEP for index in range(30, 60)]
    assert sink.keyframes("144p") == [30 * STEP]


async def test_audio_alone_needs_no_video_and_a_rung_can_join_it(
    transcoder: Transcoder, sink: Recorder
) -> None:
    packets = merged(video(100, gop=25), audio(4.0))
    transcoder.activate_audio("opus")
    await feed(transcoder, packets[: len(packets) // 2])
    await sink.until(lambda: len(sink.audio.get("opus", ())) > 40)
    assert sink.video == []
    transcoder.activate(SMALL, 75 * STEP)
    await feed(transcoder, packets[len(packets) // 2 :])
    await finish(transcoder, sink)
    assert sink.pts == [index * STEP for index in range(75, 100)]
    sound = [rescale(packet.pts, 48_000, CLOCK_HZ) for packet in sink.audio["opus"]]
    assert {b - a for a, b in pairwise(sound)} == {960}


async def test_nothing_wanted_means_no_worker(transcoder: Transcoder, sink: Recorder) -> None:
    transcoder.activate(SMALL, 0)
    await feed(transcoder, video(10))
    await sink.until(lambda: len(sink.video) >= 8)
    transcoder.deactivate("144p")
    transcoder.deactivate("480p")
    transcoder.deactivate_audio("aac")
    assert transcoder.worker_pid is None
    known = len(sink.video)
    transcoder.flush()
    await sink.until(lambda: sink.flushes == 1)
    assert len(sink.video) == known


async def test_lag_is_not_counted_over_a_time_in_which_nothing_was_wanted(
    transcoder: Transcoder, sink: Recorder
) -> None:
    packets = video(300, gop=25)
    transcoder.activate(SMALL, 0)
    for packet in packets[:10]:
        transcoder.send(packet)
    await sink.until(lambda: len(sink.video) >= 8)
    transcoder.deactivate("144p")
    for packet in packets[10:290]:
        transcoder.send(packet)
    assert transcoder.stats.lag_s == 0
    transcoder.activate(SMALL, packets[290].pts)
    for packet in packets[290:]:
        transcoder.send(packet)
    assert 0 < transcoder.stats.lag_s < 1


async def test_a_run_that_ends_before_its_worker_is_there(transcoder: Transcoder, sink: Recorder) -> None:
    transcoder.activate(SMALL, 0)
    for packet in video(10):
        transcoder.send(packet)
    transcoder.flush()
    transcoder.force_keyframe(20 * STEP)
    for packet in video(10, start=20 * STEP):
        transcoder.send(packet)
    assert transcoder.worker_pid is None, "too fast for this test"
    transcoder.flush()
    await sink.until(lambda: sink.flushes == 2)
    assert sink.pts == [index * STEP for index in (*range(10), *range(20, 30))]


async def test_every_run_that_is_given_up_is_reported(transcoder: Transcoder, sink: Recorder) -> None:
    transcoder.activate(SMALL, 0)
    for start in (0, 20 * STEP):
        for packet in video(10, start=start):
            transcoder.send(packet)
        transcoder.flush()
    transcoder.deactivate("144p")
    await sink.until(lambda: sink.flushes == 2)


async def test_the_source_comes_back_as_another_one(transcoder: Transcoder, sink: Recorder) -> None:
    transcoder.activate(SMALL, 0)
    await feed(transcoder, video(20))
    await finish(transcoder, sink)
    await feed(transcoder, video(20, 180, 320, start=40 * STEP, b_frames=2))
    await finish(transcoder, sink)
    assert sink.pts == [index * STEP for index in (*range(20), *range(40, 60))]
    assert sink.keyframes("144p") == [0, 40 * STEP]
    assert_decodes(sink, "144p", 40)
    assert sink.flushes == 2


async def test_a_rung_can_stop_and_start_again(transcoder: Transcoder, sink: Recorder) -> None:
    packets = video(60)
    transcoder.activate(LARGE, 0)
    transcoder.activate(SMALL, 0)
    await feed(transcoder, packets[:20])
    await sink.until(lambda: len(sink.video) > 10)
    transcoder.deactivate("144p")
    await feed(transcoder, packets[20:40])
    transcoder.activate(SMALL, 45 * STEP)
    await feed(transcoder, packets[40:])
    await finish(transcoder, sink)
    assert [pts for pts, found in sink.video if "240p" in found] == [index * STEP for index in range(60)]
    assert sink.keyframes("144p")[-1] == 45 * STEP
    assert [pts for pts, found in sink.video if "144p" in found][-15:] == sink.pts[-15:]
    assert len(sink.opened["144p"]) == 2
    assert sink.opened["144p"][0] == sink.opened["144p"][1]


async def test_a_rung_begins_before_what_another_one_has_delivered(
    transcoder: Transcoder, sink: Recorder
) -> None:
    packets = video(60)
    transcoder.activate(LARGE, 0)
    await feed(transcoder, packets[:40])
    await sink.until(lambda: sink.pts[-1:] >= [30 * STEP])
    transcoder.deactivate("240p")
    assert transcoder.stats.has_begun is False
    transcoder.prime(packets[25:40], 25 * STEP)
    transcoder.activate(SMALL, 25 * STEP)
    await feed(transcoder, packets[40:])
    await finish(transcoder, sink)
    assert [pts for pts, found in sink.video if "144p" in found] == [index * STEP for index in range(25, 60)]
    assert sink.keyframes("144p")[0] == 25 * STEP
    assert transcoder.stats.has_begun


@pytest.mark.parametrize("kill_at", [None, 12, 24, 25, 40])
async def test_a_rung_becomes_another_one_and_a_killed_worker_does_not_matter(
    transcoder: Transcoder, sink: Recorder, kill_at: int | None
) -> None:
    other = rung_spec(Rendition("144p", 144, 256), Fraction(30), "superfast")
    transcoder.activate(SMALL, 0)
    transcoder.activate(LARGE, 0)
    packets = video(60, gop=50, b_frames=2)
    for packet in packets[:10]:
        transcoder.send(packet)
    transcoder.activate(other, 25 * STEP)
    feeding = asyncio.create_task(feed(transcoder, packets[10:]))
    if kill_at is not None:
        await sink.until(lambda: len(sink.video) >= kill_at)
        kill(transcoder)
    await feeding
    await finish(transcoder, sink)
    assert_complete(sink, 60, {"144p", "240p"})
    old, new = sink.opened["144p"]
    assert sink.starts["144p"] == [0, 25 * STEP]
    assert (old.width, old.height, old.frame_rate) == (SMALL.width, SMALL.height, SMALL.frame_rate)
    assert (new.width, new.height, new.frame_rate) == (144, 256, Fraction(30))
    column = [found["144p"] for _, found in sink.video]
    assert [packet.track for packet in column] == [old] * 25 + [new] * 35
    assert sink.events["144p"][:27] == [old, *range(0, 25 * STEP, STEP), new], "told before the first frame"
    assert {0, 25 * STEP} <= set(sink.keyframes("144p"))
    for track, part in ((old, column[:25]), (new, column[25:])):
        assert len(decode(track.config, [packet.data for packet in part])) == len(part)
    assert len(sink.opened["240p"]) == 1


@pytest.mark.parametrize("kill_at", [None, 24, 40])
async def test_another_preset_is_the_same_stream(
    transcoder: Transcoder, sink: Recorder, kill_at: int | None
) -> None:
    presets = ("superfast", "ultrafast", "superfast")
    transcoder.activate(spec("240p", 426, 240, presets[0]), 0)
    transcoder.activate(SMALL, 0)
    packets = video(75, gop=25)
    for packet in packets[:5]:
        transcoder.send(packet)
    for index, preset in enumerate(presets[1:], start=1):
        transcoder.activate(spec("240p", 426, 240, preset), index * 25 * STEP)
    feeding = asyncio.create_task(feed(transcoder, packets[5:]))
    if kill_at is not None:
        await sink.until(lambda: len(sink.video) >= kill_at)
        kill(transcoder)
    await feeding
    await finish(transcoder, sink)
    assert_complete(sink, 75, {"144p", "240p"})
    assert_decodes(sink, "240p", 75)  # from its first picture on, with the one avcC that was ever told
    assert {0, 25 * STEP, 50 * STEP} <= set(sink.keyframes("240p"))
    assert sink.gaps == []


async def test_each_of_several_changes_is_told_with_where_it_begins(
    transcoder: Transcoder, sink: Recorder
) -> None:
    transcoder.activate(SMALL, 0)
    packets = video(60)
    for packet in packets:
        if packet.pts in (20 * STEP, 40 * STEP):
            size = (144, 256) if packet.pts == 20 * STEP else (160, 144)
            transcoder.activate(rung_spec(Rendition("144p", *size), Fraction(25), "superfast"), packet.pts)
        transcoder.send(packet)
    assert sink.opened == {}, "too fast for this test"
    await finish(transcoder, sink)
    assert [track.width for track in sink.opened["144p"]] == [SMALL.width, 144, 160]
    assert sink.starts["144p"] == [0, 20 * STEP, 40 * STEP]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - nothing reports what is waited for here
            await asyncio.sleep(0.01)


async def kill_and_wait(transcoder: Transcoder, sink: Recorder, frames: int) -> None:
    """Kill the worker when so many frames have come, and wait until that has been noticed."""
    await sink.until(lambda: len(sink.video) >= frames)
    await until(lambda: transcoder.worker_pid is not None)
    noticed = transcoder.stats.restarts + len(sink.failures)
    kill(transcoder)
    await until(lambda: transcoder.stats.restarts + len(sink.failures) > noticed)


def test_it_works_under_the_servers_event_loop() -> None:
    async def killed_once() -> tuple[list[int], int]:
        pool, sink = WorkerPool(), Recorder()
        await pool.start()
        transcoder = Transcoder(pool, sink)
        transcoder.activate(SMALL, 0)
        feeding = asyncio.create_task(feed(transcoder, video(50)))
        await kill_and_wait(transcoder, sink, 10)
        await feeding
        await finish(transcoder, sink)
        await transcoder.close()
        await pool.close()
        return sink.pts, transcoder.stats.restarts

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(killed_once()) == ([index * STEP for index in range(50)], 1)


@pytest.mark.parametrize(
    ("rate", "rungs"),
    [(48_000, []), (44_100, []), (44_100, [SMALL])],
    ids=["48 kHz", "44.1 kHz", "with a rung"],
)
async def test_sound_goes_on_in_the_same_sample_behind_a_killed_worker(
    transcoder: Transcoder, sink: Recorder, rate: int, rungs: list[RungSpec]
) -> None:
    """Whether or not the video beside it is encoded; its keyframes come every second."""
    source = sine(997, 4.0, rate=rate)
    packets = merged(source, video(100))
    transcoder.activate_audio("aac")
    for rung in rungs:
        transcoder.activate(rung, 0)
    half = len(packets) // 2
    for packet in packets[:half]:
        transcoder.send(packet)
    await sink.until(lambda: len(sink.audio.get("aac", [])) > 60)
    kill(transcoder)
    for packet in packets[half:]:
        transcoder.send(packet)
    await finish(transcoder, sink)
    assert transcoder.stats.restarts == 1
    found = decode_sound([packet.data for packet in sink.audio["aac"]])
    pipeline = Pipeline()
    sent = [ActivateAudio("aac", 0), *messages(source), Flush(1)]
    results = [result() for message in sent for result in pipeline.handle(message)]
    expected = decode_sound([each.data for each in results if isinstance(each, EncodedAudio)])
    assert [packet.pts for packet in sink.audio["aac"]] == [
        each.pts for each in results if isinstance(each, EncodedAudio)
    ]
    # Half a sample of another place would differ by 0.03, a packet whose neighbour is missing by 0.5.
    assert np.abs(found - expected)[:, 4800:-4800].max() < 0.05


def decode_sound(packets: list[bytes]) -> Any:
    codec: Any = av.CodecContext.create("aac", "r")
    codec.extradata = AUDIO_TRACKS["aac"].config
    frames = [frame for data in packets for frame in codec.decode(av.Packet(data))]
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
