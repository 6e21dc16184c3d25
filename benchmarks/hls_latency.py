"""Measure how late a part is, and what the whole server costs while it makes all rungs.

A real 720p clip is pushed by ffmpeg in real time; low-latency clients follow every rendition. For each frame the
lateness is the time when its part had been fetched less the time when the encoder sent the frame, which for a paced
encoder is the playlist's date-time (arrival of the first keyframe) plus the frame's media time.

    python benchmarks/hls_latency.py [--seconds 60] [--height 720]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.clip import FFMPEG, RESULTS, prepared, push
from tests.integration.playlist import FetchedPart, collect, parse_master
from tests.integration.server import Server, running, running_server

FRAME_S = 0.04


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def frame_lateness(parts: list[FetchedPart]) -> list[float]:
    """Lateness in seconds of each frame of the parts."""
    lateness = []
    for part in parts:
        frames = max(1, round(part.duration / FRAME_S))
        lateness += [part.fetched_at - (part.start + frame * FRAME_S) for frame in range(frames)]
    return lateness


def cpu_seconds(server: Server) -> float:
    """User and system time of the server and its workers."""
    root = psutil.Process(server.process.pid)
    times = [process.cpu_times() for process in [root, *root.children(recursive=True)]]
    return float(sum(t.user + t.system for t in times))


async def measure(seconds: float, height: int, folder: Path) -> dict[str, object]:
    bitrate = {720: "2500k", 1080: "6000k"}.get(height, "2500k")
    source = await asyncio.to_thread(prepared, folder, height=height, seconds=20, bitrate=bitrate)
    async with running_server(folder, LADDER="always") as server:
        stream = await server.create_stream(quality="2160p")
        hls = f"{server.http_url}/hls/{stream['id']}"
        started = time.monotonic()
        async with running(FFMPEG, *push(source, server.publish_url(stream))):
            await server.wait_for(f"/hls/{stream['id']}/master.m3u8")
            master = parse_master((await server.request(f"/hls/{stream['id']}/master.m3u8")).text)
            first_part_s = await first_part(server, stream["id"], master, started)
            await asyncio.sleep(4)
            cpu, clock = cpu_seconds(server), time.monotonic()
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                until = clock + seconds
                found = await asyncio.gather(*(collect(session, f"{hls}/{uri}", until) for uri in master))
            cores = (cpu_seconds(server) - cpu) / (time.monotonic() - clock)
    rows = {uri.split("/")[0]: frame_lateness(parts) for uri, parts in zip(master, found, strict=True)}
    return {
        "height": height,
        "seconds": seconds,
        "publish_to_first_part_s": round(first_part_s, 3),
        "server_and_workers_cores": round(cores, 3),
        "gaps": sum(part.gap for parts in found for part in parts),
        "lateness_s": {
            name: {
                "p50": round(percentile(v, 0.5), 3),
                "p95": round(percentile(v, 0.95), 3),
                "max": round(max(v), 3),
            }
            for name, v in rows.items()
        },
    }


async def first_part(
    server: Server, stream_id: str, master: dict[str, dict[str, str]], started: float
) -> float:
    """Seconds from the start of the encoder process to the first part on the first variant."""
    variant = next(uri for uri, values in master.items() if "BANDWIDTH" in values)
    await server.wait_for(f"/hls/{stream_id}/{variant}", contains="#EXT-X-PART:")
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--height", type=int, default=720, choices=(720, 1080))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(measure(options.seconds, options.height, Path(folder)))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"hls_latency_{options.height}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
