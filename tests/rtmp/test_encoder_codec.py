"""FFmpeg publishing every codec of Enhanced RTMP over loopback."""

from __future__ import annotations

import re
from itertools import pairwise

import av
import imageio_ffmpeg
import pytest

from media.packet import CLOCK_HZ, TICKS_PER_MS, AudioTrack, Packet, VideoTrack
from rtmp.server import RtmpServer
from tests.rtmp.gate import RecordingGate
from tests.rtmp.test_encoder import AAC, FRAMES, X264, check_audio, check_times, check_video, publish, url

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()

X265 = [
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-x265-params",
    "log-level=none:keyint=25:min-keyint=25:bframes=2",
]
SVT_AV1 = ["-c:v", "libsvtav1", "-preset", "12", "-g", "25"]
LIBAOM = ["-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-g", "25", "-lag-in-frames", "0"]
LIBVPX = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "25"]


@pytest.mark.parametrize(
    ("encoder", "codec", "codec_string"),
    [
        (X265, "hevc", r"hvc1\.1\.6\.L60\.90"),
        (SVT_AV1, "av1", r"av01\.0\.00M\.08"),
        (LIBAOM, "av1", r"av01\.0\.00M\.08"),
        (LIBVPX, "vp9", r"vp09\.00\.\d\d\.08"),
    ],
    ids=["x265", "svt-av1", "libaom", "vp9"],
)
async def test_video_codecs_of_enhanced_rtmp(
    encoder: list[str], codec: str, codec_string: str, server: RtmpServer, gate: RecordingGate
) -> None:
    status, output = await publish(FFMPEG, url(server), *encoder, "-pix_fmt", "yuv420p", *AAC)
    assert status == 0, output
    publication = gate.publications[0]
    assert await publication.closed is True
    packets = publication.video
    (track,) = {packet.track for packet in packets}
    assert isinstance(track, VideoTrack)
    assert (track.codec, track.width, track.height, track.bit_depth) == (codec, 320, 240, 8)
    assert re.fullmatch(codec_string, track.codec_string), track.codec_string
    check_times(packets)
    assert decode(track, packets) == [(320, 240)] * FRAMES
    check_audio(publication.audio)


def decode(track: VideoTrack, packets: list[Packet]) -> list[tuple[int, int]]:
    """Decode with nothing but what the packets say; return the size of each picture.

    FFmpeg's own `av1` needs a graphics card.
    """
    context = av.CodecContext.create({"av1": "libdav1d"}.get(track.codec, track.codec), "r")
    assert isinstance(context, av.VideoCodecContext)
    context.extradata = track.config
    frames = [frame for packet in packets for frame in context.decode(av.Packet(packet.data))]
    return [(frame.width, frame.height) for frame in [*frames, *context.decode(None)]]


SOUND = {
    "opus": (["-c:a", "libopus", "-ac", "2"], ("opus", 48_000, 2, 960)),
    "opus-60ms-5.1": (["-c:a", "libopus", "-frame_duration", "60", "-ac", "6"], ("opus", 48_000, 6, 2880)),
    "flac": (["-c:a", "flac", "-frame_size", "4096", "-ac", "2"], ("flac", 48_000, 2, 4096)),
    "mp3": (["-c:a", "libmp3lame", "-ar", "44100", "-ac", "2"], ("mp3", 44_100, 2, 1152)),
    "mp3-48k": (["-c:a", "libmp3lame", "-ac", "1"], ("mp3", 48_000, 1, 1152)),
    "ac3": (["-c:a", "ac3", "-ac", "6"], ("ac3", 48_000, 6, 1536)),
    "eac3": (["-c:a", "eac3", "-ac", "2"], ("eac3", 48_000, 2, 1536)),
    "aac-5.1": (["-c:a", "aac", "-ac", "6"], ("aac", 48_000, 6, 1024)),
}
"""Encoder options, and codec, sample rate, channels and samples of a frame that come of them."""


@pytest.mark.parametrize(("encoder", "facts"), SOUND.values(), ids=SOUND.keys())
async def test_audio_codecs_of_enhanced_rtmp(
    encoder: list[str], facts: tuple[str, int, int, int], server: RtmpServer, gate: RecordingGate
) -> None:
    status, output = await publish(FFMPEG, url(server), "-vn", *encoder)
    assert status == 0, output
    publication = gate.publications[0]
    await publication.closed
    (track,) = {packet.track for packet in publication.audio}
    assert isinstance(track, AudioTrack)
    assert (track.codec, track.sample_rate, track.channels, track.frame_samples) == facts
    # Times are whole milliseconds, so each may be off by one; the last frame of an encoder may be short.
    exact = track.frame_samples * CLOCK_HZ // track.sample_rate
    steps = [after.dts - before.dts for before, after in pairwise(publication.audio)]
    assert all(abs(step - exact) <= TICKS_PER_MS for step in steps[:-1]), steps
    assert abs(len(steps) * exact - FRAMES * 3600) <= 5 * exact
    assert all(packet.is_keyframe and packet.pts == packet.dts for packet in publication.audio)


async def test_ffmpeg_publishes_several_tracks(server: RtmpServer, gate: RecordingGate) -> None:
    options = ["-map", "0:v", "-map", "0:v", "-map", "1:a", "-map", "1:a", *X264, "-s:v:1", "160x120"]
    sound = ["-c:a:0", "aac", "-c:a:1", "libopus", "-ac", "2"]
    status, output = await publish(FFMPEG, url(server), *options, *sound)
    assert status == 0, output
    publication = gate.publications[0]
    await publication.closed
    main, second = (
        [packet for packet in publication.video if packet.track_id == number] for number in (0, 1)
    )
    check_video(main)
    check_times(second)
    (track,) = {packet.track for packet in second}
    assert isinstance(track, VideoTrack)
    assert (track.codec, track.width, track.height) == ("h264", 160, 120)
    assert [packet.pts for packet in second] == [packet.pts for packet in main]
    check_audio([packet for packet in publication.audio if packet.track_id == 0])
    assert {packet.track.codec for packet in publication.audio if packet.track_id == 1} == {"opus"}
