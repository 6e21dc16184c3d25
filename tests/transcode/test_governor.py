"""The governor on a model of a machine, through minutes and hours."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transcode.governor import (
    BroadcastLoad,
    Cheapen,
    Governor,
    Restore,
    RungLoad,
    Shed,
)
from transcode.history import FIRST_PROBE_S, RESTORE_S
from transcode.pricing import Pricing

from .machine import Machine, ModelBroadcast, ModelRung, broadcast

MINUTE = 60.0


def names(broadcast: ModelBroadcast) -> set[str]:
    return {rung.name for rung in broadcast.running}


def forget_worst(machine: Machine) -> None:
    for one in machine.broadcasts:
        one.worst_s = one.lag_s


def settled_use(machine: Machine) -> float:
    return sum(one.use for one in machine.broadcasts)


def test_nothing_happens_while_all_is_well() -> None:
    machine = Machine(2)
    machine.broadcasts = [broadcast("a", 1920, 1080), broadcast("b", 1280, 720)]
    machine.run(5 * MINUTE)
    assert machine.actions == []
    assert machine.governor.reasons() == {}


def test_two_broadcasts_with_all_rungs_on_one_core() -> None:
    machine = Machine(1)
    machine.broadcasts = [broadcast("a", 1920, 1080), broadcast("b", 1920, 1080)]
    machine.run(4 * MINUTE)
    assert all(one.worst_s <= 1.0 for one in machine.broadcasts), "never, not only once it has settled"
    assert all(names(one) for one in machine.broadcasts), "each has something to fall back to"
    assert settled_use(machine) > 0.8, "the core is used"
    assert any(at < 5 for at, _ in machine.actions)
    before = len(machine.actions)
    machine.run(8 * MINUTE)
    assert len(machine.actions) - before <= 4, "it stays"


def test_a_large_source_with_all_rungs_on_two_cores() -> None:
    machine = Machine(2)
    (large,) = machine.broadcasts = [broadcast("a", 3840, 2160, threads=2)]
    machine.run(10)
    forget_worst(machine)
    machine.run(5 * MINUTE)
    assert large.worst_s <= 1.0
    assert len(names(large)) >= 4
    assert settled_use(machine) > 1.5
    assert "not made at the moment" in machine.governor.reasons()["a"]
    before = names(large)
    large.rungs = [rung for rung in large.rungs if rung.name in ("480p", "1080p")]
    machine.run(3 * MINUTE)
    assert names(large) == {"480p", "1080p"}, "demand has fallen, there is room"
    assert "1080p" not in before
    assert large.worst_s <= 1.0


def test_a_source_that_one_thread_cannot_decode_leaves_its_neighbour_alone() -> None:
    machine = Machine(8)
    large, small = machine.broadcasts = [broadcast("a", 3840, 2160), broadcast("b", 1280, 720)]
    machine.run(10)
    forget_worst(machine)
    machine.run(4 * MINUTE)
    assert large.worst_s <= 1.0
    assert names(small) == {rung.name for rung in small.rungs}
    assert not any(action.id == "b" for _, action in machine.actions)
    assert machine.governor.capacity > 6
    assert "one processor core" in machine.governor.reasons()["a"]


def test_a_rung_that_one_thread_cannot_encode_goes_and_nothing_else() -> None:
    machine = Machine(8)
    (one,) = machine.broadcasts = [broadcast("a", 2560, 1440, top_copied=False)]
    one.rungs[0].error = 1.8
    machine.run(MINUTE)
    assert names(one) == {rung.name for rung in one.rungs[1:]}
    assert one.lag_s < 0.3


def test_a_noisy_neighbour_takes_half_the_machine_for_a_minute() -> None:
    machine = Machine(2, lambda now: 1.0 if 100 <= now < 160 else 0.0)
    one, two = machine.broadcasts = [broadcast("a", 1920, 1080), broadcast("b", 1280, 720)]
    wanted = [(rung.name, rung.preset) for rung in (*one.rungs, *two.rungs)]
    machine.run(150)
    assert machine.count(Shed) + machine.count(Cheapen) > 0
    assert max(one.worst_s, two.worst_s) <= 1.0
    assert machine.governor.capacity < 1.3
    machine.run(5 * MINUTE)
    assert [(rung.name, rung.preset) for rung in (*one.running, *two.running)] == wanted
    assert machine.count(Restore) <= 4


def test_a_cheaper_preset_where_that_suffices() -> None:
    machine = Machine(1)
    (one,) = machine.broadcasts = [broadcast("a", 1280, 720, top_copied=False)]
    easy, one.base = one.base, one.base * 3
    machine.run(MINUTE)
    assert machine.count(Cheapen) > 0
    assert machine.count(Shed) == 0
    assert "less effort" in machine.governor.reasons()["a"]
    one.base = easy
    machine.run(5 * MINUTE)
    assert all(rung.preset == "superfast" for rung in one.rungs)


@pytest.mark.parametrize("error", [0.5, 2.0])
def test_guesses_wrong_by_a_factor(error: float) -> None:
    machine = Machine(2)
    machine.broadcasts = [
        broadcast("a", 1920, 1080, error=error),
        broadcast("b", 1920, 1080, error=error),
        broadcast("c", 1280, 720, error=error, top_copied=False),
    ]
    machine.run(10)
    forget_worst(machine)
    machine.run(4 * MINUTE)
    assert all(one.worst_s <= 1.0 for one in machine.broadcasts)
    assert sum(1 for one in machine.broadcasts if names(one)) >= 2, "decoding all three would leave nothing"
    assert names(machine.broadcasts[2]), "it has no copy"
    assert settled_use(machine) > (1.6 if error > 1 else 0.5)


def test_flapping_is_bounded() -> None:
    """Whatever is asked for all the time and does not fit is tried again, ever more seldom."""
    machine = Machine(1, lambda now: 0.35)
    machine.broadcasts = [broadcast("a", 1920, 1080), broadcast("b", 1280, 720)]
    machine.run(10)
    forget_worst(machine)
    machine.run(24 * MINUTE)
    assert machine.count(Restore, since=12 * MINUTE) <= 8
    assert all(one.worst_s <= 1.0 for one in machine.broadcasts)
    assert min(machine.restore_distances(), default=FIRST_PROBE_S) >= FIRST_PROBE_S - 0.01
    for one in machine.broadcasts:
        for rung in one.rungs:
            for restored in rung.restores:
                before = [at for at in rung.sheds if at < restored]
                assert restored - max(before) >= RESTORE_S - 0.01


def test_viewers_decide_between_broadcasts() -> None:
    machine = Machine(1)
    few, many = machine.broadcasts = [broadcast("a", 1920, 1080), broadcast("b", 1920, 1080, viewers=50)]
    machine.run(5 * MINUTE)
    assert many.use > few.use
    assert "720p" in names(many)


def test_what_became_worth_more_displaces_what_is_worth_less() -> None:
    machine = Machine(1)
    one, two = machine.broadcasts = [broadcast("a", 1920, 1080, viewers=20), broadcast("b", 1920, 1080)]
    machine.run(2 * MINUTE)
    assert "720p" in names(one)
    for rung in two.rungs:
        rung.viewers = 400
    machine.run(4 * MINUTE)
    assert "720p" in names(two)
    assert "720p" not in names(one)
    assert max(one.worst_s, two.worst_s) <= 1.0


def load(lag_s: float = 0.1, **rung: object) -> BroadcastLoad:
    first = RungLoad("480p", "superfast", ("ultrafast", "superfast"), 0.3, 0.3, 1.0, False, False)
    second = RungLoad("240p", "superfast", ("ultrafast", "superfast"), 0.1, 0.1, 1.0, False, False)
    return BroadcastLoad("a", lag_s, 0.3, 0.3, (replace(first, **rung), second), has_copy=True)  # type: ignore[arg-type]


def test_admission_follows_what_is_used_and_what_is_guessed() -> None:
    governor = Governor(1)
    loads = [load()]
    governor.decide(0, loads)
    assert governor.admits(0, loads, "a", "x", estimate=0.09, base_estimate=5.0), "decoding is paid for"
    assert not governor.admits(0, loads, "a", "x", estimate=0.3, base_estimate=0.0)
    assert not governor.admits(0, loads, "b", "x", estimate=0.05, base_estimate=0.3)
    assert governor.admits(0, [], "b", "x", estimate=5.0, base_estimate=5.0), "alone it may try"


def test_what_was_refused_for_a_wrong_guess_comes_soon() -> None:
    machine = Machine(2)
    (one,) = machine.broadcasts = [broadcast("a", 3840, 2160, error=0.5)]
    for rung in one.rungs[1:]:
        rung.is_shed = True
    machine.run(40)
    assert names(one) == {rung.name for rung in one.rungs}


def test_admission_says_no_while_something_is_late() -> None:
    governor = Governor(8)
    for step in range(8):
        governor.decide(step / 4, [load(0.1 + step / 10)])
    assert not governor.admits(1.75, [load(0.8)], "a", "x", estimate=0.01, base_estimate=0.0)


def test_a_burst_of_a_bad_network_is_no_fault_of_the_encoders() -> None:
    governor = Governor(2)
    for step in range(20):
        assert governor.decide(step / 4, [load(0.1)]) == []
    for step in range(20):
        assert governor.decide(5 + step / 4, [load(max(0.1, 8 - step / 2))]) == []


def test_encoders_that_begin_are_left_alone_for_a_while() -> None:
    """Nothing comes in the first second, then what the open segment already has is caught up with."""
    lags = [0.6, 0.8, 1.1, 1.3, 1.5, 1.6, 1.4, 1.1, 0.8, 0.4, 0.1, 0.1]
    governor, slow = Governor(2), Governor(0.5)
    for step, lag in enumerate(lags):
        begun = load(lag)
        reported = replace(begun, base_cost=None) if step < 5 else begun
        assert governor.decide(step / 4, [reported]) == []
    late = [
        slow.decide(step / 4, [replace(load(0.5 + step / 4, cost=None), base_cost=None)])
        for step in range(20)
    ]
    assert not any(late[:12])
    assert any(late[12:]), "but not for ever"


def test_a_late_event_loop_makes_room_for_itself() -> None:
    governor = Governor(1)
    assert governor.decide(0, [load()], late_s=0.5) == [], "once is a hiccup"
    assert governor.decide(0.25, [load()], late_s=0.5) != []


def test_an_order_that_waits_for_its_segment_is_hurried() -> None:
    governor = Governor(0.6)
    lags = [0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.52, 0.55, 0.6, 0.7, 0.85, 0.9, 1.0, 1.1]
    actions = [action for step, lag in enumerate(lags) for action in governor.decide(step / 4, [load(lag)])]
    sheds = [action for action in actions if isinstance(action, Shed)]
    assert not sheds[0].at_once
    assert any(action.at_once and action.rung == sheds[0].rung for action in sheds[1:])


rungs = st.lists(
    st.tuples(st.floats(0.01, 1.2), st.floats(0.3, 3), st.floats(0.5, 50)), min_size=1, max_size=6
)


@settings(max_examples=12, deadline=None)
@given(
    cores=st.floats(0.3, 4),
    described=st.lists(st.tuples(st.floats(0.05, 1.0), rungs, st.booleans()), min_size=1, max_size=4),
    neighbour=st.floats(0, 0.8),
)
def test_never_a_last_rung_and_never_two_restores_at_once(
    cores: float,
    described: list[tuple[float, list[tuple[float, float, float]], bool]],
    neighbour: float,
) -> None:
    machine = Machine(cores, lambda now: neighbour * cores if 10 <= now < 30 else 0.0)
    machine.broadcasts = [
        ModelBroadcast(
            f"b{index}",
            base,
            1.0,
            [
                ModelRung(f"r{number}", ("ultrafast",), cost, error, viewers, preset="ultrafast")
                for number, (cost, error, viewers) in enumerate(found)
            ],
            has_copy=has_copy,
        )
        for index, (base, found, has_copy) in enumerate(described)
    ]
    for _ in range(8):
        machine.run(5)
        for one in machine.broadcasts:
            assert one.has_copy or one.running, "a broadcast without any rung"
    assert min(machine.restore_distances(), default=FIRST_PROBE_S) >= FIRST_PROBE_S - 0.01
    machine.neighbour = lambda _: 0.0
    machine.run(20)
    for one in machine.broadcasts:
        if len(one.running) > 1 or one.has_copy:
            assert one.lag_s <= 1.2, "what can be helped is helped"


def test_what_was_measured_of_another_preset_moves_with_the_pictures() -> None:
    pricing = Pricing()
    dear, cheap = load(cost=0.9), load(cost=0.5, preset="ultrafast")
    pricing.learn(0, [dear])
    assert pricing.rung("a", cheap.rungs[0], "superfast") == 0.9
    pricing.learn(1, [cheap])
    before = pricing.rung("a", cheap.rungs[0], "superfast")
    assert before == pytest.approx(0.9, rel=0.1)
    pricing.learn(2, [load(cost=0.25, preset="ultrafast")])
    assert pricing.rung("a", cheap.rungs[0], "superfast") == pytest.approx(before / 2)
    pricing.keep({"a"}, since=3)
    assert pricing.rung("a", cheap.rungs[0], "ultrafast") == pytest.approx(0.3, rel=0.2), "guessed again"


def test_when_nothing_is_left_the_least_is_tried_again() -> None:
    machine = Machine(1, lambda now: 0.97 if now < 20 else 0.0)
    (one,) = machine.broadcasts = [broadcast("a", 1920, 1080)]
    machine.run(15)
    assert names(one) == set()
    machine.run(3 * MINUTE)
    assert names(one) == {rung.name for rung in one.rungs}
