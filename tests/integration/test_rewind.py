"""Viewers rewind: to what is on disk, on qualities that nobody watched, over a killed server."""

from __future__ import annotations

import asyncio
import io
import re
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from .playlist import MediaPlaylist, parse_media
from .server import NEW_FFMPEG, Server, encoder_args, running, running_server

SHORT = {"TARGET_DURATION_S": "1", "SEGMENT_S": "0.8", "PART_S": "0.2", "DVR_WINDOW_S": "60"}
"""Six seconds in memory, the rest on disk."""

IN_MEMORY_S = 6.0


async def playlist(server: Server, path: str) -> MediaPlaylist:
    return parse_media((await server.wait_for(path)).text)


async def long_enough(server: Server, path: str) -> MediaPlaylist:
    """Wait until the begin has left memory."""
    while True:
        found = await playlist(server, path)
        if sum(segment.duration or 0 for segment in found.complete) > IN_MEMORY_S + 3:
            return found
        await asyncio.sleep(0.5)


async def pictures(server: Server, rung: str, found: MediaPlaylist, index: int) -> list[Fraction]:
    """Decode a segment and say when its pictures are shown, in seconds."""
    segment = found.segments[index]
    answers = [await server.request(f"{rung}/{uri}") for uri in (segment.init, segment.uri)]
    assert [answer.status for answer in answers] == [200, 200]
    with av.open(io.BytesIO(b"".join(answer.body for answer in answers)), "r") as container:
        return [Fraction(frame.pts or 0) * (frame.time_base or 0) for frame in container.decode(video=0)]


async def check_pictures(server: Server, path: str) -> None:
    """Thumbnails, and keyframes alone, of what is on disk: on a rung that is copied, and on a dormant one."""
    jpeg = await server.request(f"{path}/thumbnails/1.jpg")
    assert (jpeg.status, jpeg.headers["Content-Type"]) == (200, "image/jpeg")
    assert "immutable" in jpeg.headers["Cache-Control"]
    assert Image.open(io.BytesIO(jpeg.body)).size == (160, 90)
    assert (await server.request(f"{path}/thumbnails/999999.jpg")).status == 404
    master = (await server.request(f"{path}/master.m3u8")).text
    for rung, height in (("360p", 360), ("240p", 240)):
        assert f'URI="{rung}/iframes.m3u8"' in master
        text = (await server.request(f"{path}/{rung}/iframes.m3u8")).text
        init, *_ = re.findall(r'MAP:URI="([^"]+)"', text)
        names = re.findall(r"^\d+-\d+\.key\.m4s$", text, re.MULTILINE)
        answers = [await server.request(f"{path}/{rung}/{uri}") for uri in (init, names[1], names[1])]
        assert [answer.status for answer in answers] == [200, 200, 200]
        assert answers[1].body == answers[2].body
        with av.open(io.BytesIO(answers[0].body + answers[1].body), "r") as container:
            (frame,) = container.decode(video=0)
            assert frame.height == height
            assert frame.pts == 972_000, "10.8 s: where the segment begins"
    health = await server.api("GET", f"/streams/{path.rsplit('/', maxsplit=1)[-1]}/health")
    assert {rung["name"]: rung["kind"] for rung in health["rungs"]}["240p"] == "dormant", "that is no demand"


async def test_what_has_passed_is_played_on_any_quality(tmp_path: Path) -> None:
    async with running_server(tmp_path, **SHORT) as server:
        stream = await server.create_stream()
        path = f"/hls/{stream['id']}"
        async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), gop_s=0.8)):
            found = await long_enough(server, f"{path}/360p/index.m3u8")
            assert found.media_sequence == 0
            assert list((tmp_path / "dvr" / stream["id"] / "360p").glob("*-1.m4s")), "it is on disk"
            small = await playlist(server, f"{path}/144p/index.m3u8")
            copied, encoded = [
                await pictures(server, f"{path}/{rung}", found, 1)
                for rung, found in (("360p", found), ("144p", small))
            ]
            assert len(copied) == 20
            assert set(encoded) <= set(copied)
            assert encoded[0] == copied[0]
            # An address names one set of bytes for ever.
            address = f"{path}/144p/{small.segments[1].uri}"
            once, twice = [(await server.request(address)).body for _ in range(2)]
            assert once == twice
            delta = await server.request(f"{path}/360p/index.m3u8?_HLS_skip=YES")
            assert "#EXT-X-SKIP:SKIPPED-SEGMENTS=" in delta.text
            anew = await server.request(f"{path}/360p/index.m3u8?start=0")
            assert "#EXT-X-START:TIME-OFFSET=0.000" in anew.text
            master = await server.request(f"{path}/master.m3u8?start=-5")
            assert master.text.count("index.m3u8?start=-5") >= 3
            await check_pictures(server, path)
        await server.api("POST", f"/streams/{stream['id']}/end")
        ended = await playlist(server, f"{path}/360p/index.m3u8")
        assert ended.ended
        assert ended.media_sequence == 0
        assert await pictures(server, f"{path}/360p", ended, 0)
        assert await pictures(server, f"{path}/144p", await playlist(server, f"{path}/144p/index.m3u8"), 3)


async def test_a_killed_server_still_has_the_past(tmp_path: Path) -> None:
    async with running_server(tmp_path, **SHORT) as server:
        stream = await server.create_stream()
        path = f"/hls/{stream['id']}"
        async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), gop_s=0.8)):
            before = await long_enough(server, f"{path}/360p/index.m3u8")
            segment = (await server.request(f"{path}/360p/{before.segments[2].uri}")).body
            server.kill()
            await server.process.wait()
    async with (
        running_server(tmp_path, **SHORT) as server,
        running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), gop_s=0.8)),
    ):
        after = parse_media((await server.wait_for(f"{path}/360p/index.m3u8", contains="#EXT-X-DISC")).text)
        assert after.media_sequence == before.media_sequence
        # What had just been cut may not have been told to the disk: then it is a gap.
        old = {segment.uri: segment.duration for segment in before.complete[:-1]}
        assert old.items() <= {segment.uri: segment.duration for segment in after.complete}.items()
        assert (await server.request(f"{path}/360p/{before.segments[2].uri}")).body == segment
        small = await playlist(server, f"{path}/144p/index.m3u8")
        assert await pictures(server, f"{path}/144p", small, 2), "a promise of the process that died"
        assert await pictures(server, f"{path}/360p", after, 0)
    assert "Traceback" not in (tmp_path / "server.log").read_text()


@pytest.mark.parametrize("why", ["none is wanted", "the disk cannot be written"])
async def test_without_a_disk_there_is_what_memory_holds(tmp_path: Path, why: str) -> None:
    settings = SHORT | ({"DVR_WINDOW_S": "0"} if why == "none is wanted" else {})
    if why != "none is wanted":
        (tmp_path / "dvr").write_text("no folder")
    async with running_server(tmp_path, **settings) as server:
        stream = await server.create_stream()
        path = f"/hls/{stream['id']}/360p"
        async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), gop_s=0.8)):
            await server.wait_for(f"{path}/index.m3u8", contains="#EXTINF")
            await asyncio.sleep(IN_MEMORY_S + 3)
            found = await playlist(server, f"{path}/index.m3u8")
            assert (found.media_sequence == 0) == (why == "none is wanted"), "memory alone lists a minute"
            assert not any(segment.gap for segment in found.segments)
            assert await pictures(server, path, found, 0)
