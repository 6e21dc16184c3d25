"""How long a viewer waits who comes to a quality that nobody watched: request to bytes, through the whole server.

A 1080p30 source is pushed in real time with a keyframe every 2 or 4 s. For each rung a broadcast of its own, so that
every request finds the rung dormant and the machine idle: first the newest whole segment is asked for, then the part
that its playlist hints at. Writes `benchmarks/results/wake.json`.

    python -m benchmarks.wake [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import aiohttp

from benchmarks.clip import FFMPEG, RESULTS, clip, push
from tests.integration.server import Server, running, running_server

RUNGS = ("720p", "480p", "360p", "144p")
GOPS_S = (2, 4)
TARGETS_S = {2: {"720p": 1.0, "480p": 0.6, "360p": 0.6, "144p": 0.6}, 4: dict.fromkeys(RUNGS, 1.8)}
SETTLE_S = 9.0
"""Segments have passed, and nothing else goes on."""


def source(folder: Path, gop_s: int) -> Path:
    """Encode the clip as 1080p30 of 6 Mbit/s."""
    path = folder / f"gop{gop_s}.flv"
    rate = "-b:v 6000k -maxrate 6000k -bufsize 6000k"
    video = (
        f"-vf scale=-2:1080,fps=30 -c:v libx264 -preset veryfast -g {30 * gop_s} -bf 2 {rate} -sc_threshold 0"
    )
    command = [FFMPEG, "-v", "error", "-stream_loop", "-1", "-i", str(clip()), "-t", "20"]
    audio = "-c:a aac -b:a 128k -ac 2 -ar 48000"
    subprocess.run([*command, *video.split(), "-pix_fmt", "yuv420p", *audio.split(), str(path)], check=True)
    return path


async def fetch(session: aiohttp.ClientSession, url: str) -> tuple[float, int]:
    began = time.monotonic()
    async with session.get(url) as response:
        data = await response.read()
        if response.status != 200:
            raise SystemExit(f"{url}: {response.status} {data[:200]!r}")
    return time.monotonic() - began, len(data)


async def measure(server: Server, path: Path, rung: str) -> dict[str, float]:
    """Wait for one rung of one broadcast."""
    stream = await server.create_stream(quality="2160p")
    base = f"{server.http_url}/hls/{stream['id']}/{rung}"
    async with running(FFMPEG, *push(path, server.publish_url(stream))), aiohttp.ClientSession() as session:
        await server.wait_for(f"/hls/{stream['id']}/master.m3u8", contains=rung)
        await asyncio.sleep(SETTLE_S)
        async with session.get(f"{base}/index.m3u8") as response:
            playlist = await response.text()
        newest = re.findall(r"^\S+-\d+\.m4s$", playlist, re.MULTILINE)[-1]
        segment_s, _ = await fetch(session, f"{base}/{newest}")
        async with session.get(f"{base}/index.m3u8") as response:
            playlist = await response.text()
        part = re.findall(r'EXT-X-PART:.*URI="([^"]+)"', playlist)[-1]
        part_s, _ = await fetch(session, f"{base}/{part}")
    await server.api("POST", f"/streams/{stream['id']}/end")
    return {"segment_s": segment_s, "part_s": part_s}


async def run(rounds: int, folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for gop_s in GOPS_S:
        path = await asyncio.to_thread(source, folder, gop_s)
        async with running_server(folder) as server:
            for rung in RUNGS:
                waits = [await measure(server, path, rung) for _ in range(rounds)]
                segment = [wait["segment_s"] for wait in waits]
                found[f"{rung}, keyframe every {gop_s} s"] = {
                    "segment_median_s": round(statistics.median(segment), 3),
                    "segment_worst_s": round(max(segment), 3),
                    "newest_part_median_s": round(statistics.median(wait["part_s"] for wait in waits), 3),
                    "target_s": TARGETS_S[gop_s][rung],
                }
                print(gop_s, rung, found[f"{rung}, keyframe every {gop_s} s"], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(run(parser.parse_args().rounds, Path(folder)))
    (RESULTS / "wake.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
