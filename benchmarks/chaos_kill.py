"""`chaos`: workers and the server are killed under a broadcast, and followed part by part."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from pathlib import Path

import aiohttp

from benchmarks.clip import FFMPEG, prepared, push
from tests.integration.playlist import collect, parse_master, parse_media
from tests.integration.server import Server, running, running_server

SETTLE_S = 5.0
DISTANCE_S = 30.0
"""Between kills: three crashes a minute mean "copy only"."""


async def kill_workers(server: Server, rounds: int) -> int:
    killed = 0
    for number in range(rounds):
        await asyncio.sleep(SETTLE_S + 0.37 * number)
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
            killed += 1
        await asyncio.sleep(DISTANCE_S)
    return killed


async def worker_kills(source: Path, folder: Path, rounds: int) -> dict[str, object]:
    async with running_server(folder, LADDER="always") as server:
        stream = await server.create_stream()
        async with running(FFMPEG, *push(source, server.publish_url(stream))) as encoder:
            path = f"/hls/{stream['id']}"
            master = parse_master((await server.wait_for(f"{path}/master.m3u8")).text)
            await asyncio.sleep(SETTLE_S)
            until = time.monotonic() + rounds * (DISTANCE_S + SETTLE_S + 0.2 * rounds) + SETTLE_S
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                watching = [collect(session, f"{server.http_url}{path}/{uri}", until) for uri in master]
                killed, found = await asyncio.gather(kill_workers(server, rounds), asyncio.gather(*watching))
            survived = encoder.returncode is None
    return {
        "workers_killed": killed,
        "publisher_stayed": survived,
        "renditions": {
            uri: {
                "parts": len(parts),
                "missing_s": round(sum(part.duration for part in parts if part.gap), 3),
                "discontinuities": sum(part.discontinuity for part in parts),
                "latest_s": round(max(part.fetched_at - part.start - part.duration for part in parts), 3),
            }
            for uri, parts in zip(master, found, strict=True)
        },
    }


async def server_kill(source: Path, folder: Path) -> dict[str, object]:
    async with running_server(folder, LADDER="always") as first:
        stream = await first.create_stream()
        path = f"/hls/{stream['id']}/720p/index.m3u8"
        async with running(FFMPEG, *push(source, first.publish_url(stream))):
            await first.wait_for(path, contains="#EXTINF")
            await asyncio.sleep(SETTLE_S)
            before = parse_media((await first.request(path)).text)
            first.kill()
            await first.process.wait()
    restarted = time.monotonic()
    async with running_server(folder, LADDER="always") as second:
        ready_s = time.monotonic() - restarted
        published = time.monotonic()
        async with running(FFMPEG, *push(source, second.publish_url(stream))):
            after = parse_media((await second.wait_for(path, contains="#EXT-X-PART:")).text)
            playable_s = time.monotonic() - published
    return {
        "restart_to_ready_s": round(ready_s, 3),
        "encoder_back_to_playlist_s": round(playable_s, 3),
        "media_sequence": [before.segments[-1].msn, after.segments[0].msn],
        "discontinuity_sequence": [before.discontinuity_sequence, after.discontinuity_sequence],
        "first_segment_has_discontinuity": after.segments[0].discontinuity,
    }


async def measure_kills(rounds: int) -> dict[str, object]:
    """Kill workers `rounds` times, then the server once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = await asyncio.to_thread(prepared, folder, height=720, seconds=20, bitrate="2500k")
        for part in ("workers", "server"):
            (folder / part).mkdir()
        return {
            "worker": await worker_kills(source, folder / "workers", rounds),
            "server": await server_kill(source, folder / "server"),
        }
