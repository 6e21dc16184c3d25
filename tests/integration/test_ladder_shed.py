"""A rung that is shed and comes back, for a player that knows nothing of gaps: ffmpeg."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .playlist import parse_media
from .server import NEW_FFMPEG, STEADY, Server, encoder_args, running, running_server

RATE = 25
FRAMES_S = 30.0
"""How long ffmpeg may take to show some more frames: it has to find the end of the gap first."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    folder = tmp_path / "server"
    folder.mkdir()
    async with running_server(folder, STEADY, LADDER="on_demand") as running:
        yield running


async def wait_until_made(server: Server, path: str) -> None:
    """Wait until the newest whole segment of a playlist is no gap any more."""
    for _ in range(100):
        segments = parse_media((await server.request(path)).text).complete
        if segments and not segments[-1].gap:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"{path} still ends in a gap")


async def frames_before_gap(server: Server, path: str) -> int:
    """Count the frames of all segments before the first one that is a gap."""
    segments = parse_media((await server.request(path)).text).segments
    first = next(index for index, segment in enumerate(segments) if segment.gap)
    return round(RATE * sum(segment.duration or 0 for segment in segments[:first]))


async def frames_beyond(reader: asyncio.StreamReader, count: int) -> None:
    """Read ffmpeg's progress until more frames than that have been shown."""
    shown = 0
    async with asyncio.timeout(FRAMES_S):
        while shown <= count:
            line = (await reader.readline()).decode()
            assert line, "ffmpeg has ended"
            if line.startswith("frame="):
                shown = int(line[6:])


async def test_ffmpeg_goes_on_behind_a_gap(server: Server) -> None:
    stream = await server.create_stream()
    path = f"/hls/{stream['id']}/240p/index.m3u8"
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
        await server.wait_for(path, contains="#EXTINF")
        player = await asyncio.create_subprocess_exec(
            *(NEW_FFMPEG, "-v", "quiet", "-i", server.http_url + path),
            *("-f", "null", "-progress", "pipe:1", "-"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert player.stdout is not None
            await frames_beyond(player.stdout, 10)
            server.tell("shed 240p")
            await server.wait_for(path, contains="#EXT-X-GAP")
            server.tell("restore 240p")
            await wait_until_made(server, path)
            await frames_beyond(player.stdout, await frames_before_gap(server, path) + RATE)
        finally:
            player.kill()
            await player.communicate()
