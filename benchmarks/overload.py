"""More asked for than the machine can do: how far encoders fall behind, what stays, how it comes back.

Two scenes through the whole server, with viewers that fetch the newest part of every quality, twice a second:
- `large`: one 2160p30 source of 20 Mbit/s on two cores; later only 480p and below are asked for.
- `pair`: two 1080p30 sources on one core.
Writes `benchmarks/results/overload.json`.

    python -m benchmarks.overload [--scene large|pair] [--seconds 60]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Collection
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.clip import FFMPEG, RESULTS, clip, push
from tests.integration.server import Server, running, running_server

SCENES = {"large": (2160, "20M", 1, 2), "pair": (1080, "6M", 2, 1)}
"""Lines and rate of the source, how many of them, cores."""

SETTLE_S = 10.0
"""Behind this nobody may be more than a second behind live."""

POLL_S = 0.5


def source(folder: Path, lines: int, rate: str) -> Path:
    """Encode the clip at 30 frames per second, a keyframe every 2 s."""
    path = folder / f"{lines}.flv"
    video = f"-vf scale=-2:{lines},fps=30 -c:v libx264 -preset ultrafast -g 60 -sc_threshold 0"
    rates = f"-b:v {rate} -maxrate {rate} -bufsize {rate}"
    command = [FFMPEG, "-v", "error", "-stream_loop", "-1", "-i", str(clip()), "-t", "10"]
    audio = "-c:a aac -b:a 128k -ac 2 -ar 48000"
    subprocess.run(
        [*command, *video.split(), *rates.split(), "-pix_fmt", "yuv420p", *audio.split(), str(path)],
        check=True,
    )
    return path


async def watch(session: aiohttp.ClientSession, base: str, rungs: set[str], rung: str) -> None:
    """Fetch the newest part of a rung again and again, while it is among `rungs`."""
    while True:
        await asyncio.sleep(POLL_S)
        if rung not in rungs:
            continue
        try:
            async with session.get(f"{base}/{rung}/index.m3u8") as answer:
                parts = re.findall(r'EXT-X-PART:.*URI="([^"]+)"', await answer.text())
            if parts:
                async with session.get(f"{base}/{rung}/{parts[-1]}") as answer:
                    await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            continue


async def observe(server: Server, streams: Collection[str], seconds: float) -> list[dict[str, Any]]:
    """Ask how it goes, twice a second."""
    seen = []
    for _ in range(int(seconds / POLL_S)):
        await asyncio.sleep(POLL_S)
        for stream in streams:
            health = await server.api("GET", f"/streams/{stream}/health")
            seen.append(
                {
                    "stream": stream,
                    "lag_s": health["transcode"]["lag_s"] or 0.0,
                    "cost": health["transcode"]["cost"],
                    "rungs": {rung["name"]: rung["kind"] for rung in health["rungs"]},
                    "warnings": health["warnings"],
                }
            )
    return seen


def summary(seen: list[dict[str, Any]], streams: Collection[str]) -> dict[str, Any]:
    lags = sorted(one["lag_s"] for one in seen)
    last = {stream: next(one for one in reversed(seen) if one["stream"] == stream) for stream in streams}
    return {
        "worst_lag_s": round(lags[-1], 2),
        "median_lag_s": round(lags[len(lags) // 2], 2),
        "made": [[name for name, kind in one["rungs"].items() if kind == "encoded"] for one in last.values()],
        "cost": [one["cost"] for one in last.values()],
        "words": [one["warnings"] for one in last.values()],
    }


async def play(scene: str, seconds: float, folder: Path) -> dict[str, Any]:
    lines, rate, count, cores = SCENES[scene]
    path = await asyncio.to_thread(source, folder, lines, rate)
    free = sorted(os.sched_getaffinity(0))
    async with AsyncExitStack() as stack:
        os.sched_setaffinity(0, free[:cores])  # the server and its workers inherit it
        server = await stack.enter_async_context(running_server(folder))
        os.sched_setaffinity(0, free)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        streams, asked = [], set[str]()
        viewers = []
        for _ in range(count):
            stream = await server.create_stream(quality="2160p")
            streams.append(stream["id"])
            await stack.enter_async_context(running(FFMPEG, *push(path, server.publish_url(stream))))
            master = await server.wait_for(f"/hls/{stream['id']}/master.m3u8", contains="144p")
            found = sorted(set(re.findall(r"^(\w+)/index", master.text, re.MULTILINE)))
            asked |= set(found)
            base = f"{server.http_url}/hls/{stream['id']}"
            viewers += [asyncio.create_task(watch(session, base, asked, rung)) for rung in found]
        try:
            begin = await observe(server, streams, SETTLE_S)
            settled = await observe(server, streams, seconds)
            result = {"first_10_s": summary(begin, streams), "settled": summary(settled, streams)}
            if scene == "large":
                asked.difference_update({"2160p", "1440p", "1080p", "720p"})
                result["less_demand"] = summary(await observe(server, streams, 90), streams)
        finally:
            for viewer in viewers:
                viewer.cancel()
            await asyncio.gather(*viewers, return_exceptions=True)
        metrics = (await server.request("/metrics")).text
        result["actions"] = dict(re.findall(r'ladder_actions_total{action="(\w+)"} (\d+)', metrics))
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scene", choices=SCENES)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as name:
        for scene in [arguments.scene] if arguments.scene else SCENES:
            results[scene] = asyncio.run(play(scene, arguments.seconds, Path(name)))
            print(scene, json.dumps(results[scene], indent=1))
    if not arguments.scene:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "overload.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
