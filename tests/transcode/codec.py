"""Sources in the codecs of Enhanced RTMP, made by PyAV's encoders."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from typing import Any, NamedTuple

import av
from av.codec.context import Flags

from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack

from .source import FPS, TONE, picture


class VideoCodec(NamedTuple):
    encoder: str
    codec: str
    options: dict[str, str]


_X265 = "log-level=none:scenecut=0:b-adapt=0:pools=1:frame-threads=1"

VIDEO_CODECS = {
    "hevc": VideoCodec("libx265", "hevc", {"x265-params": f"{_X265}:keyint=10:min-keyint=10:bframes=0"}),
    # Two leading pictures in front of each CRA: twelve is a multiple of three.
    "hevc open GOP": VideoCodec(
        "libx265", "hevc", {"x265-params": f"{_X265}:keyint=12:min-keyint=12:bframes=2:open-gop=1"}
    ),
    # Leading pictures behind an IDR, which can be decoded without what comes before it.
    "hevc leading": VideoCodec(
        "libx265", "hevc", {"x265-params": f"{_X265}:keyint=12:min-keyint=12:bframes=2:open-gop=0:radl=2"}
    ),
    "av1": VideoCodec("libsvtav1", "av1", {"preset": "12", "svtav1-params": "keyint=10:lp=1"}),
    "vp9": VideoCodec("libvpx-vp9", "vp9", {"deadline": "realtime", "cpu-used": "8", "g": "10"}),
}


def video_of(kind: str, frames: int = 50, width: int = 320, height: int = 180, **more: Any) -> list[Packet]:
    """Encode a source in decoding order; dts equals pts at each keyframe, as on the timeline."""
    codec = VIDEO_CODECS[kind]
    pixel_format = more.pop("pixel_format", "yuv420p")
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream: Any = output.add_stream(
            codec.encoder, rate=FPS, options={"preset": "ultrafast"} | codec.options
        )
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.thread_count = 1
        for index in range(frames):
            frame = picture(index, width, height, pixel_format)
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as source:
        stream = source.streams.video[0]
        config = bytes(stream.codec_context.extradata or b"")
        track = VideoTrack(codec.codec, config, "", width, height, Fraction(FPS))
        return _on_the_timeline(
            [_packet(track, packet, **more) for packet in source.demux(stream) if packet.size]
        )


def _packet(track: VideoTrack, packet: Any, start: int = 0) -> Packet:
    ticks = CLOCK_HZ * packet.time_base
    return Packet(
        track,
        start + int(packet.pts * ticks),
        start + int(packet.dts * ticks),
        bytes(packet),
        packet.is_keyframe,
    )


def _on_the_timeline(packets: list[Packet]) -> list[Packet]:
    # What `mediaserver.live.clock` does: decoding times are shifted so that a keyframe's equals its pts.
    first = packets[0].pts - packets[0].dts
    start = packets[0].pts
    shifted = []
    last = -1 << 40
    lead = first
    for packet in packets:
        if packet.is_keyframe:
            lead = packet.pts - packet.dts
        last = max(last + 1, packet.dts + lead)
        shifted.append(Packet(packet.track, packet.pts, last, packet.data, packet.is_keyframe))
    assert start == shifted[0].dts
    return shifted


class AudioCodec(NamedTuple):
    encoder: str
    codec: str
    rate: int
    layout: str
    sample_format: str


AUDIO_CODECS = [
    AudioCodec("libopus", "opus", 48_000, "stereo", "flt"),
    AudioCodec("libopus", "opus", 48_000, "5.1", "flt"),
    AudioCodec("flac", "flac", 44_100, "stereo", "s16"),
    AudioCodec("flac", "flac", 48_000, "5.1", "s32"),
    AudioCodec("libmp3lame", "mp3", 44_100, "stereo", "fltp"),
    AudioCodec("libmp3lame", "mp3", 32_000, "mono", "fltp"),
    AudioCodec("ac3", "ac3", 48_000, "5.1(side)", "fltp"),
    AudioCodec("eac3", "eac3", 48_000, "5.1(side)", "fltp"),
]


def audio_of(kind: AudioCodec, seconds: float = 2.0, *, start: int = 0) -> list[Packet]:
    """Encode a tone; times in ticks from `start` on."""
    codec: Any = av.CodecContext.create(kind.encoder, "w")
    codec.sample_rate, codec.layout, codec.format = kind.rate, kind.layout, kind.sample_format
    codec.time_base = Fraction(1, kind.rate)
    codec.flags |= Flags.global_header
    codec.open()
    resampler = av.AudioResampler(kind.sample_format, kind.layout, kind.rate, codec.frame_size or 4096)
    encoded = []
    for index in range(int(seconds * kind.rate / 1024)):
        frame = av.AudioFrame(format="fltp", layout=kind.layout, samples=1024)
        frame.sample_rate = kind.rate
        for plane in frame.planes:
            plane.update(TONE)
        frame.pts, frame.time_base = index * 1024, Fraction(1, kind.rate)
        for arranged in resampler.resample(frame):
            encoded += codec.encode(arranged)
    for arranged in resampler.resample(None):
        encoded += codec.encode(arranged)
    encoded += codec.encode(None)
    channels = codec.layout.nb_channels
    track = AudioTrack(
        kind.codec, _config(kind.codec, bytes(codec.extradata or b"")), "", kind.rate, channels
    )
    first = encoded[0].pts
    ticks = [start + (packet.pts - first) * CLOCK_HZ // kind.rate for packet in encoded]
    return [Packet(track, at, at, bytes(p), is_keyframe=True) for at, p in zip(ticks, encoded, strict=True)]


def _config(codec: str, extradata: bytes) -> bytes:
    if codec != "opus":
        return extradata if codec == "flac" else b""
    _, channels, pre_skip, rate, gain = struct.unpack_from("<BBHIh", extradata, 8)
    return struct.pack(">BBHIh", 0, channels, pre_skip, rate, gain) + extradata[18:]
