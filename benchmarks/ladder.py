"""What the encoded rungs cost, beside ffmpeg's command line making the same ones, in one run.

The top rung is copied, the others are encoded as the table says; sound is copied. CPU seconds per second of media, all
processes counted, start included, for our `Transcoder` with a real worker, for ffmpeg with the same cascade, presets,
threads and x264 options, and for ffmpeg as it is commonly told to make the same ladder: every rung encoded, also the
source's own, each scaled from the source. They take turns; the median of the rounds counts.
Writes `benchmarks/results/ladder.json`.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from benchmarks.clip import FFMPEG, RESULTS, prepared
from media.h264 import h264_track
from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack
from media.rendition import renditions_for
from media.timing import rescale
from transcode.rung import RungSpec, rung_spec
from transcode.supervisor import Transcoder, WorkerPool
from transcode.video_encoder import x264_params

SECONDS = 20
ROUNDS = 3
TARGET_RATIO = 1.2
"""Of the same work; ours measures how good its pictures are besides."""
TARGET_RATIO_ALL = 0.65
SOURCES = ((720, "2500k"), (1080, "5000k"))
KEYFRAME_TICKS = 2 * CLOCK_HZ
AHEAD_S = 0.8
"""How far the feeder runs ahead of the worker: as fast as it takes them, without tripping the overflow."""


@dataclass(frozen=True)
class Cost:
    """One run."""

    cpu_s: float
    wall_s: float


class Counter:
    """A sink that counts."""

    def __init__(self) -> None:
        self.frames: dict[str, int] = {}
        self.bytes: dict[str, int] = {}
        self.gaps = 0
        self.moved = asyncio.Event()
        self.done = asyncio.Event()
        self.worker_mib = 0

    def on_rung_opened(self, rung: str, track: VideoTrack, from_pts: int) -> None:
        """Nothing to count."""

    def on_video(self, pts: int, frames: Mapping[str, Packet]) -> None:  # noqa: ARG002
        for name, packet in frames.items():
            self.frames[name] = self.frames.get(name, 0) + 1
            self.bytes[name] = self.bytes.get(name, 0) + len(packet.data)
        self.moved.set()

    def on_audio_opened(self, output: str, track: AudioTrack) -> None:
        """Nothing to count."""

    def on_audio(self, output: str, packet: Packet) -> None:
        """Nothing to count."""

    def on_gap(self, rungs: Collection[str], until_pts: int) -> None:  # noqa: ARG002
        self.gaps += 1

    def on_flushed(self) -> None:
        self.done.set()

    def on_failed(self, reason: str) -> None:
        raise SystemExit(reason)


def read(path: Path) -> list[Packet]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        track = h264_track(bytes(stream.codec_context.extradata or b""))
        return [
            Packet(track, _ticks(p.pts, p), _ticks(p.dts, p), bytes(p), is_keyframe=bool(p.is_keyframe))
            for p in container.demux(stream)
            if p.size
        ]


def _ticks(value: int | None, packet: Any) -> int:
    return rescale(value or 0, packet.time_base.numerator * CLOCK_HZ, packet.time_base.denominator)


def specs_of(track: VideoTrack) -> list[RungSpec]:
    """List all rungs, the source's own first."""
    pixels = track.width * track.height
    rungs = renditions_for(track.width, track.height)
    return [rung_spec(rung, track.frame_rate or Fraction(25), source_pixels=pixels) for rung in rungs]


async def ours(packets: Sequence[Packet], specs: Sequence[RungSpec]) -> Counter:
    pool, sink = WorkerPool(warm=0), Counter()
    transcoder = Transcoder(pool, sink)
    for spec in specs:
        transcoder.activate(spec, 0)
    next_keyframe = KEYFRAME_TICKS
    for packet in packets:
        if packet.pts >= next_keyframe:
            transcoder.force_keyframe(packet.pts)
            next_keyframe += KEYFRAME_TICKS
        transcoder.send(packet)
        while transcoder.stats.lag_s > AHEAD_S or (not sink.frames and packet.dts > AHEAD_S * CLOCK_HZ):
            sink.moved.clear()
            await sink.moved.wait()
    transcoder.flush()
    await sink.done.wait()
    sink.worker_mib = _peak_mib(transcoder.worker_pid)
    await transcoder.close()
    await pool.close()
    return sink


def cascade(specs: Sequence[RungSpec]) -> str:
    """Scale each rung from the next larger one, as we do."""
    chain, source = [], "[0:v]"
    for index, spec in enumerate(specs):
        is_last = index == len(specs) - 1
        split = f"[out{index}]" if is_last else f",split=2[out{index}][next{index}]"
        chain.append(f"{source}scale={spec.width}:{spec.height}:flags=bicublin{split}")
        source = f"[next{index}]"
    return ";".join(chain)


def direct(specs: Sequence[RungSpec]) -> str:
    """Scale each rung from the source, as command lines in manuals do."""
    copies = "".join(f"[in{index}]" for index in range(len(specs)))
    scaled = (f"[in{index}]scale={spec.width}:{spec.height}[out{index}]" for index, spec in enumerate(specs))
    return f"[0:v]split={len(specs)}{copies};{';'.join(scaled)}"


QUIET = "-v error -nostdin -threads 1 -filter_complex_threads 1"
ENCODER = "-threads 1 -pix_fmt yuv420p -g 1000000 -forced-idr 1 -bf 0 -flags +global_header"


def theirs(path: Path, specs: Sequence[RungSpec], graph: str, *, copies_top: bool) -> list[str]:
    command = [FFMPEG, *QUIET.split(), "-i", str(path)]
    copied = "-map 0:v -map 0:a" if copies_top else "-map 0:a"
    command += ["-filter_complex", graph, *f"{copied} -c copy -f null -".split()]
    for index, spec in enumerate(specs):
        command += f"-map [out{index}] -c:v libx264 -preset {spec.preset} -tune zerolatency".split()
        command += ENCODER.split()
        command += ["-force_key_frames", "expr:gte(t,n_forced*2)"]
        command += ["-crf", str(spec.rate_factor), "-maxrate", str(spec.max_bitrate_bps)]
        command += ["-bufsize", str(spec.buffer_bits), "-x264-params", x264_params(spec), "-f", "null", "-"]
    return command


def measure(run: Any) -> Cost:
    before, began = _cpu_s(), time.perf_counter()
    run()
    cpu, wall = _cpu_s() - before, time.perf_counter() - began
    return Cost(cpu, wall)


def _peak_mib(pid: int | None) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def compare(path: Path) -> dict[str, Any]:
    packets = read(path)
    track = packets[0].track
    assert isinstance(track, VideoTrack)
    every, sinks = specs_of(track), []
    specs = every[1:]
    media_s = len(packets) / float(track.frame_rate or 25)
    same = theirs(path, specs, cascade(specs), copies_top=True)
    whole = theirs(path, every, direct(every), copies_top=False)
    costs: dict[str, list[Cost]] = {"ours": [], "ffmpeg": [], "ffmpeg_all": []}
    for _ in range(ROUNDS):
        costs["ours"].append(measure(lambda: sinks.append(asyncio.run(ours(packets, specs)))))
        costs["ffmpeg"].append(measure(lambda: subprocess.run(same, check=True)))
        costs["ffmpeg_all"].append(measure(lambda: subprocess.run(whole, check=True)))
    assert all(sink.gaps == 0 and set(sink.frames.values()) == {len(packets)} for sink in sinks), (
        "frames lost"
    )
    cpu = {name: statistics.median(cost.cpu_s for cost in found) / media_s for name, found in costs.items()}
    wall = {name: statistics.median(cost.wall_s for cost in found) / media_s for name, found in costs.items()}
    return {
        "source": f"{track.width}x{track.height} at {float(track.frame_rate or 25):g} fps, {media_s:.0f} s",
        "rungs": {spec.name: spec.preset for spec in specs},
        "kbit_s": {name: round(size * 8 / media_s / 1000) for name, size in sinks[-1].bytes.items()},
        "cpu_per_s": {name: round(value, 3) for name, value in cpu.items()},
        "wall_per_s": {name: round(value, 3) for name, value in wall.items()},
        "worker_peak_mib": max(sink.worker_mib for sink in sinks),
        "ratio": round(cpu["ours"] / cpu["ffmpeg"], 3),
        "ratio_all": round(cpu["ours"] / cpu["ffmpeg_all"], 3),
    }


def main() -> int:
    """Run; fails when we cost more than ffmpeg allows."""
    results: dict[str, Any] = {
        "python": platform.python_version(),
        "av": av.__version__,
        "cores": os.cpu_count(),
    }
    print(
        f"{'source':>7} {'ours CPU/s':>11} {'ffmpeg CPU/s':>13} {'ratio':>6} {'all':>6} {'wall/s':>7} {'MiB':>5}"
    )
    for height, bitrate in SOURCES:
        with tempfile.TemporaryDirectory() as folder:
            result = compare(prepared(Path(folder), height=height, seconds=SECONDS, bitrate=bitrate))
        results[f"{height}p"] = result
        cpu, wall = result["cpu_per_s"], result["wall_per_s"]["ours"]
        ratios = f"{result['ratio']:>6.2f} {result['ratio_all']:>6.2f}"
        figures = f"{cpu['ours']:>11.3f} {cpu['ffmpeg']:>13.3f} {ratios} {wall:>7.3f}"
        print(f"{height:>6}p {figures} {result['worker_peak_mib']:>5}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "ladder.json").write_text(json.dumps(results, indent=2) + "\n")
    found = [results[f"{height}p"] for height, _ in SOURCES]
    return int(any(one["ratio"] > TARGET_RATIO for one in found) or found[-1]["ratio_all"] > TARGET_RATIO_ALL)


if __name__ == "__main__":
    sys.exit(main())
