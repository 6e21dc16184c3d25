"""Integrated loudness (ITU-R BS.1770-5, annex 1; EBU R 128) of blocks that come one by one. Pure."""

from __future__ import annotations

import math

ABSOLUTE_GATE = -70.0
"""LUFS: quieter blocks do not count."""

RELATIVE_GATE = -10.0
"""LU: nor do blocks that are so much quieter than the others together."""

BINS_PER_LU = 10
LOUDEST = 10.0
"""Blocks are counted in bins of 0.1 LU up to here, so that hours take no more memory than seconds. Full scale on both
sides is 3 LUFS."""

_COUNT = round((LOUDEST - ABSOLUTE_GATE) * BINS_PER_LU) + 1
_ENERGIES = tuple(10 ** ((ABSOLUTE_GATE + index / BINS_PER_LU) / 10) for index in range(_COUNT))


class IntegratedLoudness:
    """Counts blocks of 0.4 s by their loudness."""

    def __init__(self) -> None:
        self._bins = [0] * _COUNT

    def add(self, loudness: float) -> None:
        """Take a block, in LUFS."""
        if loudness >= ABSOLUTE_GATE:
            self._bins[min(_COUNT - 1, round((loudness - ABSOLUTE_GATE) * BINS_PER_LU))] += 1

    @property
    def loudness(self) -> float | None:
        """Of all blocks that pass both gates, in LUFS; None when none does."""
        ungated = self._mean(0)
        if ungated is None:
            return None
        gate = math.ceil((ungated + RELATIVE_GATE - ABSOLUTE_GATE) * BINS_PER_LU)
        gated = self._mean(max(0, gate))
        return round(gated, 1) if gated is not None else None

    def _mean(self, first: int) -> float | None:
        blocks = sum(self._bins[first:])
        if not blocks:
            return None
        pairs = zip(self._bins[first:], _ENERGIES[first:], strict=True)
        return 10 * math.log10(sum(count * energy for count, energy in pairs) / blocks)
