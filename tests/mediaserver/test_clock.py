"""SourceClock: a source's timestamps onto the timeline."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack
from mediaserver.live.clock import SourceClock

VIDEO = VideoTrack("h264", b"", "avc1.64001f", 1280, 720)
AUDIO = AudioTrack("aac", b"\x11\x90", "mp4a.40.2", 48000, 2)
FRAME = CLOCK_HZ // 25


def video(dts: int, pts: int | None = None, *, key: bool = False) -> Packet:
    return Packet(VIDEO, dts if pts is None else pts, dts, b"", key)


def test_first_keyframe_lands_where_it_is_told() -> None:
    first = video(123_456, key=True)
    clock = SourceClock(900_000, first)
    assert clock.video(first) == (900_000, 900_000)


def test_idr_has_equal_dts_and_pts_with_b_frames() -> None:
    delay = 2 * FRAME
    order = [(0, delay, True), (1, 5, False), (2, 3, False), (3, 4, False), (4, 6 + 2, True)]
    packets = [video(n * FRAME, pts if key and n == 0 else pts * FRAME, key=key) for n, pts, key in order]
    clock = SourceClock(0, packets[0])
    times = [clock.video(packet) for packet in packets]
    assert times[0] == (0, 0)
    assert times[1] == (FRAME, 3 * FRAME)
    assert times[2].pts < times[2].dts, "a B-frame's composition offset is negative on the shifted clock"
    assert times[4].dts == times[4].pts


@pytest.mark.parametrize(
    ("name", "step", "jump"),
    [
        ("next frame", FRAME, False),
        ("equal", 0, False),
        ("late by one frame", -FRAME, False),
        ("two seconds lost", 2 * CLOCK_HZ, False),
        ("laptop slept", 3600 * CLOCK_HZ, True),
        ("encoder started over", -10 * CLOCK_HZ, True),
    ],
)
def test_jumps_are_told_from_lost_and_late_frames(name: str, step: int, jump: bool) -> None:
    clock = SourceClock(0, video(10**6, key=True))
    clock.video(video(10**6, key=True))
    assert clock.is_jump(video(10**6 + step)) is jump, name


@given(st.lists(st.integers(min_value=-CLOCK_HZ // 4, max_value=CLOCK_HZ), min_size=1, max_size=60))
def test_dts_always_rise(steps: list[int]) -> None:
    dts = 1_000_000
    clock = SourceClock(500, video(dts, key=True))
    last = clock.video(video(dts, key=True)).dts
    for step in steps:
        dts += step
        times = clock.video(video(dts))
        assert times.dts > last
        last = times.dts
    assert clock.end > last


def test_audio_shares_the_offset_of_video() -> None:
    clock = SourceClock(0, video(90_000, key=True))
    assert clock.audio(Packet(AUDIO, 90_000 + 1920, 90_000 + 1920, b"", True)) == (1920, 1920)
