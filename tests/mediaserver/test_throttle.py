"""Throttle: files that are sent too fast are held back, networks that catch up and clocks that run fast are not."""

from __future__ import annotations

import pytest

from media.packet import CLOCK_HZ, Packet
from mediaserver.live.throttle import AHEAD_S, MAX_HOLD_S, Throttle

from .scene import VIDEO


def frame(seconds: float) -> Packet:
    at = round(seconds * CLOCK_HZ)
    return Packet(VIDEO, at, at, b"")


def play(throttle: Throttle, media_s: float, speed: float, start_s: float = 0.0, now: float = 0.0) -> float:
    """Send 25 frames a second at a speed; return the time at the end."""
    for number in range(round(media_s * 25)):
        now += 1 / 25 / speed
        throttle.receive(frame(start_s + number / 25), now)
    return now


def test_real_time_is_never_held_back() -> None:
    throttle = Throttle(0.0)
    play(throttle, 3600, 1.0)
    assert throttle.wait_s == 0


def test_clock_that_runs_fast_is_never_held_back() -> None:
    throttle = Throttle(0.0)
    play(throttle, 2 * 3600, 1.005)
    assert throttle.wait_s == 0


def test_file_at_full_speed_is_held_back() -> None:
    throttle = Throttle(0.0)
    now = play(throttle, 8, 100)
    assert throttle.wait_s == pytest.approx(8 - AHEAD_S, abs=0.5)
    play(throttle, 1000, 100, start_s=8, now=now)
    assert throttle.wait_s == MAX_HOLD_S, "a connection that is not read cannot be seen to be lost"


def test_start_in_a_burst_is_not() -> None:
    throttle = Throttle(0.0)
    play(throttle, AHEAD_S, 100)
    assert throttle.wait_s == 0


def test_network_that_catches_up_is_not_held_back() -> None:
    throttle = Throttle(0.0)
    now = play(throttle, 60, 1.0)
    play(throttle, 30, 50, start_s=60, now=now + 30)
    assert throttle.wait_s == 0


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_jump_of_the_clock_is_no_media(jump_s: float) -> None:
    throttle = Throttle(0.0)
    now = play(throttle, 10, 1.0, start_s=10_000)
    play(throttle, 10, 1.0, start_s=10_000 + jump_s, now=now)
    assert throttle.wait_s == 0


def test_two_tracks_count_once() -> None:
    throttle = Throttle(0.0)
    for number in range(2500):
        throttle.receive(frame(number / 25), number / 25)
        throttle.receive(frame(number / 25 - 0.02), number / 25)
    assert throttle.wait_s == 0
