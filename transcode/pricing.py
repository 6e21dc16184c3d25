"""What each rung costs at each preset: measured now, measured before, or guessed and corrected. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from transcode.cost import preset_ratio
from transcode.governed import BroadcastLoad, Key, RungLoad

LEARNING = 0.05
"""Weight of a new measurement in the correction of guesses; four come each second."""

MAX_CORRECTION = 4.0
"""A measurement that says more says something about itself."""


class Pricing:
    """Remembers what has been measured."""

    def __init__(self) -> None:
        self._known: dict[Key, dict[str, float]] = {}
        self._known_at: dict[Key, float] = {}
        self._bases: dict[str, float] = {}
        self._correction = 1.0

    def keep(self, streams: Collection[str], since: float) -> None:
        """Forget all other broadcasts, and what has not been measured since then."""
        self._known_at = {key: at for key, at in self._known_at.items() if key[0] in streams and at >= since}
        self._known = {key: self._known[key] for key in self._known_at}
        self._bases = {name: cost for name, cost in self._bases.items() if name in streams}

    def learn(self, now: float, loads: Sequence[BroadcastLoad]) -> None:
        """Take note of measurements."""
        for load in loads:
            if load.base_cost is not None:
                self._bases[load.id] = load.base_cost
                self._correct(load.base_cost, load.base_estimate)
            for rung in load.rungs:
                if rung.cost is not None and not rung.is_shed:
                    self._note((load.id, rung.name), rung.preset, rung.cost, now)
                    self._correct(rung.cost, rung.estimate)

    def base(self, load: BroadcastLoad) -> float:
        """Price decoding and scaling."""
        return self._bases.get(load.id, self.guess(load.base_estimate))

    def is_known(self, stream_id: str, rung: RungLoad) -> bool:
        """Tell whether a rung has ever been measured."""
        return bool(self._known.get((stream_id, rung.name)))

    def rung(self, stream_id: str, rung: RungLoad, preset: str) -> float:
        """Price a rung at a preset."""
        expected = _expected(self._known.get((stream_id, rung.name), {}), preset, rung.preset)
        if expected is not None:
            return expected
        return self.guess(rung.estimate) * preset_ratio(preset, rung.preset)

    def waking(self, key: Key, estimate: float) -> float:
        """Price a rung that sleeps, at the cheapest that it has been measured at."""
        known = self._known.get(key)
        return min(known.values()) if known else self.guess(estimate)

    def guess(self, estimate: float) -> float:
        """Correct a guess by what this machine and these pictures have cost so far."""
        return estimate * self._correction

    def _note(self, key: Key, preset: str, cost: float, now: float) -> None:
        """Remember a cost; what other presets have cost before has risen or fallen with the pictures as well."""
        known = self._known.get(key, {})
        expected = _expected(known, preset, preset)
        change = cost / expected if expected else 1.0
        self._known[key] = {other: before * change for other, before in known.items()} | {preset: cost}
        self._known_at[key] = now

    def _correct(self, cost: float, estimate: float) -> None:
        if estimate > 0:
            ratio = min(MAX_CORRECTION, max(1 / MAX_CORRECTION, cost / estimate))
            self._correction += LEARNING * (ratio - self._correction)


def _expected(known: Mapping[str, float], preset: str, nearest: str) -> float | None:
    """Conclude from what has been measured, best at `preset` itself, else at `nearest`; None from nothing."""
    for other in (preset, nearest, *known):
        if other in known:
            return known[other] * preset_ratio(preset, other)
    return None
