"""The main path: a real encoder in, every rendition out, decoded by a real player."""

from __future__ import annotations

import asyncio
import io
import itertools
import re
import time
from fractions import Fraction

import aiohttp
import av
import pytest

from .playlist import MediaPlaylist, collect, parse_master, parse_media
from .server import NEW_FFMPEG, OLD_FFMPEG, Server, encoder_args, running


async def playlists(server: Server, stream_id: str) -> dict[str, MediaPlaylist]:
    """All media playlists of a stream, by URI."""
    master = parse_master((await server.wait_for(f"/hls/{stream_id}/master.m3u8")).text)
    found = {}
    for uri in master:
        answer = await server.wait_for(f"/hls/{stream_id}/{uri}", contains="#EXTINF")
        found[uri] = parse_media(answer.text)
    return found


async def first_shown(
    server: Server, stream_id: str, uri: str, playlist: MediaPlaylist, msn: int
) -> Fraction:
    """Find the first presentation time in a segment, in seconds, as FFmpeg's demuxer understands the boxes."""
    segment = next(segment for segment in playlist.complete if segment.msn == msn)
    folder = f"/hls/{stream_id}/{uri.split('/', maxsplit=1)[0]}"
    files = [await server.request(f"{folder}/{name}") for name in (segment.init, segment.uri)]
    with av.open(io.BytesIO(b"".join(file.body for file in files)), "r") as container:
        stream = container.streams[0]
        return min(
            Fraction(packet.pts) * packet.time_base
            for packet in container.demux(stream)
            if packet.pts is not None
        )


async def decode(server: Server, path: str, seconds: float) -> str:
    """Let ffmpeg play an address for some seconds and return everything that it complains about.

    Two of its remarks are not about the stream: it re-reads the same init segment when it reloads a playlist, and it
    rounds uneven frame times (GStreamer's test source on a busy machine) to the frame rate of its own output.
    """
    player = await asyncio.create_subprocess_exec(
        *(NEW_FFMPEG, "-v", "warning", "-live_start_index", "0", "-t", str(seconds)),
        *("-i", server.http_url + path, "-f", "null", "-"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await player.communicate()
    assert player.returncode == 0, errors.decode()
    own = ("duplicated MOOV", "non monotonically increasing dts to muxer", "Last message repeated")
    lines = errors.decode().splitlines()
    return "\n".join(line for line in lines if not any(remark in line for remark in own))


async def test_every_rung_plays(server: Server) -> None:
    stream = await server.create_stream(quality="720p")
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), size="1280x720")):
        found = await playlists(server, stream["id"])
        names = [uri.split("/")[0] for uri in found if not uri.startswith("audio")]
        assert sorted(names) == ["144p", "240p", "360p", "480p", "720p"]
        await asyncio.sleep(4)
        for uri in found:
            assert await decode(server, f"/hls/{stream['id']}/{uri}", 4) == "", uri


async def test_segments_start_together_on_every_rung(server: Server) -> None:
    stream = await server.create_stream()
    encoder = encoder_args(server.publish_url(stream), extra="-bf 2 -preset veryfast")
    async with running(NEW_FFMPEG, *encoder):
        await asyncio.sleep(7)
        found = await playlists(server, stream["id"])
    starts = {
        uri: {segment.msn: segment.date_time for segment in playlist.complete}
        for uri, playlist in found.items()
    }
    common = set.intersection(*(set(rows) for rows in starts.values()))
    assert len(common) >= 2
    for msn in common:
        assert len({rows[msn] for rows in starts.values()}) == 1, (msn, starts)
        shown = {uri: await first_shown(server, stream["id"], uri, found[uri], msn) for uri in found}
        video = {at for uri, at in shown.items() if not uri.startswith("audio")}
        assert len(video) == 1, shown
        assert 0 <= shown["audio/index.m3u8"] - video.pop() < Fraction(1024, 48000), shown


async def test_parts_keep_to_the_target_and_blocking_reload_delivers_each(server: Server) -> None:
    stream = await server.create_stream()
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), rate=30)):
        path = f"/hls/{stream['id']}/master.m3u8"
        master = parse_master((await server.wait_for(path)).text)
        until = time.monotonic() + 6
        async with aiohttp.ClientSession() as session:
            base = f"{server.http_url}/hls/{stream['id']}"
            found = await asyncio.gather(*(collect(session, f"{base}/{uri}", until) for uri in master))
            for parts in found:
                assert len(parts) >= 8
                assert all(part.duration <= 0.5 and not part.gap and part.size_bytes for part in parts)
                positions = [(part.msn, part.index) for part in parts]
                for (msn, index), following in itertools.pairwise(positions):
                    assert following in ((msn, index + 1), (msn + 1, 0))


@pytest.mark.parametrize("program", [NEW_FFMPEG, OLD_FFMPEG], ids=["newest ffmpeg", "ffmpeg 5.1"])
async def test_ffmpeg_publishes(server: Server, program: str) -> None:
    stream = await server.create_stream()
    async with running(program, *encoder_args(server.publish_url(stream))):
        found = await playlists(server, stream["id"])
    assert {"360p/index.m3u8", "240p/index.m3u8", "144p/index.m3u8"} < set(found)
    assert (await server.api("GET", f"/streams/{stream['id']}"))["status"] == "live"


async def test_gstreamer_publishes(server: Server) -> None:
    stream = await server.create_stream()
    pipeline = (
        "videotestsrc is-live=true ! video/x-raw,width=640,height=360,framerate=25/1 ! x264enc key-int-max=50 "
        "tune=zerolatency bitrate=800 ! video/x-h264,profile=main ! h264parse ! flvmux name=mux streamable=true ! "
        f"rtmp2sink location={server.publish_url(stream)} "
        "audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! voaacenc ! aacparse ! mux."
    )
    async with running("gst-launch-1.0", "-q", *pipeline.split()):
        found = await playlists(server, stream["id"])
        assert len(found) == 4
        assert await decode(server, f"/hls/{stream['id']}/360p/index.m3u8", 3) == ""


async def test_first_packet_starts_a_stream_that_wants_it(server: Server) -> None:
    stream = await server.create_stream(start=False, auto_start=True)
    assert stream["status"] == "created"
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
        await server.wait_for(f"/hls/{stream['id']}/master.m3u8")
        assert (await server.api("GET", f"/streams/{stream['id']}"))["status"] == "live"


async def test_nothing_is_public_before_the_start(server: Server) -> None:
    stream = await server.create_stream(start=False)
    path = f"/hls/{stream['id']}/master.m3u8"
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
        await server.wait_for(f"/api/v1/streams/{stream['id']}", contains='"connected":true')
        await asyncio.sleep(3)
        answer = await server.request(path)
        assert (answer.status, answer.json()["code"]) == (404, "no_media_yet")
        assert answer.headers["Retry-After"] == "1"
        await server.api("POST", f"/streams/{stream['id']}/start")
        await server.wait_for(path)
        playlist = parse_media((await server.wait_for(f"/hls/{stream['id']}/360p/index.m3u8")).text)
    assert playlist.media_sequence == 0
    assert not playlist.segments[0].discontinuity


async def test_video_without_audio_gets_silence(server: Server) -> None:
    stream = await server.create_stream()
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), audio=False)):
        found = await playlists(server, stream["id"])
        assert "audio/index.m3u8" in found
        await asyncio.sleep(3)
        for uri in found:
            assert await decode(server, f"/hls/{stream['id']}/{uri}", 4) == "", uri


async def test_long_keyframe_interval_keeps_playlists_legal(server: Server) -> None:
    stream = await server.create_stream()
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream), gop_s=8.3)):
        await asyncio.sleep(10)
        found = await playlists(server, stream["id"])
        await asyncio.sleep(2)
        assert await decode(server, f"/hls/{stream['id']}/360p/index.m3u8", 5) == ""
    for uri, playlist in found.items():
        durations = [segment.duration for segment in playlist.complete]
        assert max(d for d in durations if d is not None) <= 5.5, uri
        assert sum(segment.discontinuity for segment in playlist.segments) == 1, playlist.text


async def test_end_closes_the_playlists_and_the_encoder(server: Server) -> None:
    stream = await server.create_stream()
    async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))) as encoder:
        found = await playlists(server, stream["id"])
        ended = await server.api("POST", f"/streams/{stream['id']}/end")
        assert ended["status"] == "ended"
        assert await asyncio.wait_for(encoder.wait(), 10) != 0
    for uri in found:
        answer = await server.request(f"/hls/{stream['id']}/{uri}")
        assert parse_media(answer.text).ended, answer.text


async def test_sync_of_sound_and_picture(server: Server) -> None:
    """A flash and a beep start together at each full second; both are found in what the player decodes."""
    stream = await server.create_stream()
    picture = "color=black:s=320x180:r=25,geq=lum='if(lt(mod(T,1),0.2),255,0)':cb=128:cr=128"
    tone = "aevalsrc='if(lt(mod(t,1),0.2),sin(2*PI*1000*t),0)':s=48000"
    encoder = ["-v", "error", "-re", "-f", "lavfi", "-i", picture, "-re", "-f", "lavfi", "-i", tone]
    codecs = "-c:v libx264 -preset veryfast -bf 3 -b_strategy 0 -g 50 -pix_fmt yuv420p -c:a aac -ac 2 -f flv"
    encoder += codecs.split()
    async with running(NEW_FFMPEG, *encoder, server.publish_url(stream)):
        await server.wait_for(f"/hls/{stream['id']}/master.m3u8")
        await asyncio.sleep(6)
        for rung in ("240p", "144p"):
            master = await server.request(f"/hls/{stream['id']}/master.m3u8")
            index = list(parse_master(master.text)).index(f"{rung}/index.m3u8") - 1
            video, audio = await onsets(server, f"/hls/{stream['id']}/master.m3u8", index)
            assert len(video) >= 2
            for at in video:
                assert min(abs(at - other) for other in audio) <= 0.04, (rung, video, audio)


async def onsets(server: Server, path: str, variant: int) -> tuple[list[float], list[float]]:
    """Find when the picture turns bright and when the sound sets in, with ffmpeg's own detectors."""
    player = await asyncio.create_subprocess_exec(
        *(NEW_FFMPEG, "-hide_banner", "-live_start_index", "0", "-t", "5", "-i", server.http_url + path),
        *("-map", f"0:p:{variant}:v", "-vf", "blackdetect=d=0.1:pix_th=0.5", "-f", "null", "-"),
        *("-map", f"0:p:{variant}:a", "-af", "silencedetect=n=-30dB:d=0.1", "-f", "null", "-"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, text = await player.communicate()
    # The detector also reports the end of the recording, where it is still black.
    video = [
        float(value) for value in re.findall(r"black_end:([0-9.]+)", text.decode()) if float(value) < 4.9
    ]
    audio = [float(value) for value in re.findall(r"silence_end: ([0-9.]+)", text.decode())]
    return video, audio
