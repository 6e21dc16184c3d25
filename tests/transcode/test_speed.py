"""Meters: what a worker reports becomes speed and costs."""

from __future__ import annotations

import pytest

from media.packet import CLOCK_HZ
from transcode.message import Progress
from transcode.speed import COST_SPAN, Meter, Meters


def progress(
    seconds: float, *, base: float = 0.2, busy: float = 0.5, began: float = 0.0, **rungs: float
) -> Progress:
    def work_us(cost: float) -> int:
        return int((seconds - began) * cost * 1_000_000)

    found = tuple((name, work_us(cost)) for name, cost in rungs.items())
    return Progress(0, int(seconds * busy * 1e6), 0, 0, int(seconds * base * 1e6), found)


def run(meters: Meters, begin: float, end: float, **costs: float) -> None:
    for tenth in range(round(begin * 10), round(end * 10)):
        meters.add(tenth * CLOCK_HZ // 10, progress(tenth / 10, **costs))


def test_nothing_is_said_before_there_is_enough() -> None:
    meters = Meters()
    run(meters, 0, 0.4, a=0.3)
    assert (meters.speed, meters.base_cost, meters.costs) == (None, None, {})


def test_speed_and_costs() -> None:
    meters = Meters()
    run(meters, 0, 4, a=0.3, b=0.05)
    assert meters.speed == pytest.approx(2)
    assert meters.base_cost == pytest.approx(0.2)
    assert meters.costs == {"a": pytest.approx(0.3), "b": pytest.approx(0.05)}


def test_a_change_is_seen_within_the_span() -> None:
    meter = Meter(COST_SPAN)
    for second in range(10):
        meter.add(second * CLOCK_HZ, 1_000_000 * (min(second, 5) + 3 * max(0, second - 5)))
    assert meter.cost == pytest.approx(3)


def test_a_rung_that_stopped_is_forgotten_and_one_that_changed_starts_over() -> None:
    meters = Meters()
    run(meters, 0, 4, a=0.3, b=0.05)
    meters.restart("a")
    meters.add(4 * CLOCK_HZ, progress(4, a=0.3))
    assert meters.costs == {}
    run(meters, 4, 6, a=0.1, began=-8)
    assert meters.costs == {"a": pytest.approx(0.1)}


def test_another_worker_or_a_jump_of_the_source_starts_over() -> None:
    meter = Meter()
    for second in range(4):
        meter.add(second * CLOCK_HZ, second * 1_000_000)
    meter.add(4 * CLOCK_HZ, 0)
    assert meter.cost is None
    meter.add(5 * CLOCK_HZ, 500_000)
    assert meter.cost == pytest.approx(0.5)
    meter.add(60 * CLOCK_HZ, 600_000)
    assert meter.cost is None
