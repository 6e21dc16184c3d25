"""The encoders of all broadcasts at one moment, as the governor sees them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from transcode.choice import Group, Option
from transcode.governed import BroadcastLoad, Cheapen, Key, RungLoad, Shed
from transcode.history import History
from transcode.pricing import Pricing

ONE_THREAD = 0.95
"""Cores that one thread has: neither decoding nor one rung can take more and keep up, whatever else is free."""

STRAINED = 0.8
"""From here on a thread that falls behind is to blame by itself: it never has a core for itself alone."""

STICKINESS = 1.25
"""How much more something else must be worth to displace what viewers see now."""


class Survey:
    """Joins what is reported with what has been ordered and with what things cost.

    Args:
        now: seconds.
        loads: of all broadcasts of which encoded rungs are asked for.
        history: orders.
        pricing: costs.
    """

    def __init__(
        self, now: float, loads: Sequence[BroadcastLoad], history: History, pricing: Pricing
    ) -> None:
        self.now = now
        self.loads = loads
        self._history = history
        self._pricing = pricing
        self._running = {load.id: self._find_running(load) for load in loads}
        self.use = sum(map(self.use_of, loads))
        """Cores that are used, or would be if there were as many."""

    @property
    def is_measured(self) -> bool:
        """Whether nothing of it is guessed."""
        return all(rung.cost is not None for rungs in self._running.values() for rung in rungs)

    def running(self, load: BroadcastLoad) -> Sequence[RungLoad]:
        """List the rungs of a broadcast that are made, or will be in a moment."""
        return self._running.get(load.id, ())

    def price(self, load: BroadcastLoad, rung: RungLoad, preset: str | None = None) -> float:
        """Price a rung, at its own preset or another one."""
        return self._pricing.rung(load.id, rung, preset or rung.preset)

    def base(self, load: BroadcastLoad) -> float:
        """Price decoding and scaling."""
        return self._pricing.base(load)

    def use_of(self, load: BroadcastLoad) -> float:
        """Add up what a broadcast takes."""
        running = self.running(load)
        return sum(self.price(load, rung) for rung in running) + self.base(load) if running else 0.0

    def is_strained(self, load: BroadcastLoad) -> bool:
        """Tell whether one of a broadcast's threads is at its limit."""
        costs = [self.price(load, rung) for rung in self.running(load)]
        return max(self.base(load), *costs, 0.0) >= STRAINED

    def group(self, load: BroadcastLoad, rungs: Sequence[RungLoad]) -> Group:
        """Describe some of a broadcast's rungs as what may be chosen."""
        options = (self._option(load, rung) for rung in rungs)
        found = [option for option in options if option is not None]
        if not found and rungs and not load.has_copy:
            cheapest = min(rungs, key=lambda rung: self.price(load, rung))
            found = [self._priced(load, cheapest, cheapest.presets[:1])]
        return Group(self.base(load), found, must_open=not load.has_copy)

    def spare(self, load: BroadcastLoad) -> list[RungLoad]:
        """List what may be taken from a broadcast, dearest first: not the only thing that it shows."""
        running = sorted(self.running(load), key=lambda rung: -self.price(load, rung))
        return [rung for rung in (running if load.has_copy else running[:-1]) if not rung.is_last]

    def reductions(self, chosen: Mapping[Key, str], *, at_once: bool) -> Iterator[Shed | Cheapen]:
        """Say what has to go so that no more than the chosen rungs and presets are left."""
        for load in self.loads:
            for rung in self.running(load):
                preset = chosen.get((load.id, rung.name))
                if preset is None:
                    yield Shed(load.id, rung.name, at_once)
                elif rung.presets.index(preset) < rung.presets.index(rung.preset):
                    yield Cheapen(load.id, rung.name, preset)

    def _find_running(self, load: BroadcastLoad) -> list[RungLoad]:
        is_running = self._history.is_running
        return [rung for rung in load.rungs if is_running((load.id, rung.name), rung.is_shed, self.now)]

    def _option(self, load: BroadcastLoad, rung: RungLoad) -> Option | None:
        presets = [preset for preset in rung.presets if self.price(load, rung, preset) <= ONE_THREAD]
        if not presets and self._pricing.is_known(load.id, rung) and not rung.is_last:
            return None
        return self._priced(load, rung, presets or rung.presets[:1])

    def _priced(self, load: BroadcastLoad, rung: RungLoad, presets: Sequence[str]) -> Option:
        key = load.id, rung.name
        costs = tuple((preset, self.price(load, rung, preset)) for preset in presets)
        is_sticky = rung in self.running(load) and not self._history.is_on_probation(key, self.now)
        value = rung.value * (STICKINESS if is_sticky else 1.0)
        return Option(key, costs, value, rung.is_last)
