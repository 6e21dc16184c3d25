import json
from dataclasses import asdict
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hls.config import HlsConfig
from hls.timeline import Checkpoint, Segment, Timeline
from media.error import LocalStateError
from media.packet import CLOCK_HZ

S = CLOCK_HZ
CONFIG = HlsConfig()
NOW = 1_790_000_000.0

FRAME_RATES = [
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
]


def milliseconds(frame_rate: Fraction, index: int, phase: Fraction = Fraction(0)) -> int:
    """Return the time of a frame in ticks after RTMP has rounded it to milliseconds."""
    return round((index / frame_rate + phase) * 1000) * (S // 1000)


def begun(
    config: HlsConfig = CONFIG, checkpoint: Checkpoint | None = None, at: int | None = None
) -> Timeline:
    timeline = Timeline(config, checkpoint)
    timeline.begin(timeline.position if at is None else at, NOW)
    return timeline


def feed(timeline: Timeline, times: list[float], keyframes: set[float] | None = None) -> list[float]:
    """Advance through frame times in seconds; return those that began a segment."""
    return [
        time for time in times if timeline.advance(round(time * S), keyframes is None or time in keyframes)
    ]


def parts_s(segment: Segment) -> list[float]:
    ends = [segment.start, *segment.part_ends]
    return [round((b - a) / S, 6) for a, b in pairwise(ends)]


@settings(max_examples=60, deadline=None)
@given(
    frame_rate=st.sampled_from(FRAME_RATES),
    phase=st.fractions(0, Fraction(1, 10), max_denominator=10_000),
    part_ms=st.sampled_from([250, 333, 500, 1000]),
    gop=st.integers(10, 130),
    frames=st.integers(60, 400),
)
def test_parts_are_never_too_long_and_only_the_last_is_short(
    frame_rate: Fraction, phase: Fraction, part_ms: int, gop: int, frames: int
) -> None:
    config = HlsConfig(part_s=part_ms / 1000)
    start = milliseconds(frame_rate, 0, phase)
    times = [milliseconds(frame_rate, index, phase) - start for index in range(frames)]
    timeline = begun(config)
    for index, time in enumerate(times):
        timeline.advance(time, index % gop == 0)
    end = times[-1] + round(S / frame_rate)
    timeline.end_segment(end)

    position = 0
    for segment in timeline.segments:
        assert segment.is_closed
        assert segment.start == position
        lengths = [
            b - a for a, b in zip([segment.start, *segment.part_ends], segment.part_ends, strict=False)
        ]
        assert sum(lengths) == segment.end - segment.start
        assert all(0 < length <= config.part_ticks for length in lengths)
        assert all(length >= 0.85 * config.part_ticks for length in lengths[:-1])
        assert round((segment.end - segment.start) / S) <= config.target_duration_s
        position = segment.end
    assert position == end


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.integers(1, 3 * S), min_size=1, max_size=60), cuts=st.sets(st.integers(0, 59)))
def test_any_frame_rate_gives_contiguous_parts_within_the_target(steps: list[int], cuts: set[int]) -> None:
    timeline = begun()
    time = 0
    for index, step in enumerate(steps):
        time += step
        before = timeline.open_segment
        has_cut = timeline.advance(time, index in cuts)
        assert has_cut == (timeline.open_segment is not before)
        assert timeline.frontier <= time
    timeline.end_segment(time + 1)
    position = 0
    for segment in timeline.segments:
        for end in segment.part_ends:
            assert 0 < end - position <= CONFIG.part_ticks
            position = end
        assert segment.end - segment.start <= CONFIG.target_duration_ticks
    assert position == time + 1


def test_a_part_closes_when_the_next_frame_is_known() -> None:
    timeline = begun()
    feed(timeline, [n / 25 for n in range(12)], {0})
    assert timeline.frontier == 0
    timeline.advance(12 * 3600, False)
    assert timeline.frontier == 12 * 3600  # 13 frames would be 0.52 s
    assert timeline.position == 12 * 3600


def test_a_part_that_crosses_closes_where_the_last_frame_that_fits_begins() -> None:
    timeline = begun()
    # 15 frames of 33.37 ms are 0.501 s by a millisecond clock.
    times = [0, 33, 67, 100, 133, 167, 200, 234, 267, 300, 334, 367, 400, 434, 467, 501]
    feed(timeline, [time / 1000 for time in times], {0})
    assert timeline.open_segment is not None
    assert parts_s(timeline.open_segment) == [0.467]


@pytest.mark.parametrize(
    ("interval_s", "expected_s"),
    [
        (0.25, 2.0),
        (0.5, 2.0),
        (0.9, 1.8),
        (1.0, 2.0),
        (1.5, 1.5),
        (1.9, 1.9),
        (2.0, 2.0),
        (2.1, 2.1),
        (2.5, 2.5),
        (4.0, 4.0),
    ],
)
def test_segments_begin_at_the_keyframe_nearest_to_the_target(interval_s: float, expected_s: float) -> None:
    timeline = begun()
    step = round(interval_s * 20)
    for index in range(400):
        timeline.advance(index * S // 20, index % step == 0)
    lengths = [(segment.end - segment.start) / S for segment in timeline.segments if segment.is_closed]
    assert lengths[1:]
    assert set(lengths[1:]) == {expected_s}


def test_a_scene_cut_does_not_make_a_short_segment() -> None:
    timeline = begun()
    assert feed(timeline, [n / 25 for n in range(120)], {0, 0.4, 2.0, 2.2, 4.0}) == [2.0, 4.0]


def test_a_source_that_can_be_cut_anywhere_gives_segments_of_the_target() -> None:
    timeline = begun()
    assert feed(timeline, [n / 25 for n in range(120)]) == [2.0, 4.0]


def test_slow_sources_are_cut_by_time() -> None:
    timeline = begun()
    feed(timeline, [0, 1, 2, 3], {0, 2})
    first, second = timeline.segments
    assert parts_s(first) == [0.5, 0.5, 0.5, 0.5]
    assert parts_s(second)[:1] == [0.5]


def test_a_hole_does_not_make_a_segment_longer_than_the_target() -> None:
    timeline = begun()
    feed(timeline, [n / 25 for n in range(98)], {0})  # to 3.88 s
    assert timeline.advance(round(6.8 * S), False)
    assert timeline.segments[0].end == round(3.88 * S)


def test_a_new_run_is_a_discontinuity_and_dates_never_step_back() -> None:
    timeline = begun()
    feed(timeline, [n / 25 for n in range(60)], {0, 2.0})
    timeline.end_segment(round(2.4 * S))
    assert not timeline.is_open
    assert timeline.position == timeline.frontier == round(2.4 * S)
    timeline.begin(timeline.position, NOW + 1.0)
    timeline.advance(timeline.position + 3600, False)
    timeline.end_segment(timeline.position + 3600)
    timeline.begin(timeline.position, NOW + 60.0)
    assert [segment.msn for segment in timeline.segments] == [0, 1, 2, 3]
    assert [segment.is_discontinuity for segment in timeline.segments] == [False, False, True, True]
    assert [segment.discontinuities_before for segment in timeline.segments] == [0, 0, 0, 1]
    assert [segment.generation for segment in timeline.segments] == [1, 1, 2, 3]
    dates = [segment.program_date_time - NOW for segment in timeline.segments]
    assert dates == pytest.approx([0.0, 2.0, 2.4, 60.0])


def test_a_run_without_a_frame_leaves_no_segment() -> None:
    timeline = begun()
    timeline.end_segment(0)
    assert not timeline.segments
    timeline.begin(0, NOW)
    assert [(s.msn, s.is_discontinuity) for s in timeline.segments] == [(0, False)]
    timeline.advance(3600, False)
    timeline.end_segment(7200)
    timeline.begin(7200, NOW)
    timeline.end_segment(7200)
    assert timeline.checkpoint().discontinuity_sequence == 0
    timeline.begin(9000, NOW)
    assert [(s.msn, s.is_discontinuity) for s in timeline.segments] == [(0, False), (1, True)]


def test_the_frame_that_was_already_counted_can_begin_the_next_run() -> None:
    timeline = begun()
    feed(timeline, [n / 25 for n in range(101)], {0})
    at = timeline.position
    timeline.end_segment(at)
    timeline.begin(at, NOW)
    assert not timeline.advance(at, True)
    assert timeline.open_segment is not None
    assert timeline.open_segment.start == at
    assert timeline.segments[0].end == at


def test_a_new_process_goes_on_behind_everything_that_was_published() -> None:
    timeline = begun()
    feed(timeline, [n / 25 for n in range(75)], {0, 2.0})
    timeline.end_segment(3 * S)
    timeline.begin(3 * S, NOW)
    checkpoint = timeline.checkpoint()
    restored = Checkpoint(**json.loads(json.dumps(asdict(checkpoint))))
    assert restored == checkpoint
    feed(timeline, [3 + n / 25 for n in range(50)], set())

    after = begun(checkpoint=restored)
    segment = after.open_segment
    assert segment is not None
    assert segment.msn == timeline.next_msn == 3
    assert segment.is_discontinuity
    assert segment.discontinuities_before == 1
    assert segment.start >= timeline.position
    assert segment.generation > timeline.segments[-1].generation


def test_a_checkpoint_between_runs_is_exact() -> None:
    timeline = begun()
    feed(timeline, [0, 0.04], {0})
    timeline.end_segment(7200)
    assert timeline.checkpoint() == Checkpoint(1, 1, 0, 7200)
    assert Timeline(CONFIG).checkpoint() == Checkpoint()


def test_wrong_use_is_a_bug() -> None:
    timeline = begun()
    with pytest.raises(LocalStateError):
        timeline.begin(S, NOW)
    timeline.advance(S, False)
    timeline.end_segment(2 * S)
    with pytest.raises(LocalStateError):
        timeline.begin(S, NOW)
    with pytest.raises(LocalStateError):
        timeline.advance(3 * S, False)
    timeline.end_segment(4 * S)
    assert timeline.position == 2 * S


def test_old_segments_are_forgotten_but_never_the_open_one() -> None:
    timeline = begun()
    feed(timeline, [n / 25 for n in range(120)])
    timeline.drop_before(99)
    assert [segment.msn for segment in timeline.segments] == [2]
    assert timeline.segment(1) is None
    assert timeline.segment(2) is timeline.open_segment
    assert timeline.segment(3) is None
