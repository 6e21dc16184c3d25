"""Run a long broadcast with every rung asked for and watch memory and missing parts.

python benchmarks/soak.py [--minutes 10]
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
from tests.integration.playlist import follow, parse_master
from tests.integration.server import Server, running, running_server

SAMPLE_S = 10.0


async def watch(session: aiohttp.ClientSession, url: str, until: float) -> dict[str, int]:
    """Follow one rendition and count what a player would trip over."""
    parts = gaps = skipped = discontinuities = 0
    last: tuple[int, int] | None = None
    async for part in follow(session, url, until=until):
        parts += 1
        gaps += part.gap
        discontinuities += part.discontinuity and part.index == 0
        here = (part.msn, part.index)
        if last is not None and here not in ((last[0], last[1] + 1), (last[0] + 1, 0)):
            skipped += 1
        last = here
    return {"parts": parts, "gaps": gaps, "skipped": skipped, "discontinuities": discontinuities}


def memory_mib(server: Server) -> dict[str, float]:
    """Resident memory of the server and of its workers, in MiB, and what else may leak."""
    root = psutil.Process(server.process.pid)
    workers = [psutil.Process(pid) for pid in server.workers()]
    return {
        "server_mib": round(root.memory_info().rss / 2**20, 1),
        "workers_mib": round(sum(process.memory_info().rss for process in workers) / 2**20, 1),
        "server_fds": root.num_fds(),
    }


async def sample(server: Server, until: float) -> list[dict[str, float]]:
    samples = []
    started = time.monotonic()
    while time.monotonic() < until:
        samples.append({"at_s": round(time.monotonic() - started), **memory_mib(server)})
        await asyncio.sleep(SAMPLE_S)
    return samples


async def soak(minutes: float, folder: Path) -> dict[str, object]:
    source = await asyncio.to_thread(prepared, folder, height=720, seconds=20, bitrate="2500k")
    async with running_server(folder, LADDER="always") as server:
        stream = await server.create_stream(quality="2160p")
        async with running(FFMPEG, *push(source, server.publish_url(stream))):
            path = f"/hls/{stream['id']}/master.m3u8"
            master = parse_master((await server.wait_for(path)).text)
            await asyncio.sleep(4)
            until = time.monotonic() + minutes * 60
            base = f"{server.http_url}/hls/{stream['id']}"
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                watchers = (watch(session, f"{base}/{uri}", until) for uri in master)
                samples, *counts = await asyncio.gather(sample(server, until), *watchers)
    return {"minutes": minutes, "renditions": dict(zip(master, counts, strict=True)), "samples": samples}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(soak(options.minutes, Path(folder)))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "soak.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
