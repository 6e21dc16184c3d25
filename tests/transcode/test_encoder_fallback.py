"""Hardware that fails in real worker processes: found at the start, and in the middle of a broadcast."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator

import pytest

from media.h264 import NAL_PPS, NAL_SPS, nal_type, split_length_prefixed
from media.packet import Packet, VideoTrack
from transcode import encoder_search, process
from transcode.encoder_search import find_faults, find_hardware
from transcode.supervisor import Transcoder, WorkerPool
from transcode.video_encoder import VideoEncoder

from .faulty_hardware import FAILS_AFTER
from .source import STEP, Recorder, decode, spec, video

RUNG = spec("240p", 426, 240)


@pytest.fixture(autouse=True)
def faulty_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "WORKER_MODULE", "tests.transcode.faulty_hardware")


@pytest.fixture
def sink() -> Recorder:
    return Recorder()


@pytest.fixture
async def transcoder(pool: WorkerPool, sink: Recorder) -> AsyncIterator[Transcoder]:
    transcoder = Transcoder(pool, sink)
    yield transcoder
    await transcoder.close()


async def test_trials_survive_drivers_that_crash_and_hang(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("refuses", "crashes", "works", "libx264")
    faults = await find_faults(pool, names)
    assert list(faults) == list(names)
    with monkeypatch.context() as patch:
        patch.setattr(encoder_search, "MAX_TRIAL_TICKS", 1)
        hung = await find_faults(pool, ("hangs",))
    assert faults["refuses"] == "no such hardware"
    assert faults["crashes"].startswith("its driver fails: the worker process ended")
    assert hung["hangs"] == "its driver fails: the worker process does not respond"
    assert (faults["works"], faults["libx264"]) == ("", "")


async def test_what_works_is_used_in_the_order_asked_for(pool: WorkerPool) -> None:
    await find_hardware(pool, ("refuses", "breaks_down", "works"))
    assert pool.encoders == ("breaks_down", "works"), "which breaks down only later"


def shown(sink: Recorder) -> list[tuple[VideoTrack, Packet]]:
    """Pair each frame with the track that it was announced with."""
    return [(found["240p"].track, found["240p"]) for _, found in sink.video]  # type: ignore[misc]


def assert_every_frame_decodes(sink: Recorder, frames: int, change: int) -> None:
    """See that the IDR of the other encoder stands at frame `change`, with its parameter sets in it."""
    packets = [packet for _, packet in shown(sink)]
    assert [packet.pts for packet in packets] == [index * STEP for index in range(frames)]
    assert {packet.track for packet in packets[:change]} == {packets[0].track}
    assert {packet.track for packet in packets[change:]} == {packets[-1].track}
    assert packets[-1].track.config == VideoEncoder(RUNG).config != packets[0].track.config
    kinds = [nal_type(nal) for nal in split_length_prefixed(packets[change].data)]
    assert packets[change].is_keyframe
    assert kinds[:2] == [NAL_SPS, NAL_PPS]
    # A decoder that knows the first parameter sets alone, as players in the middle of a segment do.
    assert len(decode(packets[0].track.config, [packet.data for packet in packets])) == frames


async def test_a_broadcast_goes_on_when_its_hardware_breaks_down(
    pool: WorkerPool, transcoder: Transcoder, sink: Recorder
) -> None:
    pool.encoders = ("breaks_down",)
    transcoder.activate(RUNG, 0)
    for packet in video(30):
        transcoder.send(packet)
    transcoder.flush()
    await sink.until(lambda: sink.flushes == 1)
    assert_every_frame_decodes(sink, 30, FAILS_AFTER)
    assert sink.starts["240p"] == [0, FAILS_AFTER * STEP], "the other track holds from its first frame on"
    assert transcoder.stats.encoders_failed == ("breaks_down: the device was removed",)
    assert (transcoder.stats.restarts, sink.gaps, sink.failures) == (0, [], [])


async def test_a_broadcast_whose_hardware_does_not_open_has_x264_from_the_start(
    pool: WorkerPool, transcoder: Transcoder, sink: Recorder
) -> None:
    pool.encoders = ("refuses",)
    transcoder.activate(RUNG, 0)
    for packet in video(10):
        transcoder.send(packet)
    transcoder.flush()
    await sink.until(lambda: sink.flushes == 1)
    assert [track.config for track in sink.opened["240p"]] == [VideoEncoder(RUNG).config]
    assert transcoder.stats.encoders_failed == ("refuses: no session is free",)


async def test_behind_a_worker_that_died_hardware_is_not_trusted_any_more(
    pool: WorkerPool, transcoder: Transcoder, sink: Recorder
) -> None:
    pool.encoders = ("works",)
    transcoder.activate(RUNG, 0)
    packets = video(40, gop=50)
    for packet in packets[:20]:
        transcoder.send(packet)
    await sink.until(lambda: len(sink.video) >= 10)
    pid = transcoder.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    for packet in packets[20:]:
        transcoder.send(packet)
    transcoder.flush()
    await sink.until(lambda: sink.flushes == 1)
    change = next(index for index, (track, _) in enumerate(shown(sink)) if track != shown(sink)[0][0])
    assert change >= 10
    assert_every_frame_decodes(sink, 40, change)
    assert transcoder.stats.restarts == 1
