"""WHEP in Chromium over paths that lose, delay, are narrow, go dark, or let nothing through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from .browser import Browser
from .server import Server
from .test_webrtc import browser, pytestmark, small_demo
from .udp_path import UdpPath
from .whep_player import WhepPlayer, detour, longest_gap_s, path_to

__all__ = ["browser", "pytestmark"]

FREEZE_S = {0.01: 0.6, 0.05: 1.5}
"""Longest time without a new picture by the share of packets that is lost: three times what is to be reached, since
the machines of tests have other things to do."""
DARK_S = 0.5
BACK_S = 1.5
FREED_S = 10.0
"""A session whose viewer has not connected by then is over."""


@asynccontextmanager
async def watching(player: WhepPlayer, stream_id: str, *, is_dark: bool = False) -> AsyncIterator[UdpPath]:
    """Watch over a path that is clear at first, or where nothing gets through."""
    answer = await player.offer(stream_id)
    assert answer.status == 201
    path = await path_to(answer.body)
    path.is_dark = is_dark
    try:
        await player.accept(detour(answer.body, path.port))
        yield path
    finally:
        path.close()


@pytest.mark.timeout(150)
async def test_losses_darkness_and_a_narrow_path(server: Server, browser: Browser) -> None:
    stream = await server.create_stream()
    async with small_demo(server.publish_url(stream)):
        await server.wait_for(f"/hls/{stream['id']}/master.m3u8")
        player = await WhepPlayer.open(browser, server.http_url)
        async with watching(player, stream["id"]) as path:
            await player.wait_for_picture()
            await asyncio.sleep(2)
            for loss, freeze_s in FREEZE_S.items():
                path.loss = loss
                before = (await player.stats())["video"]
                assert longest_gap_s(await player.frames(7)) < freeze_s, loss
                stats = (await player.stats())["video"]
                assert stats["retransmittedPacketsReceived"] > before.get("retransmittedPacketsReceived", 0)
                assert stats["framesDecoded"] - before["framesDecoded"] > 100
            path.loss = 0.0
            await asyncio.sleep(1)

            await path.go_dark(DARK_S)
            await player.frames()
            await player.wait_for_picture(BACK_S)
            assert len(await player.frames(1)) > 10

            await require_smaller_rung(player, path)


async def require_smaller_rung(player: WhepPlayer, path: UdpPath) -> None:
    """Check that a viewer whose path gets narrow has a smaller rung soon, and a better one some time after it."""
    await player.choose("360p")
    await player.wait_for_height(360)
    await player.choose(None)
    before = (await player.stats())["video"]
    await asyncio.sleep(3)
    after = (await player.stats())["video"]
    elapsed_s = (after["timestamp"] - before["timestamp"]) / 1000
    path.rate_bps = 0.6 * 8 * (after["bytesReceived"] - before["bytesReceived"]) / elapsed_s
    await player.page.wait_for_function("() => whep.height() < 360", timeout=15_000)
    async with asyncio.timeout(20):  # the queue on the way drains first, and a second step may be needed
        while len(await player.frames(2)) <= 30:
            pass
    height = await player.page.evaluate("() => whep.height()")
    path.rate_bps = None
    await player.page.wait_for_function("height => whep.height() > height", arg=height, timeout=60_000)


async def test_a_long_path_and_one_that_is_blocked(server: Server, browser: Browser) -> None:
    stream = await server.create_stream()
    async with small_demo(server.publish_url(stream)):
        await server.wait_for(f"/hls/{stream['id']}/master.m3u8")
        blocked, player = [await WhepPlayer.open(browser, server.http_url) for _ in range(2)]
        async with watching(blocked, stream["id"], is_dark=True), watching(player, stream["id"]) as path:
            path.delay_s = 0.1
            await player.wait_for_picture()
            await asyncio.sleep(1)
            frames = await player.frames(FREED_S)
            assert len(frames) > 15 * FREED_S
            assert {frame.height for frame in frames} == {360}
            assert longest_gap_s(frames) < 1.0
            assert await blocked.state() in ("connecting", "failed")
            async with asyncio.timeout(5):
                while (await blocked.end()).status != 404:  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
