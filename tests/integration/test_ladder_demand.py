"""Rungs on demand in the real server: what nobody watches costs nothing, and is there when somebody comes."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import av
import pytest

from .playlist import MediaPlaylist, parse_master, parse_media
from .server import NEW_FFMPEG, Server, encoder_args, running, running_server

FRAME = 3600  # ticks, at 25 frames a second


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running_server(tmp_path, SLATE_AFTER_S="60") as running:
        yield running


async def playlist(server: Server, path: str) -> MediaPlaylist:
    answer = await server.request(path)
    assert answer.status == 200, answer.text
    return parse_media(answer.text)


async def kinds(server: Server, stream: dict[str, Any]) -> dict[str, str]:
    health = await server.api("GET", f"/streams/{stream['id']}/health")
    return {rung["name"]: rung["kind"] for rung in health["rungs"]}


async def fetch(server: Server, base: str, name: str) -> bytes:
    answer = await server.request(urljoin(base, name))
    assert answer.status == 200, (name, answer.status, answer.text[:300])
    return answer.body


def times(data: bytes) -> list[int]:
    """PTS of all pictures that decode, in ticks."""
    with av.open(io.BytesIO(data), "r", format="mp4") as container:
        frames = list(container.decode(video=0))
    assert not any(frame.is_corrupt for frame in frames)
    return [round((frame.pts or 0) * 90_000 * float(frame.time_base or 0)) for frame in frames]


async def test_nobody_watches_then_somebody_does(server: Server) -> None:
    stream = await server.create_stream()
    base = f"/hls/{stream['id']}/240p/index.m3u8"
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
        master = await server.wait_for(f"/hls/{stream['id']}/master.m3u8")
        variants = parse_master(master.text)
        assert {name.split("/")[0] for name in variants} == {"360p", "240p", "144p", "audio"}
        assert next(iter(name for name in variants if name != "audio/index.m3u8")) == "360p/index.m3u8"
        await server.wait_for(base, contains="-2.m4s")
        assert await kinds(server, stream) == {"360p": "copied", "240p": "dormant", "144p": "dormant"}
        # The past, one segment after the other, then the present, as a player goes on.
        data = b""
        seen = -1
        for _ in range(4):
            for segment in (await playlist(server, base)).complete:
                if segment.msn > seen:
                    assert segment.uri is not None
                    if not data:
                        assert segment.init is not None
                        data = await fetch(server, base, segment.init)
                    data += await fetch(server, base, segment.uri)
                    seen = segment.msn
            await asyncio.sleep(1.5)
        assert await kinds(server, stream) == {"360p": "copied", "240p": "encoded", "144p": "dormant"}
        shown = times(data)
        assert seen >= 3
        steps = {later - earlier for earlier, later in pairwise(shown)}
        assert max(steps) <= FRAME + 900, steps
        found = await playlist(server, base)
        assert not any(segment.gap or segment.discontinuity for segment in found.segments[1:])
        health = await server.api("GET", f"/streams/{stream['id']}/health")
        assert health["warnings"] == []


async def test_a_killed_worker_does_not_show(server: Server) -> None:
    stream = await server.create_stream()
    base = f"/hls/{stream['id']}/144p/index.m3u8"
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
        await server.wait_for(base, contains="-1.m4s")
        hint = (await playlist(server, base)).hint
        assert hint is not None
        waiting = asyncio.create_task(fetch(server, base, hint))
        await asyncio.sleep(0.3)
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
        assert await waiting
        await server.wait_for(base, contains="-3.m4s")
        found = await playlist(server, base)
        for segment in found.complete:
            assert segment.uri is not None
            assert await fetch(server, base, segment.uri)
        assert not any(segment.gap for segment in (await playlist(server, base)).complete)


async def test_the_end_of_a_broadcast_that_nobody_watched(server: Server) -> None:
    stream = await server.create_stream()
    base = f"/hls/{stream['id']}/240p/index.m3u8"
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
        await server.wait_for(base, contains="-1.m4s")
        await server.api("POST", f"/streams/{stream['id']}/end")
    found = await playlist(server, base)
    assert found.ended
    assert found.complete
    init = found.complete[0].init
    assert init is not None
    data = await fetch(server, base, init)
    for segment in found.complete:
        assert segment.uri is not None
        data += await fetch(server, base, segment.uri)
    assert len(times(data)) >= 50
