"""Small sources, encoded in-process, and a sink that remembers."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.codec.context import Flags
from av.video.reformatter import VideoReformatter

from media.aac import aac_track
from media.flac import flac_track
from media.h264 import h264_track
from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack
from media.rendition import Rendition
from transcode.message import Media, SetTrack
from transcode.rung import RungSpec, rung_spec

FPS = 25
STEP = CLOCK_HZ // FPS


def picture(
    index: int, width: int, height: int, pixel_format: str = "yuv420p", *, is_flat: bool = False
) -> av.VideoFrame:
    """Draw a gradient that moves, cheap and different in every frame."""
    frame = av.VideoFrame(width, height, "yuv420p")
    luma = frame.planes[0]
    if is_flat:
        luma.update(bytes([128]) * luma.buffer_size)
    else:
        row = bytes((16 + (x + index * 4) % 200) for x in range(luma.line_size))
        luma.update(row * height)
    for plane in frame.planes[1:]:
        plane.update(bytes([128]) * plane.buffer_size)
    return VideoReformatter().reformat(frame, width, height, pixel_format)


def video(
    frames: int = 50,
    width: int = 320,
    height: int = 180,
    *,
    start: int = 0,
    gop: int = FPS,
    b_frames: int = 0,
    pixel_format: str = "yuv420p",
    aspect: Fraction = Fraction(1),
    is_flat: bool = False,
) -> list[Packet]:
    """Encode a source in decoding order; an IDR every `gop` frames, its dts equal to its pts as on the timeline."""
    codec: Any = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = width, height, pixel_format
    codec.time_base, codec.framerate = Fraction(1, CLOCK_HZ), Fraction(FPS)
    codec.gop_size, codec.max_b_frames, codec.thread_count = gop, b_frames, 1
    codec.sample_aspect_ratio = aspect
    codec.flags |= Flags.global_header
    params = f"annexb=0:keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:bframes={b_frames}:b-adapt=0"
    codec.options = {"preset": "ultrafast", "crf": "28", "x264-params": params}
    codec.open()
    encoded = []
    for index in range(frames):
        frame = picture(index, width, height, pixel_format, is_flat=is_flat)
        frame.pts, frame.time_base = index * STEP, Fraction(1, CLOCK_HZ)
        encoded += codec.encode(frame)
    encoded += codec.encode(None)
    track = h264_track(codec.extradata)
    shift = start + (encoded[0].pts - encoded[0].dts)
    return [
        Packet(track, start + p.pts, shift + p.dts, bytes(p), is_keyframe=bool(p.is_keyframe))
        for p in encoded
    ]


def audio(
    seconds: float = 2.0, *, sample_rate: int = 48_000, layout: str = "stereo", start: int = 0
) -> list[Packet]:
    """Encode a tone as AAC-LC."""
    codec: Any = av.CodecContext.create("aac", "w")
    codec.sample_rate, codec.layout, codec.format = sample_rate, layout, "fltp"
    codec.time_base = Fraction(1, sample_rate)
    codec.flags |= Flags.global_header
    codec.open()
    encoded = []
    for index in range(int(seconds * sample_rate / 1024)):
        frame = av.AudioFrame(format="fltp", layout=layout, samples=1024)
        frame.sample_rate = sample_rate
        for plane in frame.planes:
            plane.update(TONE)
        frame.pts, frame.time_base = index * 1024, Fraction(1, sample_rate)
        encoded += codec.encode(frame)
    track = aac_track(bytes(codec.extradata))
    return [_audio_packet(track, start, index, bytes(p)) for index, p in enumerate(encoded)]


def sine(
    frequency: float,
    seconds: float,
    *,
    layout: str = "stereo",
    rate: int = 48_000,
    levels: Sequence[float] = (0.5, 0.5),
) -> list[Packet]:
    """Make a tone in FLAC, which changes no sample; one level for each channel, timestamps in milliseconds."""
    codec: Any = av.CodecContext.create("flac", "w")
    codec.sample_rate, codec.layout, codec.format = rate, layout, "s32"
    codec.time_base = Fraction(1, rate)
    codec.open()
    count = int(codec.frame_size)
    packets = []
    for index in range(int(seconds * rate / count)):
        wave = np.sin(2 * np.pi * frequency * np.arange(index * count, (index + 1) * count) / rate)
        samples = np.outer(wave, np.array(levels) * (2**31 - 1)).astype(np.int32)
        frame = av.AudioFrame(format="s32", layout=layout, samples=count)
        frame.sample_rate, frame.pts, frame.time_base = rate, index * count, Fraction(1, rate)
        frame.planes[0].update(samples.tobytes())
        for data in map(bytes, codec.encode(frame)):
            pts = index * count * 1000 // rate * 90
            packets.append((pts, data))
    track = flac_track(bytes(codec.extradata))
    return [Packet(track, pts, pts, data, is_keyframe=True) for pts, data in packets]


def _audio_packet(track: AudioTrack, start: int, index: int, data: bytes) -> Packet:
    # RTMP's milliseconds: rounded down.
    pts = start + index * 1024 * 1000 // track.sample_rate * 90
    return Packet(track, pts, pts, data, is_keyframe=True)


def _make_tone() -> bytes:
    # 16 whole periods in a frame, so that frames join without a click.
    return struct.pack("1024f", *(0.3 * math.sin(2 * math.pi * 16 * n / 1024) for n in range(1024)))


TONE = _make_tone()


def spec(name: str, width: int, height: int, preset: str = "ultrafast") -> RungSpec:
    """Describe a rung of any size, cheap."""
    return rung_spec(Rendition(name, width, height), Fraction(FPS), preset)


def messages(packets: list[Packet]) -> Iterator[SetTrack | Media]:
    """Say to a worker what a server would."""
    tracks: dict[bool, VideoTrack | AudioTrack] = {}
    for packet in packets:
        if tracks.get(packet.is_video) != packet.track:
            tracks[packet.is_video] = packet.track
            yield SetTrack(packet.track)
        yield Media(packet.is_video, packet.is_keyframe, packet.pts, packet.dts, packet.data)


def decode(config: bytes, packets: list[bytes]) -> list[av.VideoFrame]:
    """Decode an encoded rung from its first packet on."""
    codec: Any = av.CodecContext.create("h264", "r")
    codec.extradata = config
    frames = [frame for data in packets for frame in codec.decode(av.Packet(data))]
    return cast("list[av.VideoFrame]", frames + codec.decode(None))


class Recorder:
    """A sink that remembers everything."""

    def __init__(self) -> None:
        self.opened: dict[str, list[VideoTrack]] = {}
        self.starts: dict[str, list[int]] = {}
        self.events: dict[str, list[VideoTrack | int]] = {}
        """Of each rung, in their order: tracks, and the pts of frames."""
        self.video: list[tuple[int, Mapping[str, Packet]]] = []
        self.audio: dict[str, list[Packet]] = {}
        self.audio_tracks: dict[str, AudioTrack] = {}
        self.gaps: list[tuple[tuple[str, ...], int]] = []
        self.flushes = 0
        self.failures: list[str] = []
        self._changed = asyncio.Event()

    @property
    def pts(self) -> list[int]:
        return [pts for pts, _ in self.video]

    def keyframes(self, rung: str) -> list[int]:
        return [pts for pts, frames in self.video if rung in frames and frames[rung].is_keyframe]

    async def until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def on_rung_opened(self, rung: str, track: VideoTrack, from_pts: int) -> None:
        self.opened.setdefault(rung, []).append(track)
        self.starts.setdefault(rung, []).append(from_pts)
        self.events.setdefault(rung, []).append(track)
        self._changed.set()

    def on_video(self, pts: int, frames: Mapping[str, Packet]) -> None:
        self.video.append((pts, frames))
        for rung in frames:
            self.events.setdefault(rung, []).append(pts)
        self._changed.set()

    def on_audio_opened(self, output: str, track: AudioTrack) -> None:
        self.audio_tracks[output] = track

    def on_audio(self, output: str, packet: Packet) -> None:
        self.audio.setdefault(output, []).append(packet)
        self._changed.set()

    def on_gap(self, rungs: Collection[str], until_pts: int) -> None:
        self.gaps.append((tuple(rungs), until_pts))
        self._changed.set()

    def on_flushed(self) -> None:
        self.flushes += 1
        self._changed.set()

    def on_failed(self, reason: str) -> None:
        self.failures.append(reason)
        self._changed.set()
