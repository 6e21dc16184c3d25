"""Peaks of a chat, by tables of how much was written in each ten seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from control_api.analytics.highlight import MAX_HIGHLIGHTS, Moment, Peak, peaks

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def moments(steps: list[int], reactions: dict[int, int] | None = None) -> list[Moment]:
    found, comments, reacted = [], 0, 0
    for n, step in enumerate(steps):
        comments += step
        reacted += (reactions or {}).get(n, 0)
        found.append(Moment(at=START + timedelta(seconds=10 * (n + 1)), comments=comments, reactions=reacted))
    return found


TABLES: dict[str, tuple[list[int], list[tuple[float, float, int]]]] = {
    "nobody writes": ([0] * 100, []),
    "always the same": ([30] * 100, []),
    "a peak": ([3] * 50 + [40] + [3] * 50, [(480.0, 510.0, 40)]),
    "a long one is one": ([3] * 50 + [40, 60, 30] + [3] * 50, [(480.0, 530.0, 130)]),
    "two": ([3] * 40 + [40] + [3] * 9 + [50] + [3] * 40, [(380.0, 410.0, 40), (480.0, 510.0, 50)]),
    "a busy chat takes more": (
        [3] * 50 + [20] + [3] * 50 + [100] * 100 + [120] + [100] * 50,
        [(480.0, 510.0, 20)],
    ),
    "a few words in a quiet one": ([0] * 50 + [4] + [0] * 50, []),
    "at the beginning": ([50] + [2] * 50, [(0.0, 10.0, 50)]),
    "a deletion": ([5] * 20 + [-10] + [5] * 20, []),
}


@pytest.mark.parametrize("name", TABLES)
def test_peaks(name: str) -> None:
    steps, wanted = TABLES[name]
    found = peaks(START, moments(steps))
    assert [(peak.from_s, peak.to_s, peak.comments) for peak in found] == wanted


def test_reactions_count_as_comments_do() -> None:
    [peak] = peaks(START, moments([1] * 60, {30: 29}))
    at = START + timedelta(seconds=310)
    assert peak == Peak(at=at, from_s=280.0, to_s=310.0, comments=1, reactions=29, score=30.0)


def test_the_highest_of_many_in_the_order_of_time() -> None:
    steps = [1] * 1000
    for n in range(40):
        steps[n * 20 + 5] = 100 + n
    found = peaks(START, moments(steps))
    assert [peak.comments for peak in found] == [100 + n for n in range(40 - MAX_HIGHLIGHTS, 40)]


def test_a_time_that_comes_twice_is_passed_over() -> None:
    once = moments([1, 1, 1])
    assert peaks(START, [once[0], once[0], *once, once[1]]) == []
