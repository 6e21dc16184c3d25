"""Which rungs, at which presets, are worth most within so many cores. Pure.

A knapsack in which the first rung of a broadcast also pays for decoding, and is worth more than its own viewers: the
others of that broadcast have something to fall back to. Greedy by worth per core, then single exchanges: not always
the best set, always one to which nothing can be added, and quick for a machine full of broadcasts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from transcode.governed import Key

TINY = 1e-6
"""Cores; whatever costs nothing must not be divided by."""

FALLBACK = 0.5
"""What any rung is worth to a viewer who asked for another one of the same broadcast."""


@dataclass(frozen=True, slots=True)
class Option:
    """A rung that may be made."""

    key: Key
    costs: tuple[tuple[str, float], ...]
    """Presets and what they cost, cheapest first."""
    value: float
    is_must: bool
    """Made whatever it costs."""

    @property
    def cost(self) -> float:
        """At the cheapest preset."""
        return self.costs[0][1]

    @property
    def density(self) -> float:
        """Value per core."""
        return self.value / max(self.cost, TINY)


class Group:
    """A broadcast: what decoding costs as soon as one of its rungs is made, and the rungs.

    Args:
        base: cores.
        options: the rungs.
        must_open: whether one rung is made whatever it costs.
    """

    def __init__(self, base: float, options: Sequence[Option], *, must_open: bool = False) -> None:
        self.base = base
        self.must_open = must_open
        self.options = sorted(options, key=lambda option: -option.density)
        self.opening = FALLBACK * sum(option.value for option in options)
        """What the first rung is worth beyond itself, whichever it is."""

    def musts(self) -> list[Option]:
        """List what is made in any case: the cheapest rung where nothing else has to be."""
        found = [option for option in self.options if option.is_must]
        if found or not self.must_open or not self.options:
            return found
        return [replace(min(self.options, key=lambda option: option.cost), is_must=True)]


def choose(groups: Sequence[Group], cores: float) -> dict[Key, str]:
    """Choose rungs: as much worth as fits, all at their cheapest presets first; what is left pays for better ones."""
    musts = {option.key: option for group in groups for option in group.musts()}
    choice = _filled(groups, cores, musts)
    for group in groups:
        if group.options and not choice.is_open(group):
            # Broadcasts that were looked at first may have left no room for the decoding of this one.
            least = min(group.options, key=lambda option: option.cost)
            other = _filled(groups, cores, musts | {least.key: least})
            if other.left >= 0 and other.worth > choice.worth:
                choice = other
    return choice.with_presets()


def worth_of(groups: Sequence[Group], keys: Collection[Key]) -> float:
    """Add up what viewers have of some rungs."""
    total = 0.0
    for group in groups:
        values = [option.value for option in group.options if option.key in keys]
        total += sum(values) + (group.opening if values else 0.0)
    return total


def _filled(groups: Sequence[Group], cores: float, first: Mapping[Key, Option]) -> _Choice:
    choice = _Choice(groups, cores, first)
    choice.fill()
    choice.exchange()
    return choice


class _Choice:
    def __init__(self, groups: Sequence[Group], cores: float, first: Mapping[Key, Option]) -> None:
        self._groups = groups
        self._cores = cores
        self._taken: dict[Key, Option] = dict(first)
        self.left = cores - self._spent(first)
        """Cores that nothing has been chosen for; negative when what must be made takes more than there is."""

    @property
    def worth(self) -> float:
        """All that viewers have of it."""
        return worth_of(self._groups, self._taken)

    def fill(self) -> None:
        """Add what is worth most per core until nothing fits."""
        while candidates := list(self._candidates()):
            _, options = max(candidates, key=lambda candidate: candidate[0])
            self._taken |= {option.key: option for option in options}
            self._count()

    def exchange(self) -> None:
        """Let a rung in where those that it displaces are worth less together."""
        out = [option for group in self._groups for option in group.options if option.key not in self._taken]
        for option in sorted(out, key=lambda option: -option.value):
            taken = self._displaced_by(option)
            if worth_of(self._groups, taken) > self.worth and self._spent(taken) <= self._cores:
                self._taken = taken
        self._count()
        self.fill()

    def with_presets(self) -> dict[Key, str]:
        """Spend what is left on better presets, where a viewer gets most for it."""
        chosen = {key: option.costs[0][0] for key, option in self._taken.items()}
        steps = [
            (option.value / max(dearer - cheaper, TINY), option.key, index, dearer - cheaper)
            for option in self._taken.values()
            for index, ((_, cheaper), (_, dearer)) in enumerate(
                zip(option.costs, option.costs[1:], strict=False), start=1
            )
        ]
        levels = dict.fromkeys(chosen, 0)
        for _, key, index, extra in sorted(steps, key=lambda step: -step[0]):
            if levels[key] == index - 1 and extra <= self.left:
                levels[key], self.left = index, self.left - extra
                chosen[key] = self._taken[key].costs[index][0]
        return chosen

    def is_open(self, group: Group) -> bool:
        """Tell whether any of a broadcast's rungs is in."""
        return any(option.key in self._taken for option in group.options)

    def _count(self) -> None:
        self.left = self._cores - self._spent(self._taken)

    def _spent(self, taken: Mapping[Key, Option]) -> float:
        bases = sum(group.base for group in self._groups if any(one.key in taken for one in group.options))
        return bases + sum(option.cost for option in taken.values())

    def _candidates(self) -> Iterator[tuple[float, list[Option]]]:
        for group in self._groups:
            if self.is_open(group):
                for option in group.options:
                    if option.key not in self._taken and option.cost <= self.left:
                        yield option.density, [option]
                        break
                continue
            # Nobody pays for decoding to get one small rung: the best that the group can be is what counts.
            cost, value, options = group.base, group.opening, list[Option]()
            best: tuple[float, list[Option]] | None = None
            for option in group.options:
                if cost + option.cost <= self.left:
                    cost, value = cost + option.cost, value + option.value
                    options.append(option)
                    if best is None or value / max(cost, TINY) > best[0]:
                        best = value / max(cost, TINY), list(options)
            if best is not None:
                yield best

    def _displaced_by(self, option: Option) -> dict[Key, Option]:
        taken, room, lost = dict(self._taken), self.left, 0.0
        for other in sorted(self._taken.values(), key=lambda item: item.density):
            if room >= option.cost:
                break
            if not other.is_must and lost + other.value < option.value:
                room, lost = room + other.cost, lost + other.value
                del taken[other.key]
        return taken | {option.key: option}
