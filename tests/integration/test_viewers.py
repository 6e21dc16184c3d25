"""A viewer is there as long as its player asks for media with the token of its join, and nobody has to say so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from control_api.viewer.presence import EXPIRY_S

from .playlist import parse_media
from .server import NEW_FFMPEG, Server, encoder_args, running


async def viewers(server: Server, stream: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = await server.api("GET", f"/streams/{stream['id']}/viewers")
    return found


async def join(server: Server, stream: dict[str, Any]) -> dict[str, Any]:
    answer = await server.request(f"/api/v1/streams/{stream['id']}/join", method="POST")
    assert answer.status == 200, answer.text
    joined: dict[str, Any] = answer.json()
    return joined


@pytest.mark.timeout(120)
async def test_a_player_keeps_its_viewer_present(server: Server) -> None:
    stream = await server.create_stream()
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
        await server.wait_for(f"/hls/{stream['id']}/360p/index.m3u8", contains="#EXTINF")
        began = asyncio.get_running_loop().time()
        watching, silent = await join(server, stream), await join(server, stream)
        assert (watching["viewer_count"], silent["viewer_count"]) == (1, 2)
        path = f"/hls/{stream['id']}/~{watching['playback']['token']}"
        assert watching["playback"]["hls_url"] == f"{server.http_url}{path}/master.m3u8"
        await server.wait_for(f"{path}/master.m3u8", contains="360p")
        # What a player does: each playlist is asked for when it has something new, and then its newest part.
        end = asyncio.get_running_loop().time() + EXPIRY_S + 5
        playlist = parse_media((await server.wait_for(f"{path}/360p/index.m3u8")).text)
        while asyncio.get_running_loop().time() < end:
            target = f"{path}/360p/index.m3u8?_HLS_msn={playlist.segments[-1].msn + 1}"
            playlist = parse_media((await server.wait_for(target)).text)
            newest = playlist.complete[-1].uri
            assert (await server.request(f"{path}/360p/{newest}")).status == 200
        assert await viewers(server, stream) == {"viewer_count": 1, "peak_viewers": 2, "unique_viewers": 2}
        body = {"viewer_id": watching["viewer_id"]}
        left = await server.request(f"/api/v1/streams/{stream['id']}/leave", method="POST", body=body)
        assert left.json() == {"viewer_count": 0}
        took = asyncio.get_running_loop().time() - began
    report = await server.api("GET", f"/streams/{stream['id']}/analytics")
    assert (report["total_views"], report["unique_viewers"], report["peak_viewers"]) == (2, 2, 2)
    assert EXPIRY_S + 5 <= report["total_watch_time_s"] <= took
    assert len(report["series"]) >= 3
    assert any(point["fps"] and point["bitrate_bps"] for point in report["series"])
