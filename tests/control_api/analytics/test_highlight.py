"""Peaks of a chat, by tables of how much was written in each ten seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from control_api.analytics.highlight import MAX_HIGHLIGHTS, MAX_STEPS, Events, Peak, peaks, step_length_s

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def events(steps: list[int], reactions: dict[int, int] | None = None) -> dict[int, Events]:
    reacted = reactions or {}
    return {n: Events(step, reacted.get(n, 0)) for n, step in enumerate(steps) if step or n in reacted}


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
    "at the end": ([2] * 50 + [50], [(480.0, 510.0, 50)]),
    "one word": ([1], []),
}


@pytest.mark.parametrize("name", TABLES)
def test_peaks(name: str) -> None:
    steps, wanted = TABLES[name]
    found = peaks(START, 10.0, events(steps))
    assert [(peak.from_s, peak.to_s, peak.comments) for peak in found] == wanted


def test_reactions_count_as_comments_do() -> None:
    [peak] = peaks(START, 10.0, events([1] * 60, {30: 29}))
    at = START + timedelta(seconds=305)
    assert peak == Peak(at=at, from_s=280.0, to_s=310.0, comments=1, reactions=29, score=30.0)


def test_the_highest_of_many_in_the_order_of_time() -> None:
    steps = [1] * 1000
    for n in range(40):
        steps[n * 20 + 5] = 100 + n
    found = peaks(START, 10.0, events(steps))
    assert [peak.comments for peak in found] == [100 + n for n in range(40 - MAX_HIGHLIGHTS, 40)]


@pytest.mark.parametrize("length_s", [0, 60, 3 * 3600, 30 * 86_400])
def test_a_stream_is_cut_into_so_many_steps(length_s: float) -> None:
    assert length_s / step_length_s(length_s) <= MAX_STEPS
    assert step_length_s(length_s) >= 10


def test_what_lies_far_behind_the_end_costs_nothing() -> None:
    assert peaks(START, 10.0, {10**9: Events(9, 9)}) == []
