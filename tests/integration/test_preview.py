"""The owner's preview with a real encoder: from its first packet, over its return, to the start, which ends it."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import urljoin, urlsplit

from .playlist import MediaPlaylist, parse_master, parse_media
from .server import NEW_FFMPEG, Server, encoder_args, running
from .test_broadcast import decode
from .test_hlscheck import check

OBS_GOP_S = 8.3
"""How far keyframes are apart where nobody has told OBS otherwise: such a source is previewed as well."""

UNCACHED = ("http-media-cache", "http-blocking-cache")
"""What the checker wants of media that is for everybody."""


class Owner:
    """Looks at the preview of a stream that has been created."""

    def __init__(self, server: Server, stream: dict[str, Any]) -> None:
        self.server = server
        self.stream_id = stream["id"]
        self.master: str = urlsplit(stream["preview_url"]).path

    def path(self, name: str) -> str:
        return urljoin(self.master, name)

    async def playlist(self) -> MediaPlaylist:
        return parse_media((await self.server.request(self.path("source/index.m3u8"))).text)

    async def wait_until_ended(self) -> MediaPlaylist:
        """Wait for the ENDLIST."""
        answer = await self.server.wait_for(self.path("source/index.m3u8"), contains="#EXT-X-ENDLIST")
        return parse_media(answer.text)


async def test_preview_from_the_first_packet_to_the_start(server: Server) -> None:
    stream = await server.create_stream(start=False, quality="360p")
    owner = Owner(server, stream)
    before = await server.request(owner.master)
    assert (before.status, before.json()["code"]) == (404, "no_media_yet")
    assert "No encoder" in before.json()["detail"]
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), extra="-bf 2")):
        await server.wait_for(owner.path("source/index.m3u8"), contains=".m4s\n#EXT-X-PROGRAM")
        await _is_played_to_nobody_else(owner)
        report = await check(server.http_url + owner.master, allowed=UNCACHED)
        assert report["seen"]["segments inspected"] >= 4
        first = await owner.playlist()
    left = await owner.wait_until_ended()
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), gop_s=OBS_GOP_S)):
        await _is_back(owner, left)
        await asyncio.sleep(OBS_GOP_S)
        assert await decode(server, owner.master, 3) == ""
        assert max(segment.duration or 0 for segment in (await owner.playlist()).segments) > OBS_GOP_S - 0.1
        started_at = time.time()
        await server.api("POST", f"/streams/{stream['id']}/start")
        await owner.wait_until_ended()
        public = await server.wait_for(
            f"/hls/{stream['id']}/360p/index.m3u8", contains="#EXT-X-PROGRAM", seconds=20
        )
        dates = [segment.date_time for segment in parse_media(public.text).segments]
        assert dates[0] is not None
        assert dates[0] >= started_at
        await _is_gone(owner)
    assert first.segments[0].date_time is not None
    assert first.segments[0].date_time < started_at


async def _is_played_to_nobody_else(owner: Owner) -> None:
    server, stream_id = owner.server, owner.stream_id
    master = await server.request(owner.master)
    assert set(parse_master(master.text)) == {"source/index.m3u8", "audio/index.m3u8"}
    assert master.headers["Cache-Control"] == "private, no-store"
    anonymous = await server.request(f"/hls/{stream_id}/preview/master.m3u8")
    unknown = await server.request("/hls/01890000-0000-7000-8000-000000000000/preview/master.m3u8")
    assert (anonymous.status, anonymous.body) == (404, unknown.body)
    public = await server.request(f"/hls/{stream_id}/master.m3u8")
    assert (public.status, public.json()["code"]) == (404, "no_media_yet")
    shown = await server.request(f"/api/v1/streams/{stream_id}")
    assert "preview_url" not in shown.json()
    assert shown.json()["media"]["connected"]


async def _is_back(owner: Owner, left: MediaPlaylist) -> None:
    path = owner.path("source/index.m3u8")
    now = parse_media((await owner.server.wait_for(path, contains="#EXT-X-DISCONTINUITY\n")).text)
    assert not now.ended
    assert now.media_sequence == left.segments[-1].msn + 1
    assert now.segments[0].init not in {segment.init for segment in left.segments}
    old = await owner.server.request(owner.path(f"source/{left.segments[-1].uri}"))
    assert old.status == 404


async def _is_gone(owner: Owner) -> None:
    for _ in range(300):
        answer = await owner.server.request(owner.master)
        if answer.status == 404:
            break
        await asyncio.sleep(0.1)
    assert answer.json()["code"] == "not_found"
    shown = await owner.server.api("GET", f"/streams/{owner.stream_id}")
    assert shown["preview_url"] is None
