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
from typing import Any

import httpx
import pytest

from .browser import CHROMIUM, Browser, open_browser
from .server import NEW_FFMPEG, Server, encoder_args, running
from .whep_player import WhepPlayer

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
NO_B_FRAMES_FOR_S = 11
"""The server trusts a source that may have B-frames when it has shown none for ten seconds."""


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
        while (await server.api("GET", f"/streams/{stream_id}"))["viewer_count"] != count:
            await asyncio.sleep(0.2)


async def layers(server: Server, location: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=server.http_url) as client:
        found: dict[str, Any] = (await client.get(f"{location}/layer")).json()
        return found


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
    """Check that there is sound, and that it belongs to the picture it comes with, by the sender reports."""
    before = (await player.stats())["audio"]["totalAudioEnergy"]
    apart_s = []
    for _ in range(8):
        await asyncio.sleep(0.5)
        stats = await player.stats()
        times_ms = [stats[kind].get("estimatedPlayoutTimestamp") for kind in ("video", "audio")]
        if None not in times_ms:
            apart_s.append((times_ms[0] - times_ms[1]) / 1000)
    assert stats["audio"]["totalAudioEnergy"] > before
    assert stats["audio"]["packetsLost"] == 0
    assert len(apart_s) > 4
    assert abs(statistics.median(apart_s)) < SYNC_S, apart_s


async def require_ice_restart(player: WhepPlayer) -> None:
    """Check that a restart takes the right entity tag, and that the picture goes on in a new ICE session."""
    assert (await player.restart_ice(None)).status == 428
    assert (await player.restart_ice('"another"')).status == 412
    before = (await player.stats())["pair"]
    restarted = await player.restart_ice()
    assert restarted.status == 200
    assert restarted.headers["etag"]
    async with asyncio.timeout(10):
        while (await player.stats())["pair"]["id"] == before["id"]:
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
        assert (await first.offer(stream["id"], token="wrong")).status == 404  # noqa: S106
        await first.watch(f"{stream['id']}/{private}")
        await first.wait_for_picture()
        await second.watch(stream["id"], token=private[1:])
        await second.wait_for_picture()
        await wait_for_viewers(server, stream["id"], 2)
        await server.api("POST", f"/streams/{stream['id']}/end")
        for player in (first, second):
            await player.wait_for_state("disconnected", "failed", "closed")
        assert (await first.end()).status == 404


async def test_b_frames_are_never_sent(server: Server, browser: Browser) -> None:
    """A source that has them from the start, and one that begins with them while it is watched as it is."""
    first, second = [await server.create_stream() for _ in range(2)]
    late = f"-force_key_frames expr:lt(t,{NO_B_FRAMES_FOR_S + 4}) -bf 2"
    async with (
        running(NEW_FFMPEG, *encoder_args(server.publish_url(second), size="480x270", extra=late)),
        running(NEW_FFMPEG, *encoder_args(server.publish_url(first), extra="-bf 2")),
    ):
        await server.wait_for(f"/hls/{first['id']}/master.m3u8")
        player = await WhepPlayer.open(browser, server.http_url)
        location = (await player.watch(first["id"])).headers["location"]
        assert "360p" not in {layer["rid"] for layer in (await layers(server, location))["layers"]}
        await player.wait_for_picture()
        await player.wait_for_height(240)
        assert {frame.height for frame in await player.frames(2)} == {240}

        player = await WhepPlayer.open(browser, server.http_url)
        location = (await player.watch(second["id"])).headers["location"]
        async with asyncio.timeout(20):
            while "270p" not in {layer["rid"] for layer in (await layers(server, location))["layers"]}:
                await asyncio.sleep(0.2)
        await player.choose("270p")
        await player.wait_for_height(270)
        await player.wait_for_height(240)
        shown = await player.read_frames(2)
        assert all(before.media_time_s < after.media_time_s for before, after in zip(shown, shown[1:], strict=False))
