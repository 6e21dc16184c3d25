"""The steward: what broadcasts report reaches the governor, and its orders reach them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mediaserver.live import steward as steward_module
from mediaserver.live.ladder_rung import Phase
from mediaserver.live.steward import Steward, usable_cores
from transcode.governor import BroadcastLoad, Governor, RungLoad
from transcode.port import TranscoderStats

from .scene import VIDEO, MakeScene, Scene, Source
from .test_ladder import Clock, Kitchen, opened, phase

RUNG = RungLoad("480p", "superfast", ("ultrafast", "superfast"), 0.9, 0.5, 1.0, False, False)


@dataclass
class Someone:
    """A broadcast that says what a test wants, and writes down what it is told."""

    id: str
    lag_s: float = 0.1
    rungs: tuple[RungLoad, ...] = (RUNG, replace(RUNG, name="240p", cost=0.1))
    orders: list[str] = field(default_factory=list)
    reason: str | None = None

    def load(self) -> BroadcastLoad | None:
        return BroadcastLoad(self.id, self.lag_s, 0.3, 0.3, self.rungs, has_copy=True) if self.rungs else None

    def shed(self, rung: str, *, at_once: bool) -> None:
        self.orders.append(f"shed {rung}")
        self.rungs = tuple(replace(one, is_shed=one.is_shed or one.name == rung) for one in self.rungs)

    def restore(self, rung: str) -> None:
        self.orders.append(f"restore {rung}")
        self.rungs = tuple(replace(one, is_shed=one.is_shed and one.name != rung) for one in self.rungs)

    def set_preset(self, rung: str, preset: str) -> None:
        self.orders.append(f"{rung} {preset}")
        self.rungs = tuple(
            replace(one, preset=preset, cost=0.5) if one.name == rung else one for one in self.rungs
        )

    def explain(self, reason: str | None) -> None:
        self.reason = reason


def test_orders_are_carried_out_told_and_counted() -> None:
    clock, one, idle = Clock(), Someone("a"), Someone("b", rungs=())
    steward = Steward(Governor(1), lambda: [one, idle], lambda: 0.0, clock=clock)
    with capture_logs() as told:
        for _ in range(40):
            clock.now += 0.25
            is_too_much = sum(rung.cost or 0 for rung in one.rungs if not rung.is_shed) > 0.6
            one.lag_s = one.lag_s + 0.1 if is_too_much else 0.1
            steward.look()
    assert one.orders[0] in ("shed 480p", "480p ultrafast")
    assert sum(steward.actions.values()) == len(one.orders) == len(told)
    assert told[0]["stream_id"] == "a"
    assert (told[0]["lag_s"], told[0]["cost"]) == (0.2, 0.9), (
        "1.3 cores cannot be had of one: no need to wait"
    )
    assert "480p" in str(one.reason)
    assert idle.reason is None
    one.lag_s = 0.1
    for _ in range(2000):
        clock.now += 0.25
        one.rungs = tuple(replace(rung, cost=0.1) for rung in one.rungs)
        steward.look()
    assert one.reason is None
    assert [(rung.is_shed, rung.preset) for rung in one.rungs] == [(False, "superfast")] * 2


def test_admission_asks_for_all_broadcasts() -> None:
    steward = Steward(Governor(2), lambda: [Someone("a")], lambda: 0.0, clock=Clock())
    steward.look()
    assert steward.admits("b", "240p", 0.05, 0.1)
    assert not steward.admits("b", "1080p", 0.6, 0.3)


async def test_it_looks_by_itself_and_a_fault_does_not_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    seen = asyncio.Event()

    def broadcasts() -> list[Someone]:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise RuntimeError("a broken broadcast")
        seen.set()
        return []

    monkeypatch.setattr(steward_module, "LOOK_S", 0.001)
    steward = Steward(Governor(1), broadcasts, lambda: 0.0)
    steward.start()
    await asyncio.wait_for(seen.wait(), 10)
    steward.close()
    assert looks >= 2


@pytest.mark.parametrize(
    ("text", "bound"), [("50000 100000\n", 0.5), ("max 100000\n", None), ("rubbish", None), (None, None)]
)
def test_cores_are_bounded_by_the_control_group(
    tmp_path: Path, text: str | None, bound: float | None
) -> None:
    free = usable_cores(tmp_path)
    if text is not None:
        (tmp_path / "cpu.max").write_text(text)
    assert usable_cores(tmp_path) == (free if bound is None else bound)
    assert free >= 1


@pytest.fixture
def kitchen() -> Kitchen:
    return Kitchen()


def ask(scene: Scene, name: str, times: int = 1) -> None:
    for _ in range(times):
        scene.broadcast.rungs._ladder.on_request(name, scene.output.timeline.next_msn - 1)


async def test_what_a_broadcast_reports(
    make_scene: MakeScene, kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    scene = await opened(make_scene, kitchen, clock=clock)
    burden = scene.broadcast.rungs.burden
    assert burden.load() is None, "nobody watches"
    ask(scene, "240p", 20)
    scene.publish(scene.source, 60)
    load = burden.load()
    assert load is not None
    assert (load.has_copy, load.lag_s, load.base_cost) == (True, 0.0, None)
    assert 0 < load.base_estimate < 0.2
    (rung,) = load.rungs
    assert (rung.name, rung.preset, rung.is_shed, rung.is_last) == ("240p", "superfast", False, False)
    assert rung.presets == ("ultrafast", "superfast")
    assert 0 < rung.estimate < load.base_estimate
    stats = TranscoderStats(0.0, None, 0, 0, 0, 0, 0.2, {"240p": 0.04})
    monkeypatch.setattr(type(scene.encoder), "stats", stats)
    measured = burden.load()
    assert measured is not None
    assert (measured.base_cost, measured.rungs[0].cost) == (0.2, 0.04)
    for has_begun, lag_s in ((False, 0.0), (True, 1.5)):
        monkeypatch.setattr(type(scene.encoder), "stats", replace(stats, lag_s=1.5, has_begun=has_begun))
        measured = burden.load()
        assert measured is not None
        assert measured.lag_s == lag_s, "a worker that starts is not a machine that is too slow"
    state = next(state for state in scene.broadcast.rungs.states if state.name == "240p")
    assert (state.kind, state.preset, state.cost) == ("encoded", "superfast", 0.04)


async def test_orders_reach_the_rungs(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = await opened(make_scene, kitchen, clock=Clock())
    burden = scene.broadcast.rungs.burden
    ask(scene, "240p", 20)
    scene.publish(scene.source, 60)
    burden.set_preset("240p", "ultrafast")
    scene.publish(scene.source, 60)
    load = burden.load()
    assert load is not None
    assert load.rungs[0].preset == "ultrafast"
    value = load.rungs[0].value
    burden.shed("240p", at_once=False)
    load = burden.load()
    assert load is not None
    assert not load.rungs[0].is_shed, "it is made until the segment ends"
    scene.publish(scene.source, 60)
    load = burden.load()
    assert phase(scene, "240p") is Phase.SHED
    assert load is not None
    assert load.rungs[0].is_shed
    assert load.rungs[0].value == value, "as it was when viewers could still ask"
    burden.explain("240p is not made at the moment: the machine is busy.")
    assert "240p is not made at the moment: the machine is busy." in scene.broadcast.warnings
    burden.restore("240p")
    scene.publish(scene.source, 60)
    assert phase(scene, "240p") is Phase.AWAKE


async def test_what_others_are_made_from_is_never_taken(make_scene: MakeScene, kitchen: Kitchen) -> None:
    scene = make_scene(renderer=kitchen)
    scene.source = Source(video=replace(VIDEO, codec="vp9"))
    scene.connect(scene.source, 60)
    load = scene.broadcast.rungs.burden.load()
    assert load is not None
    assert not load.has_copy
    assert [rung.name for rung in load.rungs if rung.is_last] == [scene.broadcast.rungs.names[0]]
