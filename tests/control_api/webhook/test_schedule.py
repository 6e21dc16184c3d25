"""When to try again."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_api.webhook.outcome import judge
from control_api.webhook.schedule import (
    DELAYS_S,
    JITTER,
    MAX_RETRY_AFTER_S,
    read_retry_after,
    retry_at,
)
from media.error import LocalStateError

from .conftest import NOW


def chance(seed: int = 7) -> random.Random:
    return random.Random(seed)  # noqa: S311


def delays(attempt: int, retry_after_s: float | None = None) -> list[float]:
    jitter = chance()
    found = [retry_at(attempt, NOW, jitter, retry_after_s) for _ in range(500)]
    return [(each - NOW).total_seconds() for each in found if each is not None]


@pytest.mark.parametrize(
    ("attempt", "delay_s"),
    [(1, 5), (2, 30), (3, 120), (4, 600), (5, 3600), (6, 10800), (7, 21600), (8, 43200)],
)
def test_delays_are_spread_around_the_plan(attempt: int, delay_s: float) -> None:
    found = delays(attempt)
    assert len(found) == 500
    assert delay_s * 0.9 <= min(found) < delay_s * 0.92
    assert delay_s * 1.08 < max(found) <= delay_s * 1.1


@pytest.mark.parametrize("attempt", [9, 10, 1000])
def test_a_dead_letter(attempt: int) -> None:
    assert retry_at(attempt, NOW, chance()) is None
    assert retry_at(attempt, NOW, chance(), 5.0) is None


@pytest.mark.parametrize("attempt", [0, -1])
def test_without_an_attempt_there_is_none_to_repeat(attempt: int) -> None:
    with pytest.raises(LocalStateError):
        retry_at(attempt, NOW, chance())


@pytest.mark.parametrize(
    ("attempt", "retry_after_s", "least", "most"),
    [
        (1, 60, 60, 66),
        (1, 0, 4.5, 5.5),
        (1, -10, 4.5, 5.5),
        (1, 1e9, 3600, 3960),
        (8, 60, 38880, 47520),
        (5, 3600, 3600, 3960),
    ],
)
def test_what_the_receiver_asked_for_is_a_lower_bound(
    attempt: int, retry_after_s: float, least: float, most: float
) -> None:
    found = delays(attempt, retry_after_s)
    assert least <= min(found)
    assert max(found) <= most


@given(st.integers(1, 8), st.none() | st.floats(0, 1e12), st.integers())
def test_the_next_attempt_is_never_out_of_bounds(attempt: int, asked: float | None, seed: int) -> None:
    found = retry_at(attempt, NOW, chance(seed), asked)
    assert found is not None
    longest = max(DELAYS_S[attempt - 1], MAX_RETRY_AFTER_S if asked is not None else 0)
    assert timedelta(seconds=4.4) < found - NOW <= timedelta(seconds=longest * (1 + JITTER) + 1e-5)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120),
        (" 120 ", 120),
        ("0", 0),
        ("3600", 3600),
        ("3601", 3600),
        ("9" * 18, 3600),
        ("9" * 400, None),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("soon", None),
        ("soon enough", None),
        ("١٢", None),
        ("Fri, 01 May 2026 12:01:30 GMT", 90),
        ("Fri, 01 May 2026 11:00:00 GMT", 0),
        ("Sat, 02 May 2026 12:00:00 GMT", 3600),
        ("Friday, 01-May-26 12:00:10 GMT", 10),
        ("Fri May  1 12:00:20 2026", 20),
        ("Fri, 01 May 2026 12:00:30 -0000", 30),
        ("Fri, 01 May 2026 14:00:40 +0200", 40),
        ("Fri, 99 May 2026 12:00:00 GMT", None),
        ("Fri, 01 May 9999999 12:00:00 GMT", None),
        ("Fri, 01 May 2026 12:00:00 +9999999", None),
        ("Fri, 01 May 2026 12:01:30 GMT" + " " * 40 + "x", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert read_retry_after(value, NOW) == seconds


@given(st.text(max_size=80) | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ [+-]?\w+", fullmatch=True))
def test_any_retry_after_is_read_or_ignored(value: str) -> None:
    found = read_retry_after(value, datetime(2026, 5, 1, tzinfo=UTC))
    assert found is None or 0 <= found <= MAX_RETRY_AFTER_S


@pytest.mark.parametrize(
    ("status", "delivered", "gone", "retry_after_s"),
    [
        (199, False, False, None),
        (200, True, False, None),
        (202, True, False, None),
        (204, True, False, None),
        (299, True, False, None),
        (300, False, False, None),
        (301, False, False, None),
        (308, False, False, None),
        (400, False, False, None),
        (401, False, False, None),
        (404, False, False, None),
        (410, False, True, None),
        (429, False, False, 7.0),
        (500, False, False, None),
        (502, False, False, None),
        (503, False, False, 7.0),
        (504, False, False, None),
    ],
)
def test_answers(status: int, delivered: bool, gone: bool, retry_after_s: float | None) -> None:
    found = judge(status, "7", NOW)
    assert (found.is_delivered, found.is_gone, found.retry_after_s) == (delivered, gone, retry_after_s)
    assert found.status == status
    assert (found.error is None) == delivered
    assert delivered or str(status) in str(found.error)
