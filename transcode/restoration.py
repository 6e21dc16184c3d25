"""What is given back when there is room: a rung, or a better preset, one at a time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transcode.choice import FALLBACK, Group, choose, worth_of
from transcode.governed import Action, BroadcastLoad, Cheapen, Enrich, Restore, RungLoad, Shed
from transcode.history import History
from transcode.survey import Survey

GAIN = 1.1
"""How much more all must be worth after an exchange: guesses and capacity are not better known than that."""


class Restoration:
    """Gives back what is worth most of what fits.

    Args:
        survey: of this moment, on which nothing is late.
        history: is told of what is ordered.
        cores: that may be used in all.
    """

    def __init__(self, survey: Survey, history: History, cores: float) -> None:
        self._survey = survey
        self._history = history
        self._cores = cores

    def actions(self) -> list[Action]:
        """Order one thing that costs more: a rung that fits, a rung for the sake of less, or a better preset."""
        is_lowered = any(map(_is_lowered, self._survey.loads))
        if not is_lowered or not self._history.may_probe(self._survey.now, self._survey.use):
            return []
        return self._add() or self._exchange() or self._enrich()

    def _add(self) -> list[Action]:
        shed = self._shed()
        if shed and not self._survey.use:
            # Nothing is made at all: what the machine can do shows only when it is tried, with the least of it.
            load, rung = min(shed, key=lambda item: self._after(item[0], item[1], item[1].presets[0]))
            return (
                self._restore(load, rung, rung.presets[0]) if self._history.may_try(self._survey.now) else []
            )
        for load, rung in shed:
            for preset in reversed(rung.presets[: rung.presets.index(rung.preset) + 1]):
                after = self._after(load, rung, preset)
                if after <= self._cores and self._history.may_probe(self._survey.now, after):
                    return self._restore(load, rung, preset)
        return []

    def _exchange(self) -> list[Action]:
        """Let a rung in where viewers have more of it than of what must go or get cheaper; never on mere guesses."""
        shed = self._shed()
        if not shed or not self._survey.is_measured or not self._history.may_exchange(self._survey.now):
            return []
        groups = [self._group(load) for load in self._survey.loads]
        chosen = choose(groups, self._cores)
        now = {(load.id, rung.name) for load in self._survey.loads for rung in self._survey.running(load)}
        new = [(load, rung) for load, rung in shed if (load.id, rung.name) in chosen]
        if not new or worth_of(groups, chosen) < GAIN * worth_of(groups, now):
            return []
        load, rung = new[0]
        actions = list(self._survey.reductions(chosen, at_once=False))
        sheds = [(one.id, one.rung) for one in actions if isinstance(one, Shed)]
        self._history.exchange(self._survey.now, sheds)
        return [*actions, *self._restore(load, rung, chosen[load.id, rung.name])]

    def _enrich(self) -> list[Action]:
        for load in self._survey.loads:
            for rung in self._survey.running(load):
                better = rung.presets[rung.presets.index(rung.preset) + 1 :]
                if not better:
                    continue
                extra = self._survey.price(load, rung, better[0]) - self._survey.price(load, rung)
                after, key = self._survey.use + extra, (load.id, rung.name)
                may = self._history.may_probe(self._survey.now, after)
                if after <= self._cores and may and self._history.may_raise(key, self._survey.now, after):
                    self._history.enrich(self._survey.now, key)
                    return [Enrich(load.id, rung.name, better[0])]
        return []

    def _restore(self, load: BroadcastLoad, rung: RungLoad, preset: str) -> list[Action]:
        self._history.restore(self._survey.now, (load.id, rung.name))
        change: list[Action] = [] if preset == rung.preset else [Cheapen(load.id, rung.name, preset)]
        return [*change, Restore(load.id, rung.name)]

    def _shed(self) -> Sequence[tuple[BroadcastLoad, RungLoad]]:
        """List what may be made again, worth most first."""
        found = [(load, rung) for load in self._survey.loads for rung in self._missing(load)]
        return sorted(found, key=lambda item: -self._worth(*item))

    def _missing(self, load: BroadcastLoad) -> Iterator[RungLoad]:
        running = self._survey.running(load)
        for rung in load.rungs:
            after = self._survey.use + self._survey.price(load, rung)
            if rung not in running and self._history.may_raise((load.id, rung.name), self._survey.now, after):
                yield rung

    def _worth(self, load: BroadcastLoad, rung: RungLoad) -> float:
        is_first = not self._survey.running(load)
        return rung.value + (FALLBACK * sum(one.value for one in load.rungs) if is_first else 0.0)

    def _after(self, load: BroadcastLoad, rung: RungLoad, preset: str) -> float:
        base = 0.0 if self._survey.running(load) else self._survey.base(load)
        return self._survey.use + base + self._survey.price(load, rung, preset)

    def _group(self, load: BroadcastLoad) -> Group:
        return self._survey.group(load, [*self._survey.running(load), *self._missing(load)])


def _is_lowered(load: BroadcastLoad) -> bool:
    return any(rung.is_shed or rung.preset != rung.presets[-1] for rung in load.rungs)
