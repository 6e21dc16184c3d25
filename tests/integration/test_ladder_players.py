"""Players on a ladder whose rungs are made when somebody asks for them: who arrives, who switches."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Request

from .bare_player import PLAYERS, BarePlayer
from .browser import CHROMIUM, PHONE, Browser, open_browser
from .server import NEW_FFMPEG, Server, encoder_args, running
from .test_ladder_shed import server, wait_until_made

__all__ = ["server"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists() and "CI" not in os.environ,
        reason="no Chromium; scripts/system-packages installs it",
    ),
]
SIZE = "1280x720"
LEFT = "name => window.__player.level && window.__player.level !== name"
LOST_HINT = {"fragLoadError", "2: 1001"}
"""A part that was promised by a hint and never came: its 404 is what a player asks again after, and says."""


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    folder = tmp_path / "browser"
    folder.mkdir()
    async with open_browser(folder) as opened:
        yield opened


@pytest.mark.parametrize("name", PLAYERS)
async def test_rung_that_nobody_watched_and_that_is_shed_and_comes_back(
    server: Server, browser: Browser, name: str
) -> None:
    """Players leave a shed rung by themselves (Shaka when its page lets it) and take it again when told to."""
    stream = await server.create_stream()
    playlist = f"/hls/{stream['id']}/480p/index.m3u8"
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), size=SIZE)):
        await server.wait_for(f"/hls/{stream['id']}/720p/index.m3u8", contains="#EXTINF")
        player = await BarePlayer.open(browser, server, stream["id"], name)
        await player.wait_until_playing()
        assert sorted(await player.heights()) == [144, 240, 360, 480, 720]
        await player.choose(480)
        assert await player.errors() == []
        server.tell("shed 480p")
        await server.wait_for(playlist, contains="#EXT-X-GAP")
        await player.wait_until_left(480)
        await player.wait_for(2)
        server.tell("restore 480p")
        await wait_until_made(server, playlist)
        await player.choose(480)
        await player.wait_for(2)
        assert set(await player.errors()) <= LOST_HINT


async def test_page_takes_the_first_rung_leaves_one_that_is_shed_and_comes_back(
    server: Server, browser: Browser
) -> None:
    stream = await server.create_stream()
    asked: set[str] = set()

    def note(request: Request) -> None:
        if f"/hls/{stream['id']}/" in request.url:
            asked.add(request.url.split("/")[5])

    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), size=SIZE)):
        await server.wait_for(f"/hls/{stream['id']}/720p/index.m3u8", contains="#EXTINF")
        page = await browser.watch(f"{server.http_url}/watch/{stream['id']}?transport=hls", size=PHONE)
        page.page.on("request", note)
        await page.wait_until_playing()
        await asyncio.sleep(4)
        assert asked - {"audio", "master.m3u8"} == {"720p"}, (
            "who arrives wakes nothing, however small the screen"
        )
        await page.choose_quality("480p", timeout_s=25)
        server.tell("shed 480p")
        await page.page.wait_for_function(LEFT, arg="480p", timeout=25_000)
        await page.wait_until_playing()
        server.tell("restore 480p")
        await page.wait_for_level("480p", 25)
        stats = await page.stats()
        assert [error for error in stats["errors"] if error.startswith(("fatal", "buffer", "media"))] == []
        waiting = [error for error in page.unexpected_errors() if "404" not in error]
        assert waiting == [], "a 404 is a part that was promised by a hint and never came"
