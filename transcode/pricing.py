"""What each rung costs at each preset: measured now, measured before, or guessed and corrected. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from transcode.cost import preset_ratio
from transcode.governed import BroadcastLoad, Key, RungLoad

LEARNING = 0.05
"""Weight of a new measurement in the correction of guesses; four come each second."""

MAX_CORRECTION = 4.0
"""A measurement that says more says something about itself."""


class Pricing:
    """Remembers what has been measured of the rungs that are asked for."""

    def __init__(self) -> None:
        self._known: dict[Key, dict[str, float]] = {}
        self._bases: dict[str, float] = {}
        self._correction = 1.0

    def learn(self, loads: Sequence[BroadcastLoad]) -> None:
        """Take note of measurements; what is not asked for any more is forgotten."""
        keys = {(load.id, rung.name) for load in loads for rung in load.rungs}
        self._known = {key: costs for key, costs in self._known.items() if key in keys}
        ids = {load.id for load in loads}
        self._bases = {name: cost for name, cost in self._bases.items() if name in ids}
        for load in loads:
            if load.base_cost is not None:
                self._bases[load.id] = load.base_cost
                self._correct(load.base_cost, load.base_estimate)
            for rung in load.rungs:
                if rung.cost is not None and not rung.is_shed:
                    self._known.setdefault((load.id, rung.name), {})[rung.preset] = rung.cost
                    self._correct(rung.cost, rung.estimate)

    def base(self, load: BroadcastLoad) -> float:
        """Price decoding and scaling."""
        return self._bases.get(load.id, self.guess(load.base_estimate))

    def is_known(self, stream_id: str, rung: RungLoad) -> bool:
        """Tell whether a rung has ever been measured."""
        return bool(self._known.get((stream_id, rung.name)))

    def rung(self, stream_id: str, rung: RungLoad, preset: str) -> float:
        """Price a rung at a preset."""
        known = self._known.get((stream_id, rung.name), {})
        if preset in known:
            return known[preset]
        for other in (rung.preset, *known):
            if other in known:
                return known[other] * preset_ratio(preset, other)
        return self.guess(rung.estimate) * preset_ratio(preset, rung.preset)

    def guess(self, estimate: float) -> float:
        """Correct a guess by what this machine and these pictures have cost so far."""
        return estimate * self._correction

    def _correct(self, cost: float, estimate: float) -> None:
        if estimate > 0:
            ratio = min(MAX_CORRECTION, max(1 / MAX_CORRECTION, cost / estimate))
            self._correction += LEARNING * (ratio - self._correction)
