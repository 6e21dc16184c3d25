from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webrtc.ingest.unwrapper import Unwrapper

CASES = [
    ("first", [7], [7]),
    ("ahead", [7, 9], [7, 9]),
    ("back", [7, 5], [7, 5]),
    ("over-the-end", [65_535, 0, 1], [65_535, 65_536, 65_537]),
    ("back-over-the-end", [0, 65_535], [0, -1]),
    (
        "twice-around",
        [0, 30_000, 60_000, 20_000, 50_000, 10_000],
        [0, 30_000, 60_000, 85_536, 115_536, 141_072],
    ),
]


@pytest.mark.parametrize(
    ("values", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_values(values: list[int], expected: list[int]) -> None:
    unwrapper = Unwrapper(16)
    assert [unwrapper.unwrap(value) for value in values] == expected


def test_a_look_changes_nothing() -> None:
    unwrapper = Unwrapper(16)
    unwrapper.unwrap(0)
    assert unwrapper.peek(30_000) == 30_000
    assert unwrapper.peek(40_000) == 40_000 - 65_536


@given(st.integers(0, 1 << 32), st.lists(st.integers(-(1 << 15) + 1, (1 << 15) - 1)))
def test_small_steps_are_what_they_are(start: int, steps: list[int]) -> None:
    unwrapper = Unwrapper(16)
    value, found = start, unwrapper.unwrap(start & 0xFFFF)
    for step in steps:
        value += step
        found += step
        assert unwrapper.unwrap(value & 0xFFFF) == found
