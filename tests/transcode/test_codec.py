"""Sources of every codec that Enhanced RTMP carries, through the pipeline to all outputs."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from av import VideoFrame

from media.packet import CLOCK_HZ, AudioTrack, Packet
from media.rendition import renditions_for
from media.timing import rescale
from transcode.audio import AudioDecoder
from transcode.message import (
    Activate,
    ActivateAudio,
    EncodedAudio,
    Flush,
    ForceKeyframe,
    Frames,
    RungOpened,
    Skip,
)
from transcode.pipeline import Pipeline
from transcode.rung import rung_spec

from .codec import AUDIO_CODECS, VIDEO_CODECS, AudioCodec, audio_of, video_of
from .source import FPS, STEP, decode, messages


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    pipeline = Pipeline()
    yield pipeline
    pipeline.close()


@pytest.mark.parametrize("kind", VIDEO_CODECS)
def test_video_comes_out_on_all_rungs_at_its_own_times(pipeline: Pipeline, kind: str) -> None:
    specs = [rung_spec(item, Fraction(FPS), "ultrafast") for item in renditions_for(426, 240)]
    packets = video_of(kind, 50, 426, 240)
    first = packets[0].pts
    sent = [
        *(Activate(item, first) for item in specs),
        ForceKeyframe(first + 24 * STEP, None),
        *messages(packets),
        Flush(1),
    ]
    results = [result() for message in sent for result in pipeline.handle(message)]
    frames = [result for result in results if isinstance(result, Frames)]
    assert [message.pts for message in frames] == [first + index * STEP for index in range(50)]
    assert pipeline.decode_errors == pipeline.dropped_frames == 0
    opened = {result.rung: result.config for result in results if isinstance(result, RungOpened)}
    for position, item in enumerate(specs):
        column = [message.frames[position] for message in frames]
        assert {frame.rung for frame in column} == {item.name}
        assert [i for i, frame in enumerate(column) if frame.is_keyframe] == [0, 24]
        pictures = decode(opened[item.name], [frame.data for frame in column])
        assert [(p.width, p.height) for p in pictures] == [(item.width, item.height)] * 50
        # The gradient of `picture` has moved by four samples a frame.
        assert brightness_at_left(pictures[40]) == pytest.approx(16 + 40 * 4, abs=20)


def brightness_at_left(picture: VideoFrame) -> float:
    return float(picture.to_ndarray()[20:100, 0:4].mean())


def test_leading_pictures_follow_their_keyframe() -> None:
    """What the tests with open GOPs rest on: the encoder really makes them."""
    packets = video_of("hevc open GOP", 50)
    keyframes = [packet for packet in packets if packet.is_keyframe]
    assert len(keyframes) >= 4
    later = packets[packets.index(keyframes[1]) + 1 :]
    assert sum(packet.pts < keyframes[1].pts for packet in later) == 2
    assert all(packet.pts == packet.dts for packet in keyframes)


@pytest.mark.parametrize("before", [0, 1])
def test_a_source_that_begins_at_an_open_keyframe_loses_its_leading_pictures_only(
    pipeline: Pipeline, before: int
) -> None:
    whole = video_of("hevc open GOP", 50)
    keyframe = [packet for packet in whole if packet.is_keyframe][1]
    packets = whole[whole.index(keyframe) - before :]
    (item,) = [rung_spec(item, Fraction(FPS), "ultrafast") for item in renditions_for(320, 180)][:1]
    sent = [Activate(item, 0), *messages(packets), Flush(1)]
    results = [result() for message in sent for result in pipeline.handle(message)]
    times = [result.pts for result in results if isinstance(result, Frames)]
    assert times == sorted(packet.pts for packet in packets if packet.pts >= keyframe.pts)
    assert pipeline.decode_errors == 0


@pytest.mark.parametrize("kind", ["hevc open GOP", "hevc leading"])
def test_behind_a_skip_nothing_comes_that_was_said_to_be_lost(pipeline: Pipeline, kind: str) -> None:
    whole = video_of(kind, 50)
    keyframe = [packet for packet in whole if packet.is_keyframe][2]
    (item, *_) = [rung_spec(item, Fraction(FPS), "ultrafast") for item in renditions_for(320, 180)]
    sent = list(messages(whole))
    begin = 1 + whole.index(keyframe)
    skipping = [Activate(item, 0), *sent[:8], Skip(keyframe.pts), *sent[begin:], Flush(1)]
    results = [result() for message in skipping for result in pipeline.handle(message)]
    times = [result.pts for result in results if isinstance(result, Frames)]
    assert [pts for pts in times if pts >= keyframe.pts] == sorted(
        packet.pts for packet in whole if packet.pts >= keyframe.pts
    )
    assert max(pts for pts in times if pts < keyframe.pts) == max(packet.pts for packet in whole[:7])


@pytest.mark.parametrize("kind", ["hevc open GOP", "hevc leading"])
def test_a_run_begins_at_its_keyframe(pipeline: Pipeline, kind: str) -> None:
    whole = video_of(kind, 50)
    keyframe = [packet for packet in whole if packet.is_keyframe][2]
    later = whole[whole.index(keyframe) :]
    assert min(packet.pts for packet in later) < keyframe.pts, "there are leading pictures"
    (item, *_) = [rung_spec(item, Fraction(FPS), "ultrafast") for item in renditions_for(320, 180)]
    sent = [Activate(item, 0), *messages(whole[:10]), Flush(1), *messages(later), Flush(2)]
    results = [result() for message in sent for result in pipeline.handle(message)]
    behind = results[results.index(Flush(1)) + 1 :]
    frames = [result for result in behind if isinstance(result, Frames)]
    assert [message.pts for message in frames] == sorted(p.pts for p in later if p.pts >= keyframe.pts)
    assert [message.pts for message in frames if message.frames[0].is_keyframe] == [keyframe.pts]


@pytest.mark.parametrize(
    ("pixel_format", "kind"), [("yuv420p10le", "hevc"), ("yuv444p", "hevc"), ("yuv420p10le", "av1")]
)
def test_other_sample_formats(pipeline: Pipeline, pixel_format: str, kind: str) -> None:
    packets = video_of(kind, 12, pixel_format=pixel_format)
    (item, *_) = [rung_spec(item, Fraction(FPS), "ultrafast") for item in renditions_for(320, 180)]
    sent = [Activate(item, 0), *messages(packets), Flush(1)]
    results = [result() for message in sent for result in pipeline.handle(message)]
    assert len([result for result in results if isinstance(result, Frames) and result.frames]) == 12


@pytest.mark.parametrize("kind", VIDEO_CODECS)
@pytest.mark.parametrize("damage", [b"", b"\0\0\0\5abc", b"\xff" * 40, b"\0"])
def test_a_broken_access_unit_costs_pictures_only(pipeline: Pipeline, kind: str, damage: bytes) -> None:
    packets = video_of(kind, 48)
    for index in (3, 14):
        old = packets[index]
        packets[index] = Packet(old.track, old.pts, old.dts, damage, old.is_keyframe)
    (item, *_) = [rung_spec(item, Fraction(FPS), "ultrafast") for item in renditions_for(320, 180)]
    sent = [Activate(item, 0), *messages(packets), Flush(1)]
    results = [result() for message in sent for result in pipeline.handle(message)]
    times = [result.pts for result in results if isinstance(result, Frames)]
    assert times == sorted(set(times))
    assert set(times) >= {packets[0].pts + index * STEP for index in range(24, 48)}


@pytest.mark.parametrize("kind", AUDIO_CODECS, ids=lambda kind: f"{kind.codec} {kind.layout} {kind.rate}")
@pytest.mark.parametrize("output", ["aac", "opus"])
def test_sound_of_every_codec_comes_out_on_the_grid(
    pipeline: Pipeline, kind: AudioCodec, output: str
) -> None:
    start = 12_345 * 90
    packets = audio_of(kind, start=start)
    sent = [ActivateAudio(output, 0), *messages(packets), Flush(1)]
    results = [result() for message in sent for result in pipeline.handle(message)]
    sound = [result for result in results if isinstance(result, EncodedAudio)]
    steps = {rescale(b.pts, 48_000, CLOCK_HZ) - rescale(a.pts, 48_000, CLOCK_HZ) for a, b in pairwise(sound)}
    assert steps == {1024 if output == "aac" else 960}
    assert sound[0].pts == pytest.approx(start, abs=CLOCK_HZ // 25)
    assert sound[-1].pts == pytest.approx(start + 2 * CLOCK_HZ, abs=CLOCK_HZ // 8)
    assert pipeline.decode_errors == 0


@pytest.mark.parametrize("kind", AUDIO_CODECS, ids=lambda kind: f"{kind.codec} {kind.layout} {kind.rate}")
def test_sound_is_48_khz_stereo_and_loud(kind: AudioCodec) -> None:
    packets = audio_of(kind)
    decoder = AudioDecoder()
    track = packets[0].track
    assert isinstance(track, AudioTrack)
    decoder.set_track(track)
    samples = np.frombuffer(
        b"".join(decoder.decode(packet.pts, packet.data) for packet in packets), np.float32
    ).reshape(-1, 2)
    assert len(samples) == pytest.approx(2 * 48_000, rel=0.03)
    middle = samples[9600:-9600]
    assert np.sqrt((middle**2).mean(axis=0)).min() > 0.1
    assert np.abs(samples).max() < 1.0, "mixed down without clipping"


def test_opus_without_a_header_counts_as_stereo() -> None:
    (kind, *_) = AUDIO_CODECS
    packets = audio_of(kind, 0.5)
    decoder = AudioDecoder()
    decoder.set_track(AudioTrack("opus", b"", "opus", 48_000, 2))
    assert sum(len(decoder.decode(packet.pts, packet.data)) for packet in packets) == 8 * 960 * len(packets)


def test_few_bytes_do_not_become_hours_of_sound() -> None:
    packets = audio_of(AudioCodec("flac", "flac", 1, "stereo", "s16"), 1024)
    decoder = AudioDecoder()
    track = packets[0].track
    assert isinstance(track, AudioTrack)
    decoder.set_track(track)
    assert [decoder.decode(packet.pts, packet.data) for packet in packets] == [b""] * len(packets)
    assert decoder.errors == sum(1 for packet in packets if packet.data) > 0
