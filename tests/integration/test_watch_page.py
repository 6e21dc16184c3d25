"""The watch page in a real Chromium against the real server, with the demo broadcaster as the encoder."""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import os
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest

from .browser import CHROMIUM, PHONE, Browser, ShownFrame, WatchPage, open_browser
from .playlist import parse_media
from .server import NEW_FFMPEG, Server, demo, encoder_args, running, running_server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists() and "CI" not in os.environ,
        reason="no Chromium; scripts/system-packages installs it",
    ),
]
RUNGS = ["720p", "480p", "360p", "240p", "144p"]
LATENCY_S = 6.0
"""Close to live, not a rewound or stale picture; the exact figure is `benchmarks/page.py`'s."""
BAD_ERRORS = ("fatal", "buffer", "frag", "media")
"""Not bad: a playlist without a whole segment yet is asked for again, a load is aborted when the rung changes."""


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with open_browser(tmp_path) as opened:
        yield opened


def read_counters(frames: Sequence[ShownFrame]) -> list[int]:
    """Frame counters of the frames whose strip could be read: nearly all of them."""
    counters = [frame.stamp.frame for frame in frames if frame.stamp is not None]
    assert len(counters) > 0.9 * len(frames) > 5, f"{len(counters)} of {len(frames)} frames could be read"
    return counters


async def require_motion(page: WatchPage, seconds: float = 3.0) -> list[ShownFrame]:
    """Check that the picture moves and never back."""
    frames = await page.read_frames(seconds)
    counters = read_counters(frames)
    assert all(before < after for before, after in pairwise(counters)), counters
    assert counters[-1] - counters[0] > 10 * seconds, counters
    return frames


async def test_every_rung_plays_close_to_live(server: Server, browser: Browser) -> None:
    stream = await server.create_stream(quality="720p")
    async with demo(server.publish_url(stream)):
        page = await browser.watch(f"{server.http_url}/watch/{stream['id']}?transport=hls")
        await page.wait_until_playing()
        assert await page.qualities() == RUNGS
        for rung in reversed(RUNGS):
            await page.choose_quality(rung)
            frames = await require_motion(page, 2.0)
            assert {frame.height for frame in frames} == {int(rung[:-1])}
        frames = await require_motion(page)
        latencies = sorted(frame.latency_s for frame in frames if frame.latency_s is not None)
        stats = await page.stats()
        assert latencies[len(latencies) // 2] <= LATENCY_S
        assert stats["stalls"] == 0
        assert [error for error in stats["errors"] if error.startswith(BAD_ERRORS)] == []
        await page.screenshot("watch-desktop")
        assert page.unexpected_errors() == []


async def test_page_waits_for_the_encoder_and_sees_the_end(server: Server, browser: Browser) -> None:
    stream = await server.create_stream(quality="480p", title="An evening with a clock")
    page = await browser.watch(f"{server.http_url}/watch/{stream['id']}", size=PHONE)
    await page.wait_for_phase("waiting")
    await page.page.get_by_role("heading", name="An evening with a clock").wait_for()
    await page.screenshot("watch-waiting")
    async with demo(server.publish_url(stream)):
        await page.wait_until_playing()
        await require_motion(page)
        await page.screenshot("watch-phone")
        await server.api("POST", f"/streams/{stream['id']}/end")
        await page.wait_for_phase("ended", 20)
    await page.screenshot("watch-ended")
    assert page.unexpected_errors() == []


async def test_the_owner_learns_how_viewers_fare(server: Server, browser: Browser) -> None:
    stream = await server.create_stream(quality="480p")
    async with demo(server.publish_url(stream)):
        page = await browser.watch(f"{server.http_url}/watch/{stream['id']}")
        await page.wait_until_playing()
        await require_motion(page)
        await page.page.goto("about:blank")  # who leaves before ten seconds are over tells that, too
        experience = None
        async with asyncio.timeout(25):
            while experience is None:
                await asyncio.sleep(0.5)
                experience = (await server.api("GET", f"/streams/{stream['id']}/analytics"))["experience"]
    assert experience["reports"] == 1
    assert 10 < experience["startup_ms"]["median"] < 15_000
    assert 0 < experience["latency_s"]["median"] <= LATENCY_S
    assert set(experience["rungs"]) <= set(RUNGS)
    assert sum(experience["rungs"].values()) == 1
    assert page.unexpected_errors() == []


@pytest.mark.parametrize("transport", ["webrtc", "hls"])
async def test_page_goes_on_when_the_encoder_comes_back(
    tmp_path: Path, browser: Browser, transport: str
) -> None:
    """Without a slate players run dry: the page says why."""
    folder = tmp_path / "data"
    folder.mkdir()
    async with running_server(folder, LADDER="always", SLATE_AFTER_S="60") as server:
        stream = await server.create_stream(quality="480p")
        page = await browser.watch(f"{server.http_url}/watch/{stream['id']}?transport={transport}")
        async with demo(server.publish_url(stream)):
            await page.wait_until_playing()
            await require_motion(page)
        lost = page.page.get_by_text("The broadcaster lost the connection")
        await lost.wait_for(timeout=15_000)
        async with demo(server.publish_url(stream)):
            await lost.wait_for(state="detached", timeout=15_000)
            await require_motion(page)
            assert (await page.stats())["latency"] <= LATENCY_S
            assert (await page.stats())["transport"] == transport
        assert page.unexpected_errors() == []


async def test_players_of_every_rung_go_on_after_a_slate(server: Server, browser: Browser) -> None:
    """The encoder is away for longer than players wait: they see the slate, then the show; nobody loads a page anew."""
    stream = await server.create_stream(quality="480p")
    rungs = RUNGS[1:]
    async with demo(server.publish_url(stream)):
        pages = [
            await browser.watch(f"{server.http_url}/watch/{stream['id']}?transport=hls", size=PHONE)
            for _ in rungs
        ]
        for page, rung in zip(pages, rungs, strict=True):
            await page.wait_until_playing()
            await page.choose_quality(rung)
            await page.page.evaluate("() => { window.isSamePage = true; }")
    for page in pages:
        await page.page.bring_to_front()  # browsers show those behind it a few frames a second
        await page.wait_for_slate()
    await pages[0].screenshot("watch-slate")
    async with demo(server.publish_url(stream)):
        for page, rung in zip(pages, rungs, strict=True):
            await page.page.bring_to_front()
            await page.wait_for_strip()
            frames = await require_motion(page)
            assert {frame.height for frame in frames} == {int(rung[:-1])}
            assert await page.page.evaluate("() => window.isSamePage")
            assert [e for e in (await page.stats())["errors"] if e.startswith("fatal")] == []
            assert page.unexpected_errors() == []
            await page.close()
    playlist = parse_media((await server.request(f"/hls/{stream['id']}/480p/index.m3u8")).text)
    assert sum(segment.discontinuity for segment in playlist.segments) == 2


PLACE = "() => document.querySelector('video').currentTime"
PLAYS_BEYOND = "place => document.querySelector('video')?.currentTime > place"
SOURCES = {
    "AV1, Opus": (
        "-re -f lavfi -i testsrc2=size=640x360:rate=25 -re -f lavfi -i sine=frequency=440:sample_rate=48000 "
        "-c:v libsvtav1 -preset 12 -g 50 -pix_fmt yuv420p -c:a libopus -ac 2"
    ),
    "HEVC, AC-3": (
        "-re -f lavfi -i testsrc2=size=640x360:rate=25 -re -f lavfi -i sine=frequency=440:sample_rate=48000 "
        "-c:v libx265 -preset ultrafast -x265-params keyint=50:log-level=error -pix_fmt yuv420p -c:a ac3 -ac 2"
    ),
    "audio alone": "-re -f lavfi -i sine=frequency=440:sample_rate=44100 -c:a aac -ac 1",
}


@pytest.mark.parametrize("source", SOURCES)
async def test_sources_of_other_codecs_play(server: Server, browser: Browser, source: str) -> None:
    stream = await server.create_stream()
    arguments = ["-hide_banner", "-loglevel", "error", *SOURCES[source].split()]
    async with running(NEW_FFMPEG, *arguments, "-f", "flv", server.publish_url(stream)):
        page = await browser.watch(f"{server.http_url}/watch/{stream['id']}?transport=hls")
        await page.page.wait_for_function(
            "() => document.querySelector('video')?.currentTime > 3", timeout=25_000, polling=100
        )
        if source.startswith("AV1"):
            assert await page.qualities() == ["360p", "360p AV1", "240p", "144p"]
            await page.page.select_option("select.quality", "360p-av1")
            await page.page.wait_for_function(
                "() => window.__player.level === '360p-av1'", timeout=15_000, polling=100
            )
            now = await page.page.evaluate("() => document.querySelector('video').currentTime")
            await page.page.wait_for_function(
                "then => document.querySelector('video').currentTime > then + 3", arg=now, timeout=15_000
            )
        errors = (await page.stats())["errors"]
        assert [error for error in errors if error.startswith(("fatal", "media"))] == []
        assert page.unexpected_errors() == []


async def test_copy_in_another_codec_goes_on_over_a_slate_and_a_source_that_it_cannot_copy(
    server: Server, browser: Browser
) -> None:
    stream = await server.create_stream()
    first = ["-hide_banner", "-loglevel", "error", *SOURCES["AV1, Opus"].split(), "-f", "flv"]
    async with running(NEW_FFMPEG, *first, server.publish_url(stream)):
        page = await browser.watch(f"{server.http_url}/watch/{stream['id']}?transport=hls")
        await page.page.wait_for_function(PLAYS_BEYOND, arg=3, timeout=25_000)
        await page.page.select_option("select.quality", "360p-av1")
        await page.page.wait_for_function("() => window.__player.level === '360p-av1'", timeout=15_000)
        before = await page.page.evaluate(PLACE)
        await page.page.wait_for_function(PLAYS_BEYOND, arg=before + 2, timeout=15_000)
    before = await page.page.evaluate(PLACE)
    await page.page.wait_for_function(PLAYS_BEYOND, arg=before + 4, timeout=20_000)  # more than was buffered
    second = encoder_args(server.publish_url(stream), size="320x180")
    async with running(NEW_FFMPEG, *second):
        await page.page.wait_for_function(
            "() => document.querySelector('video').videoHeight === 180", timeout=20_000
        )
        before = await page.page.evaluate(PLACE)
        await page.page.wait_for_function(PLAYS_BEYOND, arg=before + 3, timeout=15_000)
        stats = await page.stats()
        assert stats["level"] == "360p-av1"
        assert [error for error in stats["errors"] if error.startswith(("fatal", "media"))] == []
        assert page.unexpected_errors() == []


async def test_keyboard(server: Server, browser: Browser) -> None:
    stream = await server.create_stream(quality="480p")
    async with demo(server.publish_url(stream)):
        page = await browser.watch(f"{server.http_url}/watch/{stream['id']}")
        await page.wait_until_playing()
        state = "() => { const v = document.querySelector('video'); return [v.muted, v.paused]; }"
        assert await page.page.evaluate(state) == [True, False]
        await page.page.keyboard.press("m")
        assert await page.page.evaluate(state) == [False, False]
        await page.page.keyboard.press(" ")
        assert await page.page.evaluate(state) == [False, True]
        await page.page.keyboard.press(" ")
        await require_motion(page, 2.0)


async def test_list_leads_to_the_stream_and_an_unknown_one_is_explained(
    server: Server, browser: Browser
) -> None:
    stream = await server.create_stream(title="Now on air")
    page = await browser.watch(f"{server.http_url}/")
    await page.page.get_by_role("link", name="Now on air").click()
    await page.page.wait_for_url(f"**/watch/{stream['id']}")
    await page.wait_for_phase("waiting")
    missing = await browser.watch(f"{server.http_url}/watch/{uuid4()}", size=PHONE)
    await missing.wait_for_phase("missing")
    await missing.page.get_by_text("There is no such broadcast").wait_for()
