"""How fast a worker is and what its parts cost: work over the media that came of it. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from media.packet import CLOCK_HZ
from transcode.message import Progress

SPAN = 5 * CLOCK_HZ
"""Ticks of media that speed is looked at over."""

COST_SPAN = 3 * CLOCK_HZ
"""Likewise for costs: longer than a GOP of two seconds, short enough to see a preset change."""

MIN_SPAN = CLOCK_HZ // 2


class Meter:
    """Work per media, over the newest `span` ticks of media."""

    def __init__(self, span: int = SPAN) -> None:
        self._span = span
        self._points: deque[tuple[int, int]] = deque()

    @property
    def cost(self) -> float | None:
        """Seconds of work per second of media, None without enough of it."""
        if not self._points:
            return None
        (first_pts, first_us), (last_pts, last_us) = self._points[0], self._points[-1]
        if last_pts - first_pts < MIN_SPAN or last_us <= first_us:
            return None
        return (last_us - first_us) / 1_000_000 / ((last_pts - first_pts) / CLOCK_HZ)

    def add(self, pts: int, work_us: int) -> None:
        """Note how much work there had been when media up to `pts` was delivered.

        Work that steps back is another worker's, and media that stepped far ahead cost nothing in between: either
        starts over.
        """
        if self._points:
            last_pts, last_us = self._points[-1]
            if work_us < last_us or not 0 <= pts - last_pts <= self._span:
                self._points.clear()
        self._points.append((pts, work_us))
        while pts - self._points[0][0] > self._span:
            self._points.popleft()


class Meters:
    """The speed of one worker, and its costs in CPU seconds per second of media."""

    def __init__(self) -> None:
        self._busy = Meter()
        self._base = Meter(COST_SPAN)
        self._rungs: dict[str, Meter] = {}

    @property
    def speed(self) -> float | None:
        """Seconds of media per second of work, None when unknown."""
        cost = self._busy.cost
        return None if cost is None else 1 / cost

    @property
    def base_cost(self) -> float | None:
        """What everything but the encoders costs, None when unknown."""
        return self._base.cost

    @property
    def costs(self) -> Mapping[str, float]:
        """What the encoders of each rung cost, as far as it is known."""
        return {name: cost for name, meter in self._rungs.items() if (cost := meter.cost) is not None}

    def add(self, pts: int, progress: Progress) -> None:
        """Take a worker's report, media up to `pts` having been delivered."""
        self._busy.add(pts, progress.busy_us)
        self._base.add(pts, progress.base_us)
        found = dict(progress.rungs)
        self._rungs = {name: self._rungs.get(name) or Meter(COST_SPAN) for name in found}
        for name, cost_us in found.items():
            self._rungs[name].add(pts, cost_us)

    def restart(self, rung: str) -> None:
        """Forget what a rung cost: another encoder has taken over."""
        self._rungs.pop(rung, None)
