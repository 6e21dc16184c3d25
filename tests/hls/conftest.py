"""A small source with real codecs, and a driver that feeds it to an output as a broadcast does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np
import pytest

from hls.audio_writer import AudioWriter
from hls.config import HlsConfig
from hls.output import HlsOutput
from hls.timeline import Checkpoint
from hls.writer import Sample, VideoWriter
from media.aac import aac_track
from media.h264 import h264_track
from media.packet import CLOCK_HZ, AudioTrack, VideoTrack
from media.timing import rescale

NOW = 1_790_000_000.0


@dataclass(frozen=True)
class Clip:
    """Encoded media on the timeline: DTS shifted so that it equals the PTS at IDR pictures."""

    track: VideoTrack
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Tone:
    track: AudioTrack
    samples: tuple[Sample, ...]


@cache
def encode_video(
    *, frame_rate: Fraction = Fraction(25), frames: int = 150, gop: int = 50, b_frames: int = 0
) -> Clip:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 192, 108, "yuv420p"
    encoder.framerate, encoder.time_base = frame_rate, 1 / frame_rate
    encoder.options = {
        "preset": "ultrafast",
        "g": str(gop),
        "keyint_min": str(gop),
        "sc_threshold": "0",
        "bf": str(b_frames),
        "x264-params": f"annexb=0:bframes={b_frames}:b-adapt=0:threads=1",
    }
    encoder.flags |= av.codec.context.Flags.global_header
    encoder.open()
    packets = []
    for index in range(frames):
        picture = np.full((162, 192), (index * 7) % 255, dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = index, 1 / frame_rate
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return Clip(h264_track(bytes(encoder.extradata or b"")), tuple(shifted(packets, CLOCK_HZ / frame_rate)))


def shifted(packets: list[av.Packet[Any]], tick: Fraction) -> Iterator[Sample]:
    shift = None
    for packet in packets:
        assert packet.pts is not None
        assert packet.dts is not None
        shift = packet.pts - packet.dts if shift is None else shift
        dts, pts = round((packet.dts + shift) * tick), round(packet.pts * tick)
        yield Sample(dts, pts, bytes(packet), packet.is_keyframe)


@cache
def encode_audio(*, sample_rate: int = 48_000, seconds: float = 6.0) -> Tone:
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = sample_rate, "stereo", "fltp"
    encoder.time_base = Fraction(1, sample_rate)
    encoder.open()
    packets = []
    for index in range(int(seconds * sample_rate / 1024)):
        wave = np.sin(np.arange(index * 1024, (index + 1) * 1024) * 2 * np.pi * 440 / sample_rate) * 0.3
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]).astype(np.float32), "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = sample_rate, index * 1024, Fraction(1, sample_rate)
        packets += encoder.encode(frame)
    # Milliseconds, as RTMP has them.
    times = [rescale(index * 1024, 1000, sample_rate) * 90 for index in range(len(packets))]
    samples = [Sample(time, time, bytes(p), True) for time, p in zip(times, packets, strict=True)]
    return Tone(aac_track(bytes(encoder.extradata or b"")), tuple(samples))


@dataclass
class Driver:
    """Feeds samples to an output in the order of their times, as the live room does."""

    output: HlsOutput
    videos: dict[str, VideoWriter] = field(default_factory=dict)
    audio: AudioWriter | None = None

    def begin(self, at: int = 0, now: float = NOW) -> None:
        self.output.timeline.begin(at, now)

    def declare(self, clip: Clip | None, tone: Tone | None = None, names: Iterable[str] = ("720p",)) -> None:
        for name in names if clip is not None else ():
            assert clip is not None
            writer = self.output.add_video(
                name,
                width=clip.track.width,
                height=clip.track.height,
                frame_rate=Fraction(25),
                codec_string=clip.track.codec_string,
                bandwidth_bps=1_000_000,
            )
            writer.set_track(clip.track, self.output.timeline.position)
            self.videos[name] = writer
        if tone is not None:
            self.audio = self.output.add_audio(tone.track)

    def push(self, clip: Clip, tone: Tone | None = None, offset: int = 0, until: int | None = None) -> None:
        timeline = self.output.timeline
        sounds = [(s.dts + offset, s) for s in tone.samples] if tone is not None else []
        heard = 0
        for sample in clip.samples:
            dts, pts = sample.dts + offset, sample.pts + offset
            if until is not None and dts >= until:
                break
            while heard < len(sounds) and sounds[heard][0] <= dts:
                assert self.audio is not None
                self.audio.add(Sample(sounds[heard][0], sounds[heard][0], sounds[heard][1].data, True))
                heard += 1
            timeline.advance(dts, sample.is_sync)
            for writer in self.videos.values():
                writer.add(Sample(dts, pts, sample.data, sample.is_sync))
                writer.advance(timeline.frontier)
            if self.audio is not None:
                self.audio.advance(timeline.frontier, sounds[heard][0] if heard < len(sounds) else dts)

    def lose(self, at: int) -> None:
        self.output.timeline.end_segment(at)
        for writer in self.videos.values():
            writer.advance(at)
        if self.audio is not None:
            self.audio.advance(at, at)


@pytest.fixture
def make_driver() -> Callable[..., Driver]:
    def make(config: HlsConfig | None = None, checkpoint: Checkpoint | None = None) -> Driver:
        return Driver(HlsOutput(config or HlsConfig(), checkpoint))

    return make


@pytest.fixture
def video_clip() -> Callable[..., Clip]:
    return encode_video


@pytest.fixture
def audio_tone() -> Callable[..., Tone]:
    return encode_audio
