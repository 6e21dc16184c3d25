"""The connection drops, the show goes on: what players see while an encoder is away, and when it is back as another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from .playlist import MediaPlaylist, parse_master, parse_media
from .server import NEW_FFMPEG, Server, encoder_args, running, running_server

SLATE_S = 5.0
"""How long the encoder is away where a slate is wanted: two seconds longer than players wait for one."""


def complaints(errors: bytes) -> str:
    """Leave out FFmpeg's remarks about what is right: it re-reads init segments, and shows frames that last longer."""
    own = (
        "duplicated MOOV",
        "non monotonically increasing dts to muxer",
        "Last message repeated",
        "skipping one",
    )
    return "\n".join(line for line in errors.decode().splitlines() if not any(text in line for text in own))


class Watch:
    """Asks for every playlist of a stream again and again; none may ever fail."""

    def __init__(self, server: Server, stream_id: str) -> None:
        self._server = server
        self._path = f"/hls/{stream_id}"
        self.failures: list[str] = []

    async def playlists(self) -> dict[str, MediaPlaylist]:
        """All media playlists as they are now, by rendition."""
        master = parse_master((await self._server.wait_for(f"{self._path}/master.m3u8")).text)
        return {
            uri.split("/")[0]: parse_media((await self._server.request(f"{self._path}/{uri}")).text)
            for uri in master
        }

    async def run(self) -> None:
        while True:
            for name in ("master.m3u8", "144p/index.m3u8", "audio/index.m3u8", "360p/index.m3u8"):
                answer = await self._server.request(f"{self._path}/{name}")
                if answer.status != 200:
                    self.failures.append(f"{name}: {answer.status} {answer.text}")
            await asyncio.sleep(0.1)

    async def wait_for_breaks(self, count: int) -> dict[str, MediaPlaylist]:
        """Wait until every rendition lists so many discontinuities and a whole segment behind the last one."""
        for _ in range(150):
            found = await self.playlists()
            if all(_has_breaks(playlist, count) for playlist in found.values()):
                return found
            await asyncio.sleep(0.2)
        raise AssertionError({name: playlist.text for name, playlist in found.items()})


def breaks(playlist: MediaPlaylist) -> list[int]:
    return [segment.msn for segment in playlist.segments if segment.discontinuity]


def _has_breaks(playlist: MediaPlaylist, count: int) -> bool:
    found = breaks(playlist)
    return len(found) >= count and playlist.complete[-1].msn >= found[-1]


@asynccontextmanager
async def watching(server: Server, stream_id: str) -> AsyncIterator[Watch]:
    """Watch a stream whose playlists are there; at the end none of them may have failed."""
    watch = Watch(server, stream_id)
    await server.wait_for(f"/hls/{stream_id}/144p/index.m3u8", contains="#EXTINF")
    await server.wait_for(f"/hls/{stream_id}/audio/index.m3u8", contains="#EXTINF")
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert watch.failures == []


async def play_recording(server: Server, path: str) -> tuple[str, int]:
    """Let ffmpeg play an ended stream from its start; return its complaints and the pictures that it decoded."""
    player = await asyncio.create_subprocess_exec(
        *(NEW_FFMPEG, "-v", "warning", "-stats", "-live_start_index", "0", "-i", server.http_url + path),
        *("-fps_mode", "passthrough", "-f", "null", "-"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(player.communicate(), 60)
    assert player.returncode == 0, errors.decode()
    text = errors.decode().replace("\r", "\n")
    shown = [line for line in text.splitlines() if line.startswith("frame=")]
    frames = int(shown[-1].removeprefix("frame=").split()[0])
    rest = "\n".join(line for line in text.splitlines() if not line.startswith("frame="))
    return complaints(rest.encode()), frames


async def test_slate_fills_the_time_without_an_encoder(server: Server) -> None:
    stream = await server.create_stream()
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), gop_s=1.0)):
        await server.wait_for(f"/hls/{stream['id']}/144p/index.m3u8", contains="#EXTINF")
        async with watching(server, stream["id"]) as watch:
            await asyncio.sleep(1)
    async with watching(server, stream["id"]) as watch:
        await asyncio.sleep(SLATE_S)
        found = await watch.wait_for_breaks(1)
        assert set(found) == {"360p", "240p", "144p", "audio"}
        assert len({tuple(breaks(playlist)) for playlist in found.values()}) == 1
        health = await server.api("GET", f"/streams/{stream['id']}/health")
        assert health["on_slate"]
        assert not health["connected"]
        assert "lost" in health["last_error"]["message"]
        async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), gop_s=1.0)):
            found = await watch.wait_for_breaks(2)
            places = {tuple(breaks(playlist)) for playlist in found.values()}
            assert len(places) == 1, "discontinuities are at the same segments everywhere"
            assert len(next(iter(places))) == 2
            for name, playlist in found.items():
                assert not any(part.gap for segment in playlist.segments for part in segment.parts), name
                assert not any(segment.gap for segment in playlist.segments), name
            await server.api("POST", f"/streams/{stream['id']}/end")
    for name in ("360p", "144p"):
        path = f"/hls/{stream['id']}/{name}/index.m3u8"
        said, frames = await play_recording(server, path)
        assert said == "", name
        playlist = parse_media((await server.request(path)).text)
        assert playlist.ended
        first, second = breaks(playlist)
        slate = sum(segment.duration or 0 for segment in playlist.segments if first <= segment.msn < second)
        total = sum(segment.duration or 0 for segment in playlist.segments)
        assert frames == pytest.approx((total - slate) * 25 + slate * 10, abs=12), name


async def test_encoder_back_before_the_slate_is_one_break(tmp_path: Path) -> None:
    async with running_server(tmp_path, LADDER="always", SLATE_AFTER_S="20") as server:
        stream = await server.create_stream()
        async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
            await server.wait_for(f"/hls/{stream['id']}/144p/index.m3u8", contains="#EXTINF")
        async with (
            watching(server, stream["id"]) as watch,
            running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))),
        ):
            found = await watch.wait_for_breaks(1)
            assert {len(breaks(playlist)) for playlist in found.values()} == {1}


OTHER_ENCODERS: dict[str, str] = {
    "HEVC, Opus, larger": (
        "-re -f lavfi -i testsrc2=size=854x480:rate=30 -re -f lavfi -i sine=frequency=330:sample_rate=48000 "
        "-c:v libx265 -preset ultrafast -x265-params keyint=30:min-keyint=30:log-level=error -c:a libopus -ac 2"
    ),
    "smaller, mono 44.1 kHz": (
        "-re -f lavfi -i testsrc2=size=426x240:rate=24 -re -f lavfi -i sine=frequency=330:sample_rate=44100 "
        "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 24 -c:a aac -ac 1"
    ),
    "no audio, 60 frames": (
        "-re -f lavfi -i testsrc2=size=640x360:rate=60 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 60 -bf 2"
    ),
}


@pytest.mark.parametrize("other", OTHER_ENCODERS)
async def test_encoder_may_come_back_as_another(server: Server, other: str) -> None:
    stream = await server.create_stream()
    url = server.publish_url(stream)
    async with running(NEW_FFMPEG, *encoder_args(url, gop_s=1.0)):
        await server.wait_for(f"/hls/{stream['id']}/144p/index.m3u8", contains="#EXTINF")
    arguments = ["-hide_banner", "-loglevel", "error", *OTHER_ENCODERS[other].split()]
    async with (
        watching(server, stream["id"]) as watch,
        running(NEW_FFMPEG, *arguments, "-f", "flv", url),
    ):
        found = await watch.wait_for_breaks(1)
        await asyncio.sleep(3)
        found = await watch.playlists()
        master = parse_master((await server.request(f"/hls/{stream['id']}/master.m3u8")).text)
        assert {"360p", "240p", "144p", "audio"} <= set(found)
        if other.startswith("HEVC"):
            assert {"480p", "480p-hevc"} <= set(found), "what is larger is there for newcomers"
            assert "hvc1" in master["480p-hevc/index.m3u8"]["CODECS"]
        await server.api("POST", f"/streams/{stream['id']}/end")
    for name in sorted(set(found) - {"audio"}):
        said, frames = await play_recording(server, f"/hls/{stream['id']}/{name}/index.m3u8")
        assert said == "", name
        assert frames > 40, name


async def test_newer_encoder_takes_over_and_taking_turns_is_stopped(server: Server) -> None:
    stream = await server.create_stream()
    arguments = encoder_args(server.publish_url(stream), gop_s=1.0)
    async with AsyncExitStack() as stack:
        connected = await stack.enter_async_context(running(NEW_FFMPEG, *arguments))
        await server.wait_for(f"/hls/{stream['id']}/144p/index.m3u8", contains="#EXTINF")
        for _ in range(3):
            newer = await stack.enter_async_context(running(NEW_FFMPEG, *arguments))
            assert await asyncio.wait_for(connected.wait(), 15) != 0
            connected = newer
        one_too_many = await stack.enter_async_context(running(NEW_FFMPEG, *arguments))
        assert await asyncio.wait_for(one_too_many.wait(), 15) != 0
        assert one_too_many.stderr is not None
        assert "take turns" in (await one_too_many.stderr.read()).decode()
        assert connected.returncode is None, "the one that is connected stays"
        health = await server.api("GET", f"/streams/{stream['id']}/health")
        assert "take turns" in health["last_error"]["message"]
