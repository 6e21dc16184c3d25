from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from webrtc.ingest.keyframe_request import FIRST_WAIT_S, INTERVAL_S, RETRY_S, KeyframeRequests


def run(
    requests: KeyframeRequests,
    start: float,
    end: float,
    answer: Callable[[float], float | None] | None = None,
) -> list[float]:
    """Return when it asks; `answer` says when a keyframe comes for a request."""
    asked: list[float] = []
    due: list[float] = []
    now = start
    while now < end:
        if due and now >= due[0]:
            due.pop(0)
            requests.note_keyframe(now)
        if requests.take(now):
            asked.append(round(now, 2))
            if answer is not None and (at := answer(now)) is not None:
                due.append(at)
        now = round(now + 0.01, 2)
    return asked


def test_nothing_is_asked_for_before_the_first_picture() -> None:
    requests = KeyframeRequests()
    assert requests.get_timer() is None
    assert run(requests, 0, 5) == []


def test_the_first_one_is_asked_for_until_it_comes() -> None:
    requests = KeyframeRequests()
    requests.start(1.0)
    asked = run(requests, 1.0, 2.5)
    assert asked[:2] == pytest.approx([1.0 + FIRST_WAIT_S, 1.0 + FIRST_WAIT_S + RETRY_S])
    requests.note_keyframe(2.5)
    assert run(requests, 2.5, 4.0) == []


def test_who_answers_makes_one_every_two_seconds() -> None:
    requests = KeyframeRequests()
    requests.start(0.0)
    requests.note_keyframe(0.1)
    asked = run(requests, 0.1, 20.0, lambda now: now + 0.2)
    assert [round(after - before, 2) for before, after in pairwise(asked)] == [INTERVAL_S] * 8


def test_who_makes_enough_of_them_is_not_asked() -> None:
    requests = KeyframeRequests()
    requests.start(0.0)
    asked = []
    for second in range(20):
        requests.note_keyframe(float(second))
        asked += run(requests, float(second), second + 1.0)
    assert asked == []


def test_who_does_not_listen_is_asked_at_leisure() -> None:
    requests = KeyframeRequests()
    requests.start(0.0)
    requests.note_keyframe(0.0)
    assert run(requests, 0.0, 10.0) == [2.0, 4.0, 6.0, 8.0]


def test_a_loss_is_told_at_once_and_not_with_each_packet() -> None:
    requests = KeyframeRequests()
    requests.start(0.0)
    requests.note_keyframe(0.0)
    asked, now = [], 1.0
    while now < 1.5:
        requests.need(now)
        if requests.take(now):
            asked.append(round(now, 2))
        now += 0.01
    assert asked[0] == 1.0
    assert len(asked) == 2
    requests.note_keyframe(1.5)
    requests.need(1.51)
    assert requests.get_timer() == pytest.approx(1.0 + 2 * RETRY_S, abs=0.02)
