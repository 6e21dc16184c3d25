"""DASH players on the real server, side by side: live, over a reconnect, and what has ended; ffmpeg too."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.program import need

from .bare_player import DASH_PLAYERS, BarePlayer
from .browser import CHROMIUM, Browser, open_browser
from .server import NEW_FFMPEG, Server, encoder_args, running
from .test_ladder_shed import server

__all__ = ["server"]

MAX_LATENCY_S = 8.0
"""No measure of anything, but two segments and more: who does not play what is being made is further behind."""


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    folder = tmp_path / "browser"
    folder.mkdir()
    async with open_browser(folder) as opened:
        yield opened


@pytest.mark.browser
@pytest.mark.skipif(
    not CHROMIUM.exists() and "CI" not in os.environ,
    reason="no Chromium; scripts/system-packages installs it",
)
async def test_players_go_on_over_a_reconnect_and_play_what_has_ended(
    server: Server, browser: Browser
) -> None:
    stream = await server.create_stream()
    manifest = f"/dash/{stream['id']}/manifest.mpd"
    encoder = encoder_args(server.publish_url(stream))
    async with running(NEW_FFMPEG, *encoder):
        await server.wait_for(manifest, contains="availabilityTimeOffset")
        players = [
            await BarePlayer.open(browser, server, stream["id"], name, is_dash=True) for name in DASH_PLAYERS
        ]
        for player in players:
            await player.wait_until_playing()
            assert await player.latency() < MAX_LATENCY_S
    async with running(NEW_FFMPEG, *encoder):
        answer = await server.wait_for(manifest, contains="</Period>\n<Period")
        assert answer.headers["Content-Type"] == "application/dash+xml"
        for player in players:
            await player.wait_for(6)
            assert await player.errors() == []
    await server.api("POST", f"/streams/{stream['id']}/end")
    await server.wait_for(manifest, contains='type="static"')
    for name in DASH_PLAYERS:
        late = await BarePlayer.open(browser, server, stream["id"], name, is_dash=True)
        await late.wait_for(3)
        assert await late.errors() == []


async def test_ffmpeg_plays_a_manifest(server: Server) -> None:
    stream = await server.create_stream()
    manifest = f"/dash/{stream['id']}/manifest.mpd"
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
        await server.wait_for(manifest, contains="availabilityTimeOffset")
        await _decode(server.http_url + manifest, 4)


async def _decode(url: str, seconds: int) -> None:
    process = await asyncio.create_subprocess_exec(
        need("ffmpeg"),
        *("-hide_banner", "-loglevel", "error", "-xerror", "-i", url, "-t", str(seconds), "-f", "null", "-"),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(process.communicate(), 40)
    assert (process.returncode, errors) == (0, b"")
