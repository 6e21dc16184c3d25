"""How many cores the encoders may use, learned from lag; and lag itself, told apart from what a source does. Pure."""

from __future__ import annotations

from collections import deque

LATE_S = 0.4
"""A broadcast this far behind is late: half of what players buffer ahead of a part."""

MUCH_S = 0.8
"""So late nothing may wait for a segment any more: players are to be no more than 1.0 s behind."""

CALM_S = 0.3
"""Nothing is added while a broadcast is later than this."""

WINDOW_S = 0.75
"""Lag is the least of so long: between the frames of a slow source, and within a burst, it is a sawtooth."""

TREND_S = 1.0
"""What the growth of lag is looked at over."""

BURST = 1.3
"""Lag cannot grow faster than time passes when encoders are slow. Where it does, a network has delivered what it held
back, and the encoders catch up with that by themselves."""

BURST_S = 1.5
"""How long that is left to itself before its trend says anything."""

FIRST_SHARE = 0.85
"""Of the cores, before anything is known: the server itself, sound and the kernel take the rest."""

MAX_SHARE = 0.95
MIN_SHARE = 0.1
"""What neighbours on the machine leave us at worst, so that there is always a way back."""

RISE_PER_S = 0.004
"""Share of the cores by which the capacity rises while all is calm: a neighbour that took half is forgotten in two
minutes."""

SLOW = 8
"""Times slower it rises beyond what failed, and twice as slow with each further failure at that level: a machine that
has proved too small does not grow."""

MAX_SLOWER = 3
"""Doublings of that: a twentieth of the machine takes a quarter of an hour then."""

EPISODE_S = 10.0
"""Calm for so long, what fails next is another failure."""

DECREASE = 0.95
"""Below what was got out of the machine when lag grew."""


class LagTrend:
    """The lag of one broadcast, lately."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque()
        self._burst_until = float("-inf")

    @property
    def lag_s(self) -> float:
        """The least of the last moments."""
        newest = self._points[-1][0] if self._points else 0.0
        return min((lag for at, lag in self._points if newest - at <= WINDOW_S), default=0.0)

    @property
    def growth(self) -> float:
        """Seconds of lag per second, negative while it is caught up with; 0 while nobody can tell."""
        if not self._is_telling:
            return 0.0
        (first, before), (last, after) = self._points[0], self._points[-1]
        return (after - before) / (last - first)

    @property
    def is_late(self) -> bool:
        """Whether it is behind and not catching up soon."""
        if not self._is_telling:
            return False
        wanted = min(0.25, max(0.08, (self.lag_s - LATE_S) / 5))
        return self.lag_s >= LATE_S and self.growth > -wanted

    def add(self, now: float, lag_s: float) -> None:
        """Note the lag at `now`."""
        if self._points:
            last, before = self._points[-1]
            if lag_s - before > BURST * (now - last) + CALM_S:
                self._points.clear()
                self._burst_until = now + BURST_S
        self._points.append((now, lag_s))
        while now - self._points[0][0] > TREND_S:
            self._points.popleft()

    def forget(self) -> None:
        """Begin anew: what was, or is now, says nothing about what comes."""
        self._points.clear()

    @property
    def _is_telling(self) -> bool:
        if not self._points or self._points[-1][0] < self._burst_until:
            return False
        return self._points[-1][0] - self._points[0][0] >= WINDOW_S


class Capacity:
    """Cores that encoders may use: multiplied down when lag grows, slowly added to otherwise.

    Args:
        count: cores of the machine that this process may use.
    """

    def __init__(self, count: float) -> None:
        self._count = count
        self.cores = FIRST_SHARE * count
        self._failed: float | None = None
        self._slower = 0
        self._calm_s = EPISODE_S

    def rise(self, seconds: float, used: float) -> None:
        """Note a calm time in which so many cores were used: that much there is."""
        self._calm_s += seconds
        if self._failed is not None and used > self._failed and self._calm_s >= EPISODE_S:
            self._failed = None
        rate = RISE_PER_S * self._count
        if self._failed is not None and self.cores >= DECREASE * self._failed:
            rate /= SLOW * 2.0**self._slower
        ceiling = MAX_SHARE * self._count
        self.cores = max(min(ceiling, self.cores + rate * seconds), min(used, ceiling))

    def fall(self, got: float, wanted: float) -> None:
        """Note that lag grew while no more than `got` of the `wanted` cores were to be had."""
        if self._calm_s >= EPISODE_S:
            is_known = self._failed is not None and 0.85 <= wanted / self._failed <= 1.15
            self._slower = min(MAX_SLOWER, self._slower + 1) if is_known else 0
            self._failed = wanted
        self._calm_s = 0.0
        self.cores = max(MIN_SHARE * self._count, min(self.cores, DECREASE * got))
