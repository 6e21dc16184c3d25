"""How long a player waits for a segment of a dormant rung: from the request to its last frame.

The source is a clip of 1080 lines as an encoder would send it, in segments of 2 and 4 s. Warm: the worker has just
rendered something. Spare: it waits in the pool. Cold: it has to be started. The median of the rounds counts, each of
another segment. Writes `benchmarks/results/render.json`.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from benchmarks.clip import RESULTS, prepared
from benchmarks.ladder import read
from media.packet import CLOCK_HZ, Packet, VideoTrack
from media.rendition import renditions_for
from transcode.pool import WorkerPool
from transcode.render import Priority, Renderer, RenderRequest
from transcode.rung import RungSpec, rung_spec

HEIGHT, BITRATE, FPS = 1080, "6000k", 30
ROUNDS = 5
SECONDS = 4 * (ROUNDS + 1) + 1
PAUSE_S = 0.7
"""Before each request: the pool has its spare again."""
TARGETS_S = {("480p", 2): 0.6, ("360p", 2): 0.6, ("720p", 2): 1.0, ("480p", 4): 1.8, ("720p", 4): 1.8}
"""Of issue 4 for a machine that does nothing else; what is missing has none."""


def segments(packets: Sequence[Packet], seconds: int) -> list[list[Packet]]:
    """Cut at keyframes."""
    found: list[list[Packet]] = []
    for packet in packets:
        if packet.is_keyframe and (not found or packet.pts - found[-1][0].pts >= seconds * CLOCK_HZ):
            found.append([])
        found[-1].append(packet)
    return found[:-1]


def request_of(segment: Sequence[Packet], spec: RungSpec) -> RenderRequest:
    track, start = segment[0].track, segment[0].pts
    assert isinstance(track, VideoTrack)
    return RenderRequest(str(start), track, segment, spec, start, max(item.pts for item in segment) + 1)


async def wait_for(renderer: Renderer, request: RenderRequest) -> float:
    began = time.perf_counter()
    rendered = await renderer.render(request, priority=Priority.LIVE)
    assert len(rendered.frames) == len(request.packets), "frames lost"
    return time.perf_counter() - began


async def warm(found: Sequence[Sequence[Packet]], spec: RungSpec) -> tuple[float, float, int]:
    pool = WorkerPool()
    renderer = Renderer(pool)
    await wait_for(renderer, request_of(found[0], spec))
    (worker,) = renderer.worker_pids
    before, waits = cpu_s(worker), []
    for segment in found[1 : ROUNDS + 1]:
        await asyncio.sleep(PAUSE_S)
        waits.append(await wait_for(renderer, request_of(segment, spec)))
    cpu, peak = cpu_s(worker) - before, peak_mib(worker)
    await renderer.close()
    await pool.close()
    return statistics.median(waits), cpu / ROUNDS, peak


async def fresh(found: Sequence[Sequence[Packet]], spec: RungSpec, spares: int) -> float:
    waits = []
    for segment in found[:ROUNDS]:
        pool = WorkerPool(warm=spares)
        await pool.start()
        await asyncio.sleep(PAUSE_S)
        renderer = Renderer(pool)
        waits.append(await wait_for(renderer, request_of(segment, spec)))
        await renderer.close()
        await pool.close()
    return statistics.median(waits)


def cpu_s(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))


async def measure(packets: Sequence[Packet], seconds: int) -> dict[str, Any]:
    track = packets[0].track
    assert isinstance(track, VideoTrack)
    pixels = track.width * track.height
    rungs = {rung.name: rung for rung in renditions_for(track.width, track.height)}
    found, results = segments(packets, seconds), {}
    for name in ("720p", "480p", "360p"):
        spec = rung_spec(rungs[name], track.frame_rate or Fraction(FPS), source_pixels=pixels)
        wait_s, cpu, mib = await warm(found, spec)
        spare_s, cold_s = await fresh(found, spec, 1), await fresh(found, spec, 0)
        target = TARGETS_S.get((name, seconds))
        print(
            f"{seconds} s {name:>5} {wait_s:7.2f} {spare_s:7.2f} {cold_s:7.2f} {target or '':>7} {cpu:6.2f} {mib:5}"
        )
        results[name] = {
            "preset": spec.preset,
            "warm_s": round(wait_s, 3),
            "spare_s": round(spare_s, 3),
            "cold_s": round(cold_s, 3),
            "target_s": target,
            "worker_cpu_s": round(cpu, 3),
            "worker_peak_mib": mib,
        }
    return results


def main() -> int:
    """Run; fails when a spare worker takes longer than the target."""
    results: dict[str, Any] = {
        "python": platform.python_version(),
        "av": av.__version__,
        "cores": os.cpu_count(),
        "source": f"{HEIGHT} lines, {BITRATE}bit/s, {FPS} fps",
    }
    print(f"{'':9} {'warm':>7} {'spare':>7} {'cold':>7} {'target':>7} {'CPU s':>6} {'MiB':>5}")
    with tempfile.TemporaryDirectory() as folder:
        packets = read(prepared(Path(folder), height=HEIGHT, seconds=SECONDS, bitrate=BITRATE, fps=FPS))
    for seconds in (2, 4):
        results[f"{seconds} s"] = asyncio.run(measure(packets, seconds))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "render.json").write_text(json.dumps(results, indent=2) + "\n")
    measured = [row for seconds in (2, 4) for row in results[f"{seconds} s"].values()]
    return int(any(row["target_s"] and row["spare_s"] > row["target_s"] for row in measured))


if __name__ == "__main__":
    sys.exit(main())
