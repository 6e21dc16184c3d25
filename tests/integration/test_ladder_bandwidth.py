"""What leads a player of the page to another quality while qualities are made on demand: bandwidth, nothing else."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Request

from .browser import Browser, WatchPage, open_browser
from .server import NEW_FFMPEG, Server, encoder_args, running
from .test_ladder_players import LEFT, SIZE, pytestmark
from .test_ladder_shed import server

__all__ = ["pytestmark", "server"]

LATE_S = 0.5
"""How long the server is away: as long as a part, so that what is buffered lasts."""


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    folder = tmp_path / "browser"
    folder.mkdir()
    async with open_browser(folder) as opened:
        yield opened


async def limit(page: WatchPage, bytes_per_s: int) -> None:
    """Let the browser receive no more than that."""
    devtools = await page.page.context.new_cdp_session(page.page)
    conditions = {"offline": False, "latency": 0, "downloadThroughput": bytes_per_s, "uploadThroughput": -1}
    await devtools.send("Network.enable")
    await devtools.send("Network.emulateNetworkConditions", conditions)


async def test_server_that_is_late_is_no_slow_network(server: Server, browser: Browser) -> None:
    """It stops for half a second when a part has been asked for, early on: the page stays with the quality it has."""
    stream = await server.create_stream()
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), size=SIZE)):
        await server.wait_for(f"/hls/{stream['id']}/720p/index.m3u8", contains="#EXTINF")
        for nth in (4, 6, 8):
            page = await browser.watch("about:blank")
            media: list[str] = []

            def stop_at(request: Request, nth: int = nth, media: list[str] = media) -> None:
                if not request.url.endswith(".m4s") or "/audio/" in request.url:
                    return
                media.append(request.url.split("/")[5])
                if len(media) == nth:
                    server.process.send_signal(signal.SIGSTOP)
                    asyncio.get_running_loop().call_later(LATE_S, server.process.send_signal, signal.SIGCONT)

            page.page.on("request", stop_at)
            await page.page.goto(f"{server.http_url}/watch/{stream['id']}?transport=hls")
            await page.wait_until_playing()
            await asyncio.sleep(4)
            await page.page.close()
            assert len(media) > nth
            assert set(media) == {"720p"}


async def test_slow_network_is_left_room(server: Server, browser: Browser) -> None:
    stream = await server.create_stream()
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), size=SIZE)):
        await server.wait_for(f"/hls/{stream['id']}/720p/index.m3u8", contains="#EXTINF")
        page = await browser.watch(f"{server.http_url}/watch/{stream['id']}?transport=hls")
        await page.wait_until_playing()
        await limit(page, 60_000)
        await page.page.wait_for_function(LEFT, arg="720p", timeout=25_000)
        await page.wait_until_playing(30)
        assert (await page.stats())["auto"]
