"""Sliding windows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_api.rate import RateLimit
from control_api.wait import TooEarlyError


def take(limit: RateLimit, key: str, now: float) -> float:
    """Take a turn; gives how long to wait instead, 0 when it was taken."""
    try:
        with limit.turn(key, now):
            return 0
    except TooEarlyError as error:
        return error.retry_after_s


def test_a_window_slides() -> None:
    limit = RateLimit("things", 3, 10)
    times = [0, 4, 5, 5, 9.5, 10, 10, 13.5, 14, 14]
    assert [take(limit, "a", now) for now in times] == [0, 0, 0, 5, 0.5, 0, 4, 0.5, 0, 1]


def test_keys_do_not_share_turns() -> None:
    limit = RateLimit("things", 1, 10)
    assert [take(limit, key, 0) for key in ("a", "b", "a")] == [0, 0, 10]


def test_a_refusal_says_what_and_how_long() -> None:
    limit = RateLimit("comments", 1, 10)
    take(limit, "a", 0)
    with (
        pytest.raises(TooEarlyError, match=r"At most 1 comments in 10 s: try again in 4 s\.") as caught,
        limit.turn("a", 6.5),
    ):
        pass
    assert (caught.value.code, caught.value.retry_after_s) == ("rate_limited", 3.5)


def test_what_fails_does_not_count() -> None:
    limit = RateLimit("things", 2, 10)
    assert take(limit, "a", 0) == 0
    for _ in range(5):
        with pytest.raises(KeyError), limit.turn("a", 1):
            raise KeyError
    assert [take(limit, "a", 2), take(limit, "a", 2)] == [0, 8]


def test_turns_under_way_count() -> None:
    limit = RateLimit("things", 1, 10)
    with limit.turn("a", 0):
        assert take(limit, "a", 1) == 9
        assert take(limit, "b", 1) == 0


def test_only_failures_leave_nothing_behind() -> None:
    limit = RateLimit("things", 1, 10)
    with pytest.raises(KeyError), limit.turn("a", 0):
        raise KeyError
    assert len(limit) == 0


def test_memory_is_bounded_and_the_active_stay() -> None:
    limit = RateLimit("things", 2, 10, max_keys=100)
    take(limit, "a", 0)
    for number in range(1000):
        take(limit, f"other {number}", 1)
        if number == 50:
            take(limit, "a", 1)
        if number == 100:
            assert take(limit, "a", 1) == 9
    assert len(limit) == 100


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), max_size=60).map(sorted))
def test_no_window_ever_holds_more_and_none_is_refused_without_need(times: list[int]) -> None:
    limit, taken = RateLimit("things", 3, 10), list[int]()
    for now in times:
        recent = [at for at in taken if at > now - 10]
        wait = take(limit, "a", now)
        assert (wait == 0) == (len(recent) < 3)
        assert 0 <= wait <= 10
        if wait == 0:
            taken.append(now)
