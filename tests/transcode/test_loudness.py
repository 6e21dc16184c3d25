"""Loudness against FFmpeg's own command line, and the worker that measures for everybody."""

from __future__ import annotations

import asyncio
import math
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any, cast

import av
import imageio_ffmpeg
import pytest

from media.aac import aac_track
from media.error import TranscodeError
from media.packet import AudioTrack, Packet
from transcode import loudness_probe
from transcode.loudness import FLOOR, measure_loudness
from transcode.loudness_probe import LoudnessProbe
from transcode.message import LoudnessMeasured, MeasureLoudness
from transcode.supervisor import WorkerPool

from .source import sine

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def measure(packets: list[Packet]) -> LoudnessMeasured:
    track = packets[0].track
    assert isinstance(track, AudioTrack)
    return measure_loudness(MeasureLoudness(1, track, tuple(packet.data for packet in packets)))


def run_ffmpeg(*arguments: str) -> str:
    result = subprocess.run(
        [FFMPEG, "-hide_banner", "-nostdin", *arguments],
        capture_output=True,
        text=True,
        timeout=15,
        check=True,
    )
    return result.stderr


@pytest.mark.parametrize(
    "source",
    [
        "sine=997:d=3.2,volume=-10dB",
        "anoisesrc=c=pink:d=3.2:a=0.2:seed=1",
        "aevalsrc='0.4*sin(300*2*PI*t)*sin(1.5*t)|0.05*random(0)':d=3.2:s=44100",
    ],
)
def test_figures_are_those_of_ffmpegs_command_line(source: str, tmp_path: Path) -> None:
    clip = tmp_path / "clip.m4a"
    layout = "stereo" if "|" in source else "mono"
    pan = [] if layout == "stereo" else ["-af", "pan=stereo|c0=c0|c1=c0"]
    run_ffmpeg("-f", "lavfi", "-i", source, *pan, "-c:a", "aac", "-b:a", "192k", str(clip))
    said = run_ffmpeg("-i", str(clip), "-af", "ebur128=peak=sample:framelog=verbose", "-f", "null", "-")
    integrated = float(re.findall(r"I:\s+(-?[\d.]+) LUFS", said)[-1])
    peak = float(re.findall(r"Peak:\s+(-?[\d.]+) dBFS", said)[-1])
    with av.open(str(clip), "r") as container:
        stream = container.streams.audio[0]
        track = aac_track(bytes(cast("bytes", stream.codec_context.extradata)))
        packets = tuple(bytes(packet) for packet in container.demux(stream) if packet.size)
    found = measure_loudness(MeasureLoudness(1, track, packets))
    energy = sum(10 ** (block / 10) for block in found.blocks) / len(found.blocks)
    assert 10 * math.log10(energy) == pytest.approx(integrated, abs=0.2)
    assert found.peak == pytest.approx(peak, abs=0.2)


def test_known_levels() -> None:
    """BS.1770: 997 Hz at -20 dBFS on both sides is -20 LUFS; momentary, short-term and all together alike."""
    found = measure(sine(997, 3.5, levels=(0.1, 0.1)))
    assert found.short_term == pytest.approx(-20.0, abs=0.1)
    assert max(found.blocks) == pytest.approx(-20.0, abs=0.1)
    assert min(found.blocks) == pytest.approx(-20.0, abs=0.1)
    assert found.peak == pytest.approx(-20.0, abs=0.1)


def test_what_is_short_silent_or_broken() -> None:
    short = measure(sine(997, 1.5, levels=(0.1, 0.1)))
    assert short.short_term == pytest.approx(-20.0, abs=0.2)
    silent = measure(sine(997, 3.5, levels=(0, 0)))
    assert (silent.short_term, silent.peak, set(silent.blocks)) == (FLOOR, FLOOR, {FLOOR})
    track = silent_track()
    assert measure_loudness(MeasureLoudness(3, track, (b"\xff" * 9, b""))) == LoudnessMeasured(
        3, (), FLOOR, FLOOR
    )
    assert measure_loudness(MeasureLoudness(4, track, ())).blocks == ()


def silent_track() -> AudioTrack:
    track = sine(997, 0.2)[0].track
    assert isinstance(track, AudioTrack)
    return track


async def ask(probe: LoudnessProbe, level: float = 0.1) -> LoudnessMeasured:
    packets = sine(997, 3.4, levels=(level, level))
    return await probe.measure(silent_track(), [packet.data for packet in packets])


async def test_one_worker_measures_for_everybody(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    take = pool.take

    async def count() -> Any:
        taken.append(await take())
        return taken[-1]

    monkeypatch.setattr(pool, "take", count)
    probe = LoudnessProbe(pool)
    levels = (0.1, 0.2, 0.05)
    found = await asyncio.gather(*(ask(probe, level) for level in levels))
    wanted = [20 * math.log10(level) for level in levels]
    assert [each.short_term for each in found] == pytest.approx(wanted, abs=0.2)
    assert len(taken) == 1
    os.kill(taken[0].pid, signal.SIGKILL)
    # One piece may be lost with it, unless it has been seen to be dead already.
    lost, good = await asyncio.gather(ask(probe), ask(probe), return_exceptions=True)
    assert isinstance(lost, TranscodeError | LoudnessMeasured)
    assert isinstance(good, LoudnessMeasured)
    assert good.short_term == pytest.approx(-20, abs=0.2)
    assert len(taken) == 2
    probe.close()
    with pytest.raises(TranscodeError):
        await ask(probe)


async def test_a_worker_without_work_ends(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loudness_probe, "IDLE_S", 0.05)
    ended = asyncio.Event()
    release = pool.release

    def note(worker: Any, *, at_once: bool = False) -> None:
        ended.set()
        release(worker, at_once=at_once)

    monkeypatch.setattr(pool, "release", note)
    probe = LoudnessProbe(pool)
    await ask(probe)
    await asyncio.wait_for(ended.wait(), 10)
    assert (await ask(probe)).blocks
    probe.close()


async def test_too_many_do_not_wait(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loudness_probe, "MAX_WAITING", 2)
    probe = LoudnessProbe(pool)
    results = await asyncio.gather(*(ask(probe) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [LoudnessMeasured, LoudnessMeasured, TranscodeError]
    probe.close()
