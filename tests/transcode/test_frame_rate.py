"""Rungs that have fewer frames than their source."""

from collections.abc import Iterator
from fractions import Fraction

import pytest

from media.packet import CLOCK_HZ, Packet
from media.rendition import Rendition
from transcode.message import Activate, EncodedFrame, Flush, ForceKeyframe, Frames, Message, RungOpened
from transcode.pipeline import Pipeline
from transcode.rung import RungSpec, rung_spec

from .source import decode, messages, video

NTSC_60 = Fraction(60_000, 1001)
SIZES = {"144p": (64, 36), "480p": (80, 46), "720p": (128, 72)}


def spec_at(name: str, rate: Fraction | None) -> RungSpec:
    """Describe a rung of this name; it is small, since only its pace matters."""
    return rung_spec(Rendition(name, *SIZES[name]), rate, "ultrafast")


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    pipeline = Pipeline()
    yield pipeline
    pipeline.close()


def at(times: list[int], gop: int = 1000) -> list[Packet]:
    """Encode a source with a picture at each of these times, in ticks."""
    packets = video(len(times), 128, 72, gop=gop)
    return [
        Packet(packet.track, time, time, packet.data, packet.is_keyframe)
        for packet, time in zip(packets, times, strict=True)
    ]


def steady(rate: Fraction, count: int, *, is_rounded: bool = True) -> list[int]:
    """List the times of frames, rounded to milliseconds as RTMP has them."""
    unit = 90 if is_rounded else 1
    return [int(index * CLOCK_HZ / rate / unit) * unit for index in range(count)]


def run(pipeline: Pipeline, *sent: Message) -> dict[str, list[tuple[int, EncodedFrame]]]:
    """List the frames of each rung with their times."""
    found: dict[str, list[tuple[int, EncodedFrame]]] = {}
    for message in sent:
        for result in pipeline.handle(message):
            if isinstance(made := result(), Frames):
                for frame in made.frames:
                    found.setdefault(frame.rung, []).append((made.pts, frame))
    return found


def times_of(frames: list[tuple[int, EncodedFrame]]) -> list[int]:
    return [pts for pts, _ in frames]


@pytest.mark.parametrize(
    ("source", "small"),
    [
        (24, 24),
        (25, 25),
        (30, 30),
        (36, 36),  # its half would be 18
        (45, 45),
        (48, 24),
        (50, 25),
        (NTSC_60, NTSC_60 / 2),
        (60, 30),
        (90, 30),
        (120, 30),
        (240, 30),
    ],
)
def test_what_rungs_declare(source: Fraction, small: Fraction) -> None:
    assert spec_at("720p", Fraction(source)).frame_rate == min(120, source)
    assert spec_at("480p", Fraction(source)).frame_rate == small
    assert spec_at("144p", Fraction(source)).frame_rate == small


def test_fewer_frames_take_fewer_bits() -> None:
    full, half, slow = (
        spec_at(*item) for item in (("720p", Fraction(60)), ("480p", Fraction(60)), ("480p", Fraction(30)))
    )
    assert half.max_bitrate_bps == slow.max_bitrate_bps
    assert full.max_bitrate_bps > spec_at("720p", Fraction(30)).max_bitrate_bps
    assert half.level <= slow.level


@pytest.mark.parametrize("is_rounded", [True, False])
@pytest.mark.parametrize(
    ("rate", "step"), [(24, 1), (25, 1), (30, 1), (45, 1), (50, 2), (NTSC_60, 2), (60, 2), (90, 3), (120, 4)]
)
def test_every_nth_frame_is_left(pipeline: Pipeline, rate: Fraction, step: int, is_rounded: bool) -> None:
    times = steady(Fraction(rate), 60, is_rounded=is_rounded)
    wanted = [Activate(spec_at(name, Fraction(rate)), 0) for name in SIZES]
    frames = run(pipeline, *wanted, *messages(at(times)), Flush(1))
    assert times_of(frames["720p"]) == times
    assert times_of(frames["480p"]) == times_of(frames["144p"]) == times[::step]


def test_a_rate_that_is_not_said_or_wrong_is_bounded_all_the_same(pipeline: Pipeline) -> None:
    times = steady(Fraction(60), 60)
    wanted = [Activate(spec_at(name, rate), 0) for name, rate in [("144p", None), ("480p", Fraction(30))]]
    frames = run(pipeline, *wanted, *messages(at(times)), Flush(1))
    assert times_of(frames["144p"]) == times_of(frames["480p"]) == times[::2]


def test_a_source_that_claims_60_and_sends_30_loses_nothing(pipeline: Pipeline) -> None:
    times = steady(Fraction(30), 40)
    frames = run(pipeline, Activate(spec_at("480p", Fraction(60)), 0), *messages(at(times)), Flush(1))
    assert times_of(frames["480p"]) == times


def test_an_ordered_idr_is_there_on_all_rungs_and_the_count_starts_over(pipeline: Pipeline) -> None:
    times = steady(Fraction(60), 60)
    orders = [ForceKeyframe(times[index], None) for index in (11, 32)]
    wanted = [Activate(spec_at(name, Fraction(60)), 0) for name in SIZES]
    frames = run(pipeline, *wanted, *orders, *messages(at(times)), Flush(1))
    for name in SIZES:
        keys = [pts for pts, frame in frames[name] if frame.is_keyframe]
        assert keys == [0, times[11], times[32]], name
    assert times_of(frames["480p"]) == times[:11:2] + times[11:32:2] + times[32::2]


def test_a_segment_encoded_alone_has_the_frames_that_it_had_live(pipeline: Pipeline) -> None:
    times = [time + (index * 7 % 5) * 270 for index, time in enumerate(steady(Fraction(60), 80))]
    packets = at(times, gop=27)
    spec = spec_at("480p", Fraction(60))
    orders = [ForceKeyframe(times[27], None), ForceKeyframe(times[54], None)]
    live = run(pipeline, Activate(spec, 0), *orders, *messages(packets), Flush(1))["480p"]
    job = Pipeline()
    alone = run(job, Activate(spec, times[27]), *messages(packets[27:54]), Flush(1))["480p"]
    job.close()
    assert times_of(alone) == [pts for pts in times_of(live) if times[27] <= pts < times[54]]


def test_a_variable_rate_keeps_what_is_rare_and_thins_what_is_dense(pipeline: Pipeline) -> None:
    dense, sparse = steady(Fraction(60), 20), [CLOCK_HZ + 9000 * index for index in range(10)]
    frames = run(
        pipeline, Activate(spec_at("480p", Fraction(60)), 0), *messages(at(dense + sparse)), Flush(1)
    )
    assert times_of(frames["480p"]) == dense[::2] + sparse


def test_what_is_left_decodes(pipeline: Pipeline) -> None:
    wanted = [Activate(spec_at(name, Fraction(60)), 0) for name in SIZES]
    (opened, *_) = [result() for result in pipeline.handle(wanted[1])]
    assert isinstance(opened, RungOpened)
    frames = run(pipeline, wanted[0], wanted[2], *messages(at(steady(Fraction(60), 50))), Flush(1))
    pictures = decode(opened.config, [frame.data for _, frame in frames["480p"]])
    assert len(pictures) == 25
    assert {(picture.width, picture.height) for picture in pictures} == {SIZES["480p"]}
