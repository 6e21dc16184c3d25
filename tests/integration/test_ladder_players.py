"""Players on a ladder whose rungs are made when somebody asks for them: who arrives, who switches."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .bare_player import PLAYERS, BarePlayer
from .browser import CHROMIUM, Browser, open_browser
from .server import NEW_FFMPEG, Server, encoder_args, running, running_server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists() and "CI" not in os.environ,
        reason="no Chromium; scripts/system-packages installs it",
    ),
]
SIZE = "1280x720"


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    folder = tmp_path / "browser"
    folder.mkdir()
    async with open_browser(folder) as opened:
        yield opened


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    folder = tmp_path / "server"
    folder.mkdir()
    async with running_server(folder, LADDER="on_demand") as running:
        yield running


@pytest.mark.parametrize("name", PLAYERS)
async def test_switch_to_a_rung_that_nobody_watched(server: Server, browser: Browser, name: str) -> None:
    stream = await server.create_stream()
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), size=SIZE)):
        await server.wait_for(f"/hls/{stream['id']}/720p/index.m3u8", contains="#EXTINF")
        player = await BarePlayer.open(browser, server, stream["id"], name)
        await player.wait_until_playing()
        assert sorted(await player.heights()) == [144, 240, 360, 480, 720]
        await player.choose(480)
        await player.choose(144)
        await player.wait_for(2)
        await player.choose(720)
        await player.wait_for(2)
        assert await player.errors() == []
        # Shaka begins where its first guess of the bandwidth leads.
        assert player.rungs_asked_for() - {"360p"} == {"720p", "480p", "144p"}


async def test_page_asks_for_the_first_rung_alone(server: Server, browser: Browser) -> None:
    stream = await server.create_stream()
    asked: set[str] = set()
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), size=SIZE)):
        await server.wait_for(f"/hls/{stream['id']}/720p/index.m3u8", contains="#EXTINF")
        page = await browser.blank((390, 844))
        page.on(
            "request",
            lambda request: (
                asked.add(request.url.split("/")[-2]) if f"/hls/{stream['id']}" in request.url else None
            ),
        )
        await page.goto(f"{server.http_url}/watch/{stream['id']}", wait_until="domcontentloaded")
        await page.wait_for_function(
            "() => document.querySelector('video')?.currentTime > 8", timeout=30_000, polling=100
        )
    assert {name for name in asked if name.endswith("p")} == {"720p"}
