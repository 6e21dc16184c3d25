"""Real encoders publishing over loopback."""

from __future__ import annotations

import asyncio
import os
from fractions import Fraction
from itertools import pairwise

import imageio_ffmpeg
import pytest

from media.packet import AudioTrack, Packet, VideoTrack
from rtmp.server import RtmpServer
from tests.program import need
from tests.rtmp.gate import RecordingGate, RecordingPublication

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

FRAMES = 50
RUN_S = 45
"""A program that takes longer hangs; below the limit of the test, so that it is ended with words."""
FFMPEGS = ["ffmpeg", imageio_ffmpeg.get_ffmpeg_exe()]
FFMPEG_IDS = ["system", "newest"]

SOURCE = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-f", "lavfi", "-i", "sine=sample_rate=48000"]
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-bf", "2"]
AAC = ["-c:a", "aac", "-ac", "2"]

PIPELINE = (
    "flvmux name=mux streamable=true ! {sink} location={url} "
    f"videotestsrc num-buffers={FRAMES} ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 "
    "! x264enc speed-preset=ultrafast key-int-max=25 ! h264parse ! queue ! mux. "
    "audiotestsrc num-buffers=94 samplesperbuffer=1024 ! audio/x-raw,rate=48000,channels=2 ! voaacenc ! queue ! mux."
)


def url(server: RtmpServer, key: str = "key") -> str:
    return f"rtmp://127.0.0.1:{server.port}/live/{key}"


async def run(*arguments: str) -> tuple[int, str]:
    """Run a program to its end; return its exit status and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(RUN_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace")


async def publish(ffmpeg: str, address: str, *codecs: str) -> tuple[int, str]:
    return await run(
        need(ffmpeg), "-hide_banner", *SOURCE, "-t", str(FRAMES / 25), *codecs, "-f", "flv", address
    )


def check_video(packets: list[Packet]) -> VideoTrack:
    track = packets[0].track
    assert isinstance(track, VideoTrack)
    assert {packet.track for packet in packets} == {track}
    assert (track.codec, track.width, track.height, track.frame_rate) == ("h264", 320, 240, Fraction(25))
    check_times(packets)
    return track


def check_times(packets: list[Packet]) -> None:
    assert [index for index, packet in enumerate(packets) if packet.is_keyframe] == [0, 25]
    assert len(packets) == FRAMES
    steps = {after.dts - before.dts for before, after in pairwise(packets)}
    assert steps == {3600}
    presented = sorted(packet.pts for packet in packets)
    assert presented == list(range(presented[0], presented[0] + FRAMES * 3600, 3600))


def check_audio(packets: list[Packet]) -> None:
    track = packets[0].track
    assert isinstance(track, AudioTrack)
    assert (track.codec, track.sample_rate, track.channels) == ("aac", 48_000, 2)
    assert 92 <= len(packets) <= 97
    steps = {after.dts - before.dts for before, after in pairwise(packets)}
    assert steps <= {21 * 90, 22 * 90}


def check(publication: RecordingPublication) -> None:
    check_video(publication.video)
    check_audio(publication.audio)
    assert publication.metadata
    assert abs(publication.video[0].pts - publication.audio[0].pts) <= 100 * 90


@pytest.mark.parametrize("ffmpeg", FFMPEGS, ids=FFMPEG_IDS)
async def test_ffmpeg_publishes(ffmpeg: str, server: RtmpServer, gate: RecordingGate) -> None:
    status, output = await publish(ffmpeg, url(server, "key?token=a%20b"), *X264, *AAC)
    assert status == 0, output
    assert await gate.publications[0].closed is True
    check(gate.publications[0])
    assert any(packet.pts > packet.dts for packet in gate.publications[0].video)
    (request,) = gate.requests
    assert (request.app, request.stream_key, request.query) == ("live", "key", "token=a%20b")
    assert "Lavf" in request.encoder


async def test_ffmpeg_that_speaks_enhanced_rtmp_takes_our_answer(
    server: RtmpServer, gate: RecordingGate
) -> None:
    options = ["-rtmp_enhanced_codecs", "hvc1,av01,vp09,Opus"]
    status, output = await publish(FFMPEGS[1], url(server), *X264, *AAC, *options)
    assert status == 0, output
    await gate.publications[0].closed
    check(gate.publications[0])


@pytest.mark.parametrize("ffmpeg", FFMPEGS, ids=FFMPEG_IDS)
async def test_ffmpeg_with_a_password_that_nobody_asks_for(
    ffmpeg: str, server: RtmpServer, gate: RecordingGate
) -> None:
    address = f"rtmp://user:secret@127.0.0.1:{server.port}/live/key"
    status, output = await publish(ffmpeg, address, *X264, *AAC)
    assert status == 0, output
    (request,) = gate.requests
    assert (request.app, request.stream_key, request.query) == ("live", "key", "")


@pytest.mark.parametrize("ffmpeg", FFMPEGS, ids=FFMPEG_IDS)
async def test_ffmpeg_shows_why_it_is_refused(ffmpeg: str, server: RtmpServer) -> None:
    status, output = await publish(ffmpeg, url(server, "bad"), *X264, *AAC)
    assert status != 0
    assert "Server error: this stream key is not known" in output


async def test_ffmpeg_shows_that_its_codec_is_refused(server: RtmpServer, gate: RecordingGate) -> None:
    # FFmpeg looks for answers when it sends, so it has to send for longer than the answer takes.
    slow = ["-filter:v", "realtime", "-filter:a", "arealtime"]
    status, output = await publish(FFMPEGS[1], url(server), *slow, *X264, "-c:a", "pcm_s16le", "-ar", "44100")
    assert status != 0
    assert "audio codec PCM is not supported: set the encoder to AAC" in output
    assert await gate.publications[0].closed is False


@pytest.mark.parametrize(("options", "has_video"), [((*X264, "-an"), True), (("-vn", *AAC), False)])
async def test_one_kind_alone(
    options: tuple[str, ...], has_video: bool, server: RtmpServer, gate: RecordingGate
) -> None:
    status, output = await publish(FFMPEGS[1], url(server), *options)
    assert status == 0, output
    publication = gate.publications[0]
    await publication.closed
    assert (bool(publication.video), bool(publication.audio)) == (has_video, not has_video)


async def test_hours_into_a_stream(server: RtmpServer, gate: RecordingGate) -> None:
    """Times cross 2**24 ms, where the timestamps of chunks become extended."""
    offset = ["-output_ts_offset", str((1 << 24) / 1000 - 1)]
    status, output = await publish(FFMPEGS[0], url(server), *X264, *AAC, *offset)
    assert status == 0, output
    publication = gate.publications[0]
    await publication.closed
    check(publication)
    assert publication.video[0].dts < (1 << 24) * 90 < publication.video[-1].dts


async def run_pipeline(sink: str, location: str, **options: str) -> None:
    launch = need("gst-launch-1.0")
    pipeline = PIPELINE.format(sink=sink, url="{url}").split()
    place = pipeline.index("location={url}")
    pipeline[place : place + 1] = [
        f"location={location}",
        *(f"{name}={text}" for name, text in options.items()),
    ]
    status, output = await run(launch, *pipeline)
    if f'no element "{sink}"' in output and not os.environ.get("CI"):
        pytest.skip(f"GStreamer has no {sink}")
    assert status == 0, output


@pytest.mark.parametrize("sink", ["rtmp2sink", "rtmpsink"])
async def test_gstreamer_publishes(sink: str, server: RtmpServer, gate: RecordingGate) -> None:
    await run_pipeline(sink, url(server))
    publication = gate.publications[0]
    await publication.closed
    check(publication)


async def test_gstreamer_that_begins_with_adobe_authentication(
    server: RtmpServer, gate: RecordingGate
) -> None:
    await run_pipeline("rtmp2sink", url(server), authmod="adobe", username="user", password="secret")
    (request,) = gate.requests
    assert (request.app, request.stream_key, request.query) == ("live", "key", "")


async def test_librtmp_with_a_user_and_a_password(server: RtmpServer, gate: RecordingGate) -> None:
    await run_pipeline("rtmpsink", f'"{url(server)} pubUser=user pubPasswd=secret"')
    (request,) = gate.requests
    assert (request.app, request.stream_key, request.query) == ("live", "key", "")
