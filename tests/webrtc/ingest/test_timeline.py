from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webrtc.ingest.timeline import MAX_SLEWED, NOTICED, Timeline

MS = 90
WALL = 3_900_000_000 << 32


def ntp(ms: float) -> int:
    return WALL + int(ms * (1 << 32) / 1000)


def video(timeline: Timeline, ms: int, late_ms: float = 0.0) -> int:
    return timeline.place_video((7_000_000 + ms * 90) & 0xFFFFFFFF, (ms + late_ms) / 1000)


def audio(timeline: Timeline, ms: int, late_ms: float = 0.0) -> int:
    return timeline.place_audio((0xFFFF_FF00 + ms * 48) & 0xFFFFFFFF, (ms + late_ms) / 1000)


def report(timeline: Timeline, video_ms: int, audio_ms: int) -> None:
    """Say that both were taken when they were sent."""
    timeline.report_video((7_000_000 + video_ms * 90) & 0xFFFFFFFF, ntp(video_ms))
    timeline.report_audio((0xFFFF_FF00 + audio_ms * 48) & 0xFFFFFFFF, ntp(audio_ms))


def test_before_reports_both_lie_where_they_came() -> None:
    timeline = Timeline()
    assert video(timeline, 0, 50) == 50 * MS
    assert audio(timeline, 20, 10) == 30 * MS


def test_pictures_keep_their_distances_exactly() -> None:
    timeline = Timeline()
    start = video(timeline, 0)
    for index, late_ms in enumerate((0, 80, 3, 400), 1):
        assert video(timeline, 33 * index, late_ms) - start == 33 * index * MS
    report(timeline, 132, 0)
    assert video(timeline, 200, 500) - start == 200 * MS


def test_sound_that_comes_after_the_reports_is_right_at_once() -> None:
    timeline = Timeline()
    start = video(timeline, 0, 60)
    timeline.report_video(7_000_000, ntp(0))
    first = audio(timeline, 0, 10)
    assert first == start - 50 * MS
    timeline.report_audio(0xFFFF_FF00, ntp(0))
    assert timeline.error == 50 * MS


@pytest.mark.parametrize("late_ms", [-200, -40, 40, 200])
def test_sound_is_brought_slowly_to_where_it_belongs(late_ms: int) -> None:
    timeline = Timeline()
    video(timeline, 0)
    last = audio(timeline, 0, late_ms)
    report(timeline, 0, 0)
    assert timeline.error == -late_ms * MS
    for ms in range(20, 12_000, 20):
        pts = audio(timeline, ms, late_ms)
        assert abs(pts - last - 20 * MS) <= 20 * MS // 50
        last = pts
    assert abs(timeline.error) < NOTICED


def test_a_large_error_is_put_right_at_once() -> None:
    timeline = Timeline()
    video(timeline, 0)
    audio(timeline, 0, 400)
    report(timeline, 0, 0)
    assert audio(timeline, 20, 400) == 20 * MS
    assert MAX_SLEWED < 400 * MS


@pytest.mark.parametrize("wrong", [0, 1 << 32])
def test_a_wall_clock_that_cannot_be_is_not_believed(wrong: int) -> None:
    timeline = Timeline()
    video(timeline, 0)
    audio(timeline, 0, 30)
    timeline.report_video(7_000_000, ntp(0))
    timeline.report_audio(0xFFFF_FF00, wrong)
    assert timeline.error == 0


def test_reports_before_anything_has_come_say_nothing() -> None:
    timeline = Timeline()
    report(timeline, 0, 0)
    video(timeline, 0)
    audio(timeline, 0, 30)
    assert timeline.error == 0


@pytest.mark.parametrize("jump_ms", [-3_000, 60_000, 20_000_000], ids=["back", "ahead", "far"])
def test_a_clock_that_begins_anew_goes_on_at_its_arrival(jump_ms: int) -> None:
    timeline = Timeline()
    video(timeline, 0)
    last = video(timeline, 4_000)
    moved = timeline.place_video((7_000_000 + (4_033 + jump_ms) * 90) & 0xFFFFFFFF, 4.033)
    assert moved - last == 33 * MS
    assert timeline.place_video((7_000_000 + (4_066 + jump_ms) * 90) & 0xFFFFFFFF, 4.066) - last == 66 * MS


def test_a_pause_is_a_pause() -> None:
    timeline = Timeline()
    last = video(timeline, 0)
    assert video(timeline, 60_000) - last == 60_000 * MS


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 0xFFFFFFFF), st.integers(0, 5000), st.integers(0, 1 << 64))
    )
)
def test_anything_may_come(items: list[tuple[bool, int, int, int]]) -> None:
    timeline, now = Timeline(), 0.0
    for is_video, timestamp, elapsed_ms, ntp_time in items:
        now += elapsed_ms / 1000
        if is_video:
            timeline.place_video(timestamp, now)
            timeline.report_video(timestamp, ntp_time)
        else:
            timeline.place_audio(timestamp, now)
            timeline.report_audio(timestamp, ntp_time)
    assert abs(timeline.error) <= 5 * 90_000
