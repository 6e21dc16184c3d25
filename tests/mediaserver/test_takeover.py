"""Takeovers: a few are a person's wish, many are two encoders that take turns."""

from __future__ import annotations

import pytest

from media.error import StreamError
from mediaserver.live.takeover import MAX_TAKEOVERS, WINDOW_S, Takeovers


def test_few_takeovers_are_allowed() -> None:
    takeovers = Takeovers()
    for number in range(MAX_TAKEOVERS):
        takeovers.note(float(number), "10.0.0.1:5000")


def test_more_are_refused_with_words_until_time_has_passed() -> None:
    takeovers = Takeovers()
    for number in range(MAX_TAKEOVERS):
        takeovers.note(float(number), "10.0.0.1:5000")
    with pytest.raises(
        StreamError, match=r"the one at 10\.0\.0\.1:5000 stays .* try again in 27 s"
    ) as refused:
        takeovers.note(4.0, "10.0.0.1:5000")
    assert refused.value.code == "taking_turns"
    takeovers.note(WINDOW_S + 0.5, "10.0.0.1:5000")
    with pytest.raises(StreamError):
        takeovers.note(WINDOW_S + 0.6, "10.0.0.1:5000")


def test_slow_changes_go_on_for_ever() -> None:
    takeovers = Takeovers()
    for number in range(100):
        takeovers.note(number * WINDOW_S / 2, "10.0.0.1:5000")
