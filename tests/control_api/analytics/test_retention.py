"""The curve of who watched for how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_api.analytics.retention import Kept, curve, thresholds
from control_api.postgres.analytics_table import Stay

LENGTHS: dict[str, tuple[float, list[float]]] = {
    "nothing yet": (0, [0]),
    "less than a minute": (59, [0]),
    "three minutes": (190, [0, 60, 120, 180]),
    "an hour": (3600, [180.0 * n for n in range(21)]),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_thresholds(name: str) -> None:
    length, wanted = LENGTHS[name]
    assert thresholds(length) == wanted


@given(st.floats(0, 1e6))
def test_there_are_never_more_than_twenty_one(length: float) -> None:
    found = thresholds(length)
    assert 1 <= len(found) <= 21
    assert found == sorted(set(found))


def test_curve() -> None:
    stays = [Stay(1, 1, 2), Stay(1, 3, 1), Stay(2, 3, 3), Stay(3, 3, 4)]
    assert curve([0, 60, 120], stays) == [Kept(0, 1.0, 1.0), Kept(60, 0.7, 0.875), Kept(120, 0.4, 0.5)]
    assert curve([0, 60], []) == []
    assert curve([0, 60], [Stay(1, 1, 5)]) == [Kept(0, 1.0, 1.0), Kept(60, 0.0, None)]


@given(st.lists(st.builds(Stay, st.integers(1, 5), st.integers(1, 5), st.integers(1, 100)), min_size=1))
def test_it_never_rises_and_begins_with_everybody(stays: list[Stay]) -> None:
    shares = [point.share for point in curve([0, 1, 2, 3, 4], stays)]
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
