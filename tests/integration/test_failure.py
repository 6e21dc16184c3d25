"""Things break on purpose: each hurts its own only, and says what happened."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import aiohttp
import pytest

from .playlist import MediaPlaylist, follow, parse_master, parse_media
from .server import NEW_FFMPEG, Server, encoder_args, request, running, running_server


def log_of(server_dir: Path) -> str:
    return (server_dir / "server.log").read_text()


async def test_killed_worker_costs_no_segment_and_no_connection(server: Server) -> None:
    stream = await server.create_stream()
    path = f"/hls/{stream['id']}"
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))) as encoder:
        master = parse_master((await server.wait_for(f"{path}/master.m3u8")).text)
        await server.wait_for(f"{path}/144p/index.m3u8", contains="#EXTINF")
        workers = server.workers()
        assert workers
        until = time.monotonic() + 9
        async with aiohttp.ClientSession() as session:

            async def lost(uri: str) -> float:
                parts = [
                    part async for part in follow(session, f"{server.http_url}{path}/{uri}", until=until)
                ]
                assert len(parts) >= 12, uri
                assert not any(part.discontinuity for part in parts), uri
                return sum(part.duration for part in parts if part.gap)

            async def kill() -> None:
                await asyncio.sleep(2.7)
                for pid in server.workers():
                    os.kill(pid, signal.SIGKILL)

            gaps, *_ = await asyncio.gather(asyncio.gather(*(lost(uri) for uri in master)), kill())
        assert dict(zip(master, gaps, strict=True)) == dict.fromkeys(master, pytest.approx(0, abs=0.3))
        assert encoder.returncode is None
        assert set(server.workers()).isdisjoint(workers)


async def test_killed_server_goes_on_where_it_was(tmp_path: Path) -> None:
    async with running_server(tmp_path) as first:
        stream = await first.create_stream()
        path = f"/hls/{stream['id']}/360p/index.m3u8"
        async with running(NEW_FFMPEG, *encoder_args(first.publish_url(stream))):
            await first.wait_for(path, contains="#EXTINF")
            await asyncio.sleep(3)
            before = parse_media((await first.request(path)).text)
            first.kill()
            await first.process.wait()
    async with running_server(tmp_path) as second:
        status = (await second.api("GET", f"/streams/{stream['id']}"))["status"]
        assert status == "live"
        async with running(NEW_FFMPEG, *encoder_args(second.publish_url(stream))):
            after = parse_media((await second.wait_for(path, contains="#EXT-X-PART:")).text)
    assert after.media_sequence == before.media_sequence, "what was listed can still be rewound to"
    old = {segment.uri: segment.duration for segment in before.complete}
    assert old.items() <= {segment.uri: segment.duration for segment in after.complete}.items()
    [new] = [segment for segment in after.segments if segment.discontinuity]
    assert new.msn > before.segments[-1].msn
    assert before.segments[0].init != new.init, "an address never names other bytes"


async def test_encoder_comes_back_and_players_go_on(server: Server) -> None:
    stream = await server.create_stream()
    path = f"/hls/{stream['id']}"
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
        master = parse_master((await server.wait_for(f"{path}/master.m3u8")).text)
        await server.wait_for(f"{path}/144p/index.m3u8", contains="#EXTINF")
    await asyncio.sleep(1)
    before = {uri: parse_media((await server.request(f"{path}/{uri}")).text) for uri in master}
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
        for uri in master:
            await server.wait_for(f"{path}/{uri}", contains="#EXT-X-DISCONTINUITY\n")
        await asyncio.sleep(5)
        places = set()
        for uri in master:
            after = parse_media((await server.request(f"{path}/{uri}")).text)
            assert after.media_sequence >= before[uri].media_sequence
            breaks = [segment.msn for segment in after.segments if segment.discontinuity]
            assert len(breaks) == 1
            places.add(breaks[0])
        assert len(places) == 1, "the discontinuity is at the same segment everywhere"


async def test_wrong_key_is_refused_with_words(server: Server, tmp_path: Path) -> None:
    async with running(NEW_FFMPEG, *encoder_args(f"{server.rtmp_url}/no-such-key")) as encoder:
        assert await asyncio.wait_for(encoder.wait(), 10) != 0
        assert encoder.stderr is not None
        words = (await encoder.stderr.read()).decode()
    assert "key" in words.lower(), words
    assert "no-such-key" not in log_of(tmp_path)
    assert "Traceback" not in log_of(tmp_path)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("http", b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"),
        ("tls", bytes.fromhex("16030100c8010000c40303") + os.urandom(200)),
        ("garbage", os.urandom(4000)),
        ("nothing", b""),
        ("half a handshake", b"\x03" + bytes(700)),
    ],
)
async def test_garbage_on_the_rtmp_port_hurts_nobody(
    server: Server, tmp_path: Path, name: str, data: bytes
) -> None:
    host, port = server.rtmp_url.removeprefix("rtmp://").removesuffix("/live").split(":")
    stream = await server.create_stream()
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))) as encoder:
        await server.wait_for(f"/hls/{stream['id']}/master.m3u8")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(data)
        await asyncio.sleep(1)
        writer.close()
        await asyncio.sleep(1)
        assert encoder.returncode is None, name
        await server.wait_for("/readyz")
    assert "Traceback" not in log_of(tmp_path)


async def test_port_in_use_is_said_in_a_sentence(server: Server, tmp_path: Path) -> None:
    port = server.http_url.rsplit(":", 1)[1]
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(AssertionError, match="ended before it was ready"):
        async with running_server(other, PORT=port):
            pass
    assert f"{port}" in log_of(other)
    assert "Traceback" not in log_of(other)


async def read_to_the_end(url: str, playlist: MediaPlaylist) -> MediaPlaylist:
    """Follow a playlist as a low-latency player does, until it ends."""
    while not playlist.ended:
        segment = playlist.segments[-1]
        place = (segment.msn + 1, 0) if segment.duration else (segment.msn, len(segment.parts))
        answer = await asyncio.to_thread(request, f"{url}?_HLS_msn={place[0]}&_HLS_part={place[1]}")
        assert answer.status == 200, answer.text
        playlist = parse_media(answer.text)
    return playlist


async def test_stop_ends_playlists_and_leaves_no_process(server: Server) -> None:
    stream = await server.create_stream()
    path = f"/hls/{stream['id']}/360p/index.m3u8"
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
        playlist = parse_media((await server.wait_for(path, contains="#EXTINF")).text)
        workers = server.workers()
        last = asyncio.create_task(read_to_the_end(server.http_url + path, playlist))
        await asyncio.sleep(0.2)
        assert await server.stop() == 0
    assert (await last).ended
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


async def test_publisher_that_sends_nothing_is_let_go(server: Server, tmp_path: Path) -> None:
    """A connection that never publishes ends by itself; the limit is that of the handshake, 10 s."""
    host, port = server.rtmp_url.removeprefix("rtmp://").removesuffix("/live").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    assert await asyncio.wait_for(reader.read(), 15) == b""
    writer.close()
    assert "handshake" in log_of(tmp_path)
