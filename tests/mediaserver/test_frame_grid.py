"""The grid of frames: milliseconds made exact, slips and variable rates left as they are."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls.config import HlsConfig
from hls.timeline import Timeline
from media.packet import CLOCK_HZ, Packet, VideoTrack
from mediaserver.live.clock import SourceClock
from mediaserver.live.frame_grid import TOLERANCE, FrameGrid

RATES = [Fraction(rate) for rate in (15, 24, 25, 30, 48, 50, 60, 120)]
RATES += [Fraction(rate * 1000, 1001) for rate in (24, 30, 60)] + [Fraction(25, 2)]
MS = CLOCK_HZ // 1000


def stamps(rate: Fraction, count: int, *, start: int = 0, rounded: bool = False) -> list[int]:
    """Make an encoder's timestamps in milliseconds."""
    exact = [start + Fraction(1000 * index) / rate for index in range(count)]
    return [(round(time) if rounded else int(time)) * MS for time in exact]


def steps(times: list[int]) -> Counter[int]:
    return Counter(later - earlier for earlier, later in pairwise(times))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("declared", ["right", "unknown", "wrong"])
@pytest.mark.parametrize("rounded", [False, True])
def test_frames_of_a_constant_rate_lie_as_far_apart_as_it_says(
    rate: Fraction, declared: str, rounded: bool
) -> None:
    raw = stamps(rate, 400, start=777, rounded=rounded)
    grid = FrameGrid(raw[0], {"right": rate, "unknown": None, "wrong": Fraction(37)}[declared])
    placed = [grid.add(at) for at in raw]
    assert grid.is_constant
    assert max(abs(one - other) for one, other in zip(placed, raw, strict=True)) <= TOLERANCE
    assert all(earlier < later for earlier, later in pairwise(placed))
    frame = CLOCK_HZ / rate
    assert set(steps(placed[-250:])) <= {int(frame), -int(-frame // 1)}
    if declared == "right":
        assert placed[0] == raw[0]
        assert set(steps(placed)) <= {int(frame), -int(-frame // 1)}, "from the first frame on"


def test_a_rate_that_is_declared_almost_right_is_learned() -> None:
    raw = stamps(Fraction(30000, 1001), 600)
    grid = FrameGrid(0, Fraction(30))
    placed = [grid.add(at) for at in raw]
    assert set(steps(placed[200:])) == {3003}


def test_lost_frames_leave_the_others_where_they_are() -> None:
    raw = [at for index, at in enumerate(stamps(Fraction(30), 300)) if index % 7 and not 100 < index < 150]
    grid = FrameGrid(raw[0], Fraction(30))
    placed = [grid.add(at) for at in raw]
    assert {(at - raw[0]) % 3000 for at in placed} == {0}


def test_a_clock_that_drifts_slips_and_does_not_run_away() -> None:
    raw = [round(index * 3000 * 1.0002) // MS * MS for index in range(9000)]  # 200 ppm, five minutes
    grid = FrameGrid(0, Fraction(30))
    placed = [grid.add(at) for at in raw]
    assert max(abs(one - other) for one, other in zip(placed, raw, strict=True)) <= TOLERANCE
    assert sum(count for step, count in steps(placed).items() if step != 3000) < 60
    assert all(abs(step - 3000) <= 2 * TOLERANCE for step in steps(placed))


def test_a_variable_rate_is_left_alone_and_a_constant_one_found_again() -> None:
    variable = [index * 2000 + (index * index * 37) % 1900 for index in range(200)]
    grid = FrameGrid(0, Fraction(30))
    placed = [grid.add(at) for at in variable]
    assert sum(one != other for one, other in zip(placed, variable, strict=True)) < 20
    was_constant = grid.is_constant
    constant = [variable[-1] + 5000 + at for at in stamps(Fraction(30), 200)]
    placed = [grid.add(at) for at in constant]
    assert (was_constant, grid.is_constant) == (False, True)
    assert set(steps(placed[100:])) == {3000}


@given(
    st.lists(st.integers(min_value=1, max_value=9000), min_size=1, max_size=200),
    st.sampled_from([None, *RATES]),
)
def test_no_frame_is_ever_moved_far(gaps: list[int], declared: Fraction | None) -> None:
    grid, at = FrameGrid(0, declared), 0
    for gap in gaps:
        at += gap
        assert abs(grid.add(at) - at) <= TOLERANCE


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate >= 15])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_parts_have_the_same_number_of_frames(rate: Fraction, b_frames: int) -> None:
    """Through clock and timeline: what players are told."""
    track = VideoTrack("h264", b"", "avc1.64001f", 1280, 720, frame_rate=rate)
    timeline, config = Timeline(HlsConfig()), HlsConfig()
    gop = round(2 * rate)
    raw = stamps(rate, gop * 6 + 1 + b_frames)
    clock = None
    for index, dts in enumerate(raw[: gop * 6 + 1]):
        is_keyframe = index % gop == 0
        pts = raw[index + b_frames]  # rounded by itself: what it is later varies by a millisecond
        packet = Packet(track, pts, dts, b"", is_keyframe)
        if clock is None:
            clock = SourceClock(900_000, packet)
            timeline.begin(900_000, 0.0)
        times = clock.video(packet)
        timeline.advance(times.dts, is_keyframe)
    frame = CLOCK_HZ / rate
    per_part = config.part_ticks // frame
    lengths = Counter(
        end - start
        for segment in timeline.segments
        for start, end in pairwise([segment.start, *segment.part_ends[:-1]])
    )
    assert set(lengths) <= {int(per_part * frame), -int(-per_part * frame // 1)}
    assert lengths.total() > 12
    assert not timeline.is_cut_by_time


def test_few_frames_are_reported() -> None:
    timeline = Timeline(HlsConfig())
    timeline.begin(0, 0.0)
    for index in range(40):
        timeline.advance(index * CLOCK_HZ // 5, index % 10 == 0)
    assert timeline.is_cut_by_time
