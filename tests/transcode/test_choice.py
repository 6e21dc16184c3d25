"""Choosing rungs, against trying all sets."""

from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transcode.choice import FALLBACK, Group, Option, choose, worth_of
from transcode.governed import Key


def option(name: str, cost: float, value: float, *, group: str = "a", is_must: bool = False) -> Option:
    return Option((group, name), (("ultrafast", cost), ("superfast", cost * 1.75)), value, is_must)


def spent(groups: list[Group], chosen: dict[Key, str]) -> float:
    total = 0.0
    for group in groups:
        costs = [dict(one.costs)[chosen[one.key]] for one in group.options if one.key in chosen]
        total += sum(costs) + (group.base if costs else 0)
    return total


def test_everything_at_its_best_when_there_is_room() -> None:
    group = Group(0.3, [option("x", 0.5, 2), option("y", 0.1, 1)])
    assert choose([group], 2) == {("a", "x"): "superfast", ("a", "y"): "superfast"}


def test_cheaper_presets_before_fewer_rungs() -> None:
    group = Group(0.3, [option("x", 0.5, 2), option("y", 0.1, 1)])
    assert choose([group], 1.0) == {("a", "x"): "ultrafast", ("a", "y"): "superfast"}


def test_decoding_is_paid_for_once() -> None:
    group = Group(0.3, [option("x", 0.5, 2), option("y", 0.1, 1)])
    assert choose([group], 0.65) == {("a", "y"): "superfast"}
    assert choose([group], 0.35) == {}


def test_what_must_be_made_is_made() -> None:
    group = Group(0.3, [option("x", 0.5, 2, is_must=True), option("y", 0.1, 1)])
    assert choose([group], 0.1) == {("a", "x"): "ultrafast"}


def test_each_broadcast_gets_something_to_fall_back_to() -> None:
    groups = [
        Group(0.3, [option("x", 0.4, 1, group=name), option("y", 0.1, 0.5, group=name)]) for name in "ab"
    ]
    assert {name for name, _ in choose(groups, 0.85)} == {"a", "b"}
    assert groups[0].opening == pytest.approx(FALLBACK * 1.5)


options = st.lists(st.tuples(st.floats(0.01, 1), st.floats(0.1, 10)), max_size=4)


@settings(deadline=None)
@given(groups=st.lists(st.tuples(st.floats(0, 0.5), options), max_size=3), cores=st.floats(0, 3))
def test_fits_is_maximal_and_close_to_the_best(
    groups: list[tuple[float, list[tuple[float, float]]]], cores: float
) -> None:
    found = [
        Group(base, [option(str(n), cost, value, group=str(g)) for n, (cost, value) in enumerate(listed)])
        for g, (base, listed) in enumerate(groups)
    ]
    chosen = choose(found, cores)
    assert spent(found, chosen) <= cores + 1e-9
    everything = [one.key for group in found for one in group.options]
    sets = chain.from_iterable(combinations(everything, count) for count in range(len(everything) + 1))
    fitting = [set(keys) for keys in sets if spent(found, dict.fromkeys(keys, "ultrafast")) <= cores - 1e-9]
    assert not any(keys > set(chosen) for keys in fitting if keys), "something could be added"
    best = max((worth_of(found, keys) for keys in fitting), default=0.0)
    assert worth_of(found, chosen) >= 0.7 * best
