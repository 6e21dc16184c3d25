"""What happens to networks, machines and clocks, seen by viewers of every playlist; `make chaos` has many more."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from .audience import Audience, audience
from .server import NEW_FFMPEG, Server, encoder_args, running, running_server

FROZEN_S = 11.0
"""Longer than an encoder may be silent."""

WRAP_S = (1 << 31) / 1000
"""Where the timestamps of what FFmpeg and OBS make of FLV begin at 0 again."""


@asynccontextmanager
async def unharmed(
    server: Server, stream_id: str, *, breaks: int, lost_s: float = 0.0
) -> AsyncIterator[Audience]:
    """Watch; nothing may fail or be missing but so much, and only so many discontinuities may be there."""
    async with audience(server, stream_id) as viewers:
        yield viewers
    assert viewers.check() == []
    assert all(missing_s <= lost_s for missing_s in viewers.missing_s().values())
    assert len(viewers.discontinuities()) == breaks
    assert all(len(kept) > 2 for kept in viewers.segments.values())


async def test_machine_that_stands_still_loses_nothing(server: Server, tmp_path: Path) -> None:
    """As when a virtual one is moved: the encoder's bytes wait in the socket for longer than it may be silent."""
    stream = await server.create_stream()
    arguments = encoder_args(server.publish_url(stream), gop_s=1.0)
    async with (
        running(NEW_FFMPEG, *arguments) as encoder,
        unharmed(server, stream["id"], breaks=0) as viewers,
    ):
        await asyncio.sleep(4)
        viewers.is_paused = True
        frozen = [server.process.pid, *server.workers()]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(FROZEN_S)
        for pid in reversed(frozen):
            os.kill(pid, signal.SIGCONT)
        await server.wait_for(f"{viewers.path}/master.m3u8")
        viewers.is_paused = False
        await asyncio.sleep(4)
        assert encoder.returncode is None
    log = (tmp_path / "server.log").read_text()
    assert log.count("rtmp publishing") == 1
    assert "Traceback" not in log


async def test_server_killed_during_a_slate_goes_on_behind_it(tmp_path: Path) -> None:
    async with running_server(tmp_path, LADDER="always", SLATE_AFTER_S="1") as first:
        stream = await first.create_stream()
        arguments = encoder_args(first.publish_url(stream), gop_s=1.0)
        async with running(NEW_FFMPEG, *arguments):
            await first.wait_for(f"/hls/{stream['id']}/144p/index.m3u8", contains="#EXTINF")
            await asyncio.sleep(2)
        # The segment that was open has become a gap as long as it may have been.
        async with unharmed(first, stream["id"], breaks=2, lost_s=5.0) as viewers:
            await first.wait_for(f"{viewers.path}/144p/index.m3u8", contains="#EXT-X-DISCONTINUITY\n")
            await asyncio.sleep(3)
            viewers.is_paused = True
            first.kill()
            await first.process.wait()
            async with running_server(tmp_path, LADDER="always") as second:
                viewers.server = second
                async with running(NEW_FFMPEG, *encoder_args(second.publish_url(stream), gop_s=1.0)):
                    await second.wait_for(f"{viewers.path}/144p/index.m3u8", contains="#EXTINF")
                    viewers.is_paused = False
                    await asyncio.sleep(3)
                    viewers.is_paused = True
    assert "Traceback" not in (tmp_path / "server.log").read_text()


async def test_nobody_notices_that_timestamps_of_31_bits_roll_over(server: Server) -> None:
    stream = await server.create_stream()
    offset = f"-output_ts_offset {WRAP_S - 5}"
    arguments = encoder_args(server.publish_url(stream), gop_s=1.0, extra=offset)
    async with running(NEW_FFMPEG, *arguments), unharmed(server, stream["id"], breaks=0):
        await asyncio.sleep(9)
