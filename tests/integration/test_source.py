"""Sources beyond the plain one: several renditions of the streamer's own, files sent too fast, sound alone."""

from __future__ import annotations

import asyncio

from .playlist import parse_master, parse_media
from .server import NEW_FFMPEG, Server, encoder_args, running
from .test_broadcast import decode, playlists

OWN_RENDITIONS = (
    "-re -f lavfi -i testsrc2=size=1280x720:rate=25 -re -f lavfi -i sine=frequency=440:sample_rate=48000 "
    "-map 0:v -map 0:v -map 0:v -map 1:a -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50 "
    "-s:v:1 640x360 -s:v:2 256x144 -b:v:0 2M -b:v:1 600k -b:v:2 150k -c:a aac -ac 2"
)


async def test_streamers_own_renditions_become_rungs(server: Server) -> None:
    stream = await server.create_stream()
    arguments = ["-hide_banner", "-loglevel", "error", *OWN_RENDITIONS.split(), "-f", "flv"]
    async with running(NEW_FFMPEG, *arguments, server.publish_url(stream)):
        found = await playlists(server, stream["id"])
        health = await server.api("GET", f"/streams/{stream['id']}/health")
        assert {rung["name"]: (rung["kind"], rung["height"]) for rung in health["rungs"]} == {
            "720p": ("copied", 720),
            "480p": ("encoded", 480),
            "360p": ("copied", 360),
            "240p": ("encoded", 240),
            "144p": ("copied", 144),
        }
        assert not any("rendition" in warning for warning in health["warnings"])
        await asyncio.sleep(4)
        for uri in found:
            assert await decode(server, f"/hls/{stream['id']}/{uri}", 3) == "", uri
        for uri in found:
            playlist = parse_media((await server.request(f"/hls/{stream['id']}/{uri}")).text)
            assert not any(segment.discontinuity for segment in playlist.segments), uri
            assert not any(part.gap for segment in playlist.segments for part in segment.parts), uri


async def test_file_sent_too_fast_is_held_back(server: Server) -> None:
    """Without `-re` a minute of media is sent in seconds: it comes onto the timeline as fast as it plays."""
    stream = await server.create_stream(quality="144p")
    source = (
        "-f lavfi -i testsrc2=size=256x144:rate=25:duration=60 -c:v libx264 -preset ultrafast -g 50 "
        "-b:v 4M -maxrate 4M -bufsize 4M -x264-params nal-hrd=cbr -f flv"
    )
    arguments = ["-hide_banner", "-loglevel", "error", *source.split(), server.publish_url(stream)]
    async with running(NEW_FFMPEG, *arguments) as encoder:
        path = f"/hls/{stream['id']}/144p/index.m3u8"
        await server.wait_for(path, contains="#EXTINF")
        await asyncio.sleep(3)
        listed = sum(
            segment.duration or 0 for segment in parse_media((await server.request(path)).text).complete
        )
        assert encoder.returncode is None, "it waits for the server"
        assert listed < 45
        health = await server.api("GET", f"/streams/{stream['id']}/health")
        assert any("held back" in warning for warning in health["warnings"]), health


async def test_sound_alone_is_a_broadcast(server: Server) -> None:
    stream = await server.create_stream()
    source = "-re -f lavfi -i sine=frequency=440:sample_rate=48000 -c:a libopus -ac 2 -f flv"
    arguments = ["-hide_banner", "-loglevel", "error", *source.split(), server.publish_url(stream)]
    async with running(NEW_FFMPEG, *arguments):
        master = parse_master((await server.wait_for(f"/hls/{stream['id']}/master.m3u8")).text)
        assert list(master) == ["audio/index.m3u8"]
        assert master["audio/index.m3u8"]["CODECS"] == "mp4a.40.2"
        await server.wait_for(f"/hls/{stream['id']}/audio/index.m3u8", contains="#EXTINF")
        assert await decode(server, f"/hls/{stream['id']}/master.m3u8", 3) == ""


async def test_rare_keyframes_are_remembered_until_the_encoder_says_better(server: Server) -> None:
    stream = await server.create_stream(quality="360p")
    seen = []
    for gop_s, seconds in ((8.3, 6.0), (8.3, 1.0), (2.0, 1.0)):
        async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), gop_s=gop_s)):
            for _ in range(50):
                health = await server.api("GET", f"/streams/{stream['id']}/health")
                if health["connected"] and (health["bitrate_bps"] or 0) > 0:
                    break
                await asyncio.sleep(0.2)
            await asyncio.sleep(seconds)
            health = await server.api("GET", f"/streams/{stream['id']}/health")
            seen.append(
                (health["rungs"][0]["kind"], any("encoded anew" in say for say in health["warnings"]))
            )
    assert seen == [("encoded", True), ("encoded", True), ("copied", False)]
