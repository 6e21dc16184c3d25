"""WHEP in a real Chromium against the real server."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from .browser import CHROMIUM, Browser, open_browser
from .server import NEW_FFMPEG, Server, encoder_args, running
from .whep_player import WhepPlayer, longest_gap_s

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists() and "CI" not in os.environ,
        reason="no Chromium; scripts/system-packages installs it",
    ),
]
SIZE = (640, 360)
LATENCY_S = 1.5
"""Glass to glass on whatever machine runs the tests; the exact figure is a benchmark's."""
SYNC_S = 0.1
LATE_S = 8
"""When an encoder begins to reorder that has not said that it would."""


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with open_browser(tmp_path) as opened:
        yield opened


def small_demo(url: str) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """Publish the demo picture at 360 lines: decoding it leaves the machine to the rest."""
    size = ("--size", "640x360", "--bitrate", "900k")
    return running(sys.executable, "-m", "mediaserver.demo_source", url, "--with-parent", *size)


async def wait_for_viewers(server: Server, stream_id: str, count: int) -> None:
    async with asyncio.timeout(10):
        while (await server.api("GET", f"/streams/{stream_id}"))["viewer_count"] != count:  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def test_a_viewer_sees_hears_chooses_and_leaves(server: Server, browser: Browser) -> None:
    stream = await server.create_stream()
    async with small_demo(server.publish_url(stream)):
        await server.wait_for(f"/hls/{stream['id']}/master.m3u8")
        player = await WhepPlayer.open(browser, server.http_url)
        await player.watch(stream["id"])
        await player.wait_for_picture()
        await wait_for_viewers(server, stream["id"], 1)
        await require_picture(player)
        await require_sound_in_sync(player)

        chosen = await player.choose("144p")
        assert (chosen.status, json.loads(chosen.body)["chosen"]) == (200, "144p")
        await player.wait_for_height(144)
        await player.choose("360p")
        await player.wait_for_height(360)
        assert json.loads((await player.choose(None)).body)["chosen"] is None
        assert (await player.choose("8k")).status == 404

        await require_ice_restart(player)
        assert (await player.end()).status == 200
        await player.wait_for_state("disconnected", "failed", "closed")
        await wait_for_viewers(server, stream["id"], 0)
        assert (await player.end()).status == 404
    assert player.page_errors == []


async def require_picture(player: WhepPlayer) -> None:
    """Check that the demo picture moves forward, in its size, close to live."""
    frames = await player.frames(2)
    assert len(frames) > 20
    assert {(frame.width, frame.height) for frame in frames} == {SIZE}
    shown = await player.read_frames(2)
    stamps = [frame.stamp.frame for frame in shown if frame.stamp is not None]
    assert len(stamps) > 0.9 * len(shown) > 5
    assert stamps == sorted(set(stamps))
    latencies = [frame.latency_s for frame in shown if frame.latency_s is not None]
    assert 0 < statistics.median(latencies) < LATENCY_S, latencies


async def require_sound_in_sync(player: WhepPlayer) -> None:
    """Check that there is sound, and that it comes together with its picture, by the sender reports.

    Chromium lets a picture begin at once, sound when it has some of it, and then brings both together little by little.
    """
    before = (await player.stats())["audio"]["totalAudioEnergy"]
    apart_s: list[float] = []
    async with asyncio.timeout(30):
        while len(apart_s) < 5 or max(map(abs, apart_s[-5:])) > SYNC_S:
            await asyncio.sleep(0.5)
            stats = await player.stats()
            times_ms = [stats[kind].get("estimatedPlayoutTimestamp") for kind in ("video", "audio")]
            if None not in times_ms:
                apart_s.append((times_ms[0] - times_ms[1]) / 1000)
    assert stats["audio"]["totalAudioEnergy"] > before
    assert stats["audio"]["packetsLost"] == 0


async def require_ice_restart(player: WhepPlayer) -> None:
    """Check that a restart takes the right entity tag, and that the picture goes on in a new ICE session."""
    assert (await player.restart_ice(None)).status == 428
    assert (await player.restart_ice('"another"')).status == 412
    before = (await player.stats())["transport"]["selectedCandidatePairId"]
    restarted = await player.restart_ice()
    assert restarted.status == 200
    assert restarted.headers["etag"]
    async with asyncio.timeout(10):
        while (await player.stats())["transport"]["selectedCandidatePairId"] == before:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert len(await player.frames(1)) > 10
    assert await player.state() == "connected"


async def test_a_private_stream_and_its_end(server: Server, browser: Browser) -> None:
    stream = await server.create_stream(is_private=True)
    private = stream["hls_url"].split("/")[-2]
    assert private.startswith("~")
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
        await server.wait_for(f"/hls/{stream['id']}/{private}/master.m3u8")
        first, second = [await WhepPlayer.open(browser, server.http_url) for _ in range(2)]
        assert (await first.offer(stream["id"])).status == 404
        assert (await first.offer(f"{stream['id']}/~wrong")).status == 404
        assert (await first.offer(stream["id"], token="wrong")).status == 404
        await first.watch(f"{stream['id']}/{private}")
        await first.wait_for_picture()
        await second.watch(stream["id"], token=private[1:])
        await second.wait_for_picture()
        await server.api("POST", f"/streams/{stream['id']}/end")
        for player in (first, second):
            await player.wait_for_state("disconnected", "failed", "closed")
        assert (await first.end()).status == 404


async def test_b_frames_are_never_sent(server: Server, browser: Browser) -> None:
    """A source that has them from the start, and one that begins with them while it is watched as it is."""
    first, second = [await server.create_stream() for _ in range(2)]
    late = rf"-bsf:v setts=pts=PTS+gt(DTS*TB\,{LATE_S})*0.08/TB"
    async with (
        running(NEW_FFMPEG, *encoder_args(server.publish_url(first), extra="-bf 2")),
        running(NEW_FFMPEG, *encoder_args(server.publish_url(second), extra=late)),
    ):
        players = [await WhepPlayer.open(browser, server.http_url) for _ in range(2)]
        await server.wait_for(f"/hls/{second['id']}/360p/index.m3u8", contains="#EXTINF")
        for player, stream in zip(players, (first, second), strict=True):
            await player.watch(stream["id"])
        # Its own size is encoded anew where the machine has room for it; else the next rung is the best one.
        for player in players:
            await player.wait_for_picture()
        await asyncio.sleep(LATE_S)
        health = await server.api("GET", f"/streams/{second['id']}/health")
        assert {rung["name"]: rung["kind"] for rung in health["rungs"]}["360p"] == "copied", "for HLS"
        for player in players:
            await player.page.bring_to_front()
            frames = await player.frames(3)
            assert {frame.height for frame in frames} <= {360, 240}
            assert longest_gap_s(frames) < 1.5, (
                "pictures that are not in order would hold up those behind them"
            )
            assert len(frames) > 30
