"""Rewinding on the watch page, in a real Chromium."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from .browser import CHROMIUM, PHONE, Browser, WatchPage, open_browser
from .server import Server, demo, running_server
from .test_rewind import SHORT, long_enough

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists() and "CI" not in os.environ,
        reason="no Chromium; scripts/system-packages installs it",
    ),
]


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with open_browser(tmp_path) as opened:
        yield opened


async def shown_age(page: WatchPage) -> float:
    """Say how old the picture on the screen is, in seconds."""
    async with asyncio.timeout(15):
        while True:
            ages = [f.latency_s for f in await page.read_frames(0.5) if f.latency_s is not None]
            if ages:
                return ages[-1]


async def wait_for_age(page: WatchPage, low: float, high: float) -> None:
    async with asyncio.timeout(15):
        while not low <= await shown_age(page) <= high:
            pass


async def count_connections(server: Server, most: list[int]) -> None:
    """Keep the highest number of connections of the one page that is open."""
    port, process = urlsplit(server.http_url).port, psutil.Process(server.process.pid)
    while True:
        connections = await asyncio.to_thread(process.net_connections, "tcp")
        now = [one for one in connections if one.laddr.port == port and one.status == psutil.CONN_ESTABLISHED]
        most[0] = max(most[0], len(now))
        await asyncio.sleep(0.05)


async def test_the_bar_goes_back_and_to_live_again(tmp_path: Path, browser: Browser) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    async with running_server(folder, **SHORT) as server:
        stream = await server.create_stream(quality="480p")
        async with demo(server.publish_url(stream)):
            address = f"{server.http_url}/watch/{stream['id']}?transport=hls"
            await long_enough(server, f"/hls/{stream['id']}/480p/index.m3u8")
            await asyncio.sleep(1)  # what has asked until now is gone
            page, most = await browser.watch(address), [0]
            counting = asyncio.create_task(count_connections(server, most))
            await page.wait_until_playing()
            await long_enough(server, f"/hls/{stream['id']}/480p/index.m3u8")
            bar = page.page.get_by_role("slider", name="Rewind")
            assert await bar.get_attribute("aria-valuetext") == "You are watching live"
            assert most[0] <= 4, "of the six that a browser opens to one host"
            box = await bar.bounding_box()
            assert box is not None
            await page.page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2)
            await page.page.locator(".seek-preview").wait_for()
            await page.screenshot("watch-rewind")
            await page.page.mouse.click(box["x"] + 1, box["y"] + box["height"] / 2)
            await wait_for_age(page, 8, 40)
            stalls = (await page.stats())[
                "stalls"
            ]  # parts of 0.2 s leave little to play when the machine is busy
            first = await shown_age(page)
            assert "behind live" in (await bar.get_attribute("aria-valuetext") or "")
            await asyncio.sleep(3)
            assert abs(await shown_age(page) - first) < 1.5, "who has rewound stays behind"
            assert (await page.stats())["stalls"] == stalls
            # Pausing loses nothing.
            await page.page.keyboard.press(" ")
            await asyncio.sleep(2)
            await page.page.keyboard.press(" ")
            await wait_for_age(page, first + 1.5, first + 6)
            await bar.focus()
            await page.page.keyboard.press("ArrowRight")
            await wait_for_age(page, first - 4, first)
            await page.page.get_by_title("Go to live").click()
            await wait_for_age(page, 0, 4)
            assert [e for e in (await page.stats())["errors"] if e.startswith("fatal")] == []
            counting.cancel()
            assert most[0] <= 5, "a picture over the bar may take one more"
            await page.close()
            # Start over by the address, on a phone.
            page = await browser.watch(f"{address}&start=0", size=PHONE)
            await page.wait_until_playing()
            assert (await page.stats())["rewind"]["position"] - (await page.stats())["rewind"]["start"] < 5
            assert await shown_age(page) > 10
            await page.screenshot("watch-rewind-phone")
            assert page.unexpected_errors() == []
        await server.api("POST", f"/streams/{stream['id']}/end")
        page = await browser.watch(address)
        await page.wait_until_playing()
        bar = page.page.get_by_role("slider", name="Rewind")
        assert " of " in (await bar.get_attribute("aria-valuetext") or "")
        await bar.focus()
        await page.page.keyboard.press("End")
        await page.wait_for_phase("ended")
        assert page.unexpected_errors() == []


async def test_the_end_of_a_recording_that_is_loaded_is_reached(tmp_path: Path, browser: Browser) -> None:
    """Sound is a little longer than the pictures: at the very end only one of them has something to show."""
    folder = tmp_path / "data"
    folder.mkdir()
    async with running_server(folder, **SHORT) as server:
        stream = await server.create_stream(quality="480p")
        async with demo(server.publish_url(stream)):
            await long_enough(server, f"/hls/{stream['id']}/480p/index.m3u8")
        await server.api("POST", f"/streams/{stream['id']}/end")
        page = await browser.watch(f"{server.http_url}/watch/{stream['id']}")
        await page.wait_until_playing()
        await page.page.wait_for_function(
            "() => { const r = window.__player.rewind; return r && r.buffered > r.end - 0.1; }"
        )
        bar = page.page.get_by_role("slider", name="Rewind")
        await bar.press("End")
        await page.wait_for_phase("ended")
        assert page.unexpected_errors() == []
