"""The grid on which the frames of a source with a constant rate lie: RTMP's milliseconds, made exact again.

Fifteen frames at 30 a second are 0.501 s in milliseconds, and a part of 0.501 s where 0.5 s were announced stops
Apple's players. Nothing is delayed: until the rate is known, and where there is none, times stay as they are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from media.packet import CLOCK_HZ, TICKS_PER_MS

TOLERANCE = 2 * TICKS_PER_MS
"""How far a frame may lie from its place: its own rounding, and that of the composition offset which is added to it."""

WINDOW = 64
"""Frames that a rate is learned from: two seconds at 30 a second, in which 29.97 is off by two milliseconds."""

ENOUGH = 24
"""So many have to fit before an undeclared rate is believed."""

RETRY = 16
"""Frames between two attempts to learn a rate: a source without one should cost nothing."""

NTSC = Fraction(1000, 1001)
SLOW_RATES = (Fraction(15, 2), Fraction(25, 2))
"""Rates that are no whole number, besides those of NTSC."""

MAX_RATE = 240


@dataclass(frozen=True, slots=True)
class _Line:
    """A grid: one of its places in ticks, and how long a frame is, as a fraction of ticks.

    Whole numbers, since it is asked for every frame.
    """

    anchor: int
    numerator: int
    denominator: int

    @property
    def tolerance(self) -> float:
        return min(TOLERANCE, self.numerator / self.denominator / 4)

    def nearest(self, at: int) -> int:
        """Return the place next to a time."""
        numerator, denominator = self.numerator, self.denominator
        index = (2 * (at - self.anchor) * denominator + numerator) // (2 * numerator)
        return self.anchor + (2 * index * numerator + denominator) // (2 * denominator)

    def fits(self, at: int) -> bool:
        return abs(self.nearest(at) - at) <= self.tolerance


class FrameGrid:
    """Places the frames of one run of a source.

    Args:
        at: of the first frame, in ticks; it stays there.
        declared: frames per second, as the stream says; None when it does not.
    """

    def __init__(self, at: int, declared: Fraction | None) -> None:
        self._declared = declared if declared is not None and 1 <= declared <= MAX_RATE else None
        self._line = _line(at, self._declared) if self._declared else None
        self._recent: deque[int] = deque(maxlen=WINDOW)
        self._unplaced = 0

    @property
    def is_constant(self) -> bool:
        """Whether frames are placed at present."""
        return self._line is not None

    def add(self, at: int) -> int:
        """Place the next frame in decoding order; times rise."""
        self._recent.append(at)
        if self._line is None or not self._line.fits(at):
            self._learn()
        return self.nearest(at)

    def nearest(self, at: int) -> int:
        """Place a time of a frame that has been added: when it is shown."""
        return self._line.nearest(at) if self._line is not None and self._line.fits(at) else at

    def _learn(self) -> None:
        """Find the grid that all recent frames lie on; what was known slips to where they are now."""
        self._unplaced += 1
        if self._line is None and self._unplaced % RETRY:
            return
        found = min(
            (fit for rate in self._candidates() if (fit := _fit(self._recent, rate)) is not None),
            default=None,
            key=lambda fit: fit[0],
        )
        self._line = found[1] if found is not None else None

    def _candidates(self) -> Iterable[Fraction]:
        known = {self._declared} if self._declared else set()
        if len(self._recent) < ENOUGH:
            return known
        steps = sorted(
            later - earlier for earlier, later in zip(self._recent, list(self._recent)[1:], strict=False)
        )
        middle = CLOCK_HZ / max(1, steps[len(steps) // 2])
        whole = range(max(1, int(middle * 0.85)), min(MAX_RATE, int(middle * 1.15) + 1) + 1)
        rates = {Fraction(rate) for rate in whole}
        return known | rates | {rate * NTSC for rate in rates} | set(SLOW_RATES)


def _line(anchor: int, rate: Fraction) -> _Line:
    frame = CLOCK_HZ / rate
    return _Line(anchor, frame.numerator, frame.denominator)


def _fit(times: deque[int], rate: Fraction) -> tuple[tuple[int, bool], _Line] | None:
    """Lay a grid through times; returns how far they are spread about it, None when that is too far.

    Rates of whole numbers win where others fit as well.
    """
    through = _line(times[-1], rate)
    offsets = [at - through.nearest(at) for at in times]
    spread = max(offsets) - min(offsets)
    line = _line(times[-1] + (max(offsets) + min(offsets)) // 2, rate)
    return None if spread > 2 * line.tolerance else ((spread, rate.denominator > 1), line)
