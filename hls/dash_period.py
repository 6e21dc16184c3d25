"""Periods of a DASH manifest: where something changes, another one begins (ISO/IEC 23009-1, 5.3.2).

A period lists the renditions that have all of its segments, with one initialization segment each: gaps, qualities that
come later and other tracks begin another one. Players neither learn of another quality within a period, nor skip a
number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from media.packet import CLOCK_HZ

from .dash_listing import Row, Span

SETTLING_SEGMENTS = 2
"""Complete segments after which a period is announced though a rendition has nothing of it yet."""

SAME_LINE_S = 0.005
"""Dates of one run lie on a line, to a rounding error."""


@dataclass(frozen=True, slots=True)
class Period:
    """A period. What is listed of it moves on with the window; where it begins does not."""

    id: int
    """The media sequence number that it began with."""
    start_s: float
    """Seconds since the epoch."""
    offset: int
    """What the timeline showed there, in ticks."""
    generations: Mapping[str, int]
    """Of each rendition in it, by name."""
    rows: Sequence[Row]

    @property
    def end_msn(self) -> int:
        """Media sequence number behind its last segment."""
        return self.rows[-1].end_msn

    def date_of(self, position: int) -> float:
        """Return the date of a position on the timeline, as far as this period is concerned."""
        return self.start_s + (position - self.offset) / CLOCK_HZ


@dataclass(slots=True)
class Periods:
    """Finds the periods, and remembers what players have been told: that must not change."""

    _known: list[Period] = field(default_factory=list)
    _joined: dict[tuple[str, int], int] = field(default_factory=dict)
    """Where renditions join that came later, by name and first media sequence number."""

    def update(self, rows: Sequence[Row], spans: Mapping[str, Sequence[Span]]) -> list[Period]:
        """Return the periods, oldest first.

        Args:
            rows: what is listed of the rendition that sets the pace.
            spans: what can be had of each rendition, by name.
        """
        if not rows:
            return []
        runs = _split_runs(rows)
        fitted = {name: self._fit(name, found, runs) for name, found in spans.items()}
        cuts = sorted(
            {run[0].msn for run in runs}
            | {msn for found in fitted.values() for span in found for msn in (span.first_msn, span.end_msn)}
        )
        periods: list[Period] = []
        for index, run in enumerate(runs):
            is_newest = index == len(runs) - 1
            if is_newest and periods and not _is_settled(run, fitted):
                break
            for piece in _split(run, cuts):
                generations = _members(piece, fitted)
                if generations:
                    is_oldest = piece[0].msn == rows[0].msn and not piece[0].is_discontinuity
                    periods.append(self._period(piece, generations, is_oldest=is_oldest))
        self._known = periods
        return periods

    def _fit(self, name: str, spans: Sequence[Span], runs: Sequence[Sequence[Row]]) -> list[Span]:
        """Have a rendition that came later join behind what players have been told of already.

        One that has nothing of the newest segments yet will have them, up to the end of the run.
        """
        first_msn = runs[0][0].msn
        told_msn = self._known[-1].end_msn if self._known else first_msn
        self._joined = {
            key: begin for key, begin in self._joined.items() if key[0] != name or key[1] > first_msn
        }
        fitted = []
        for span in spans:
            key, begin, end = (name, span.first_msn), span.first_msn, span.end_msn
            if begin > first_msn:
                is_told = begin in (known.id for known in self._known)
                begin = self._joined.setdefault(key, begin if is_told else max(begin, told_msn))
            if span.is_growing:
                end = max([end, *(run[-1].end_msn for run in runs if run[0].msn < end)])
            if begin < end:
                fitted.append(replace(span, first_msn=begin, end_msn=end))
        return fitted

    def _period(self, rows: Sequence[Row], generations: Mapping[str, int], *, is_oldest: bool) -> Period:
        """Make a period, or go on with one; the begin of the oldest may have left the window."""
        first = rows[0]
        for known in reversed(self._known):
            is_same_line = abs(known.date_of(first.start) - first.date) < SAME_LINE_S
            may_be = known.id == first.msn or (known.id < first.msn and is_oldest)
            if may_be and is_same_line and known.generations == generations:
                return replace(known, rows=rows)
        return Period(first.msn, first.date, first.start, generations, rows)


def _split_runs(rows: Iterable[Row]) -> list[list[Row]]:
    runs: list[list[Row]] = []
    for row in rows:
        if row.is_discontinuity or not runs or runs[-1][-1].end_msn != row.msn:
            runs.append([])
        runs[-1].append(row)
    return runs


def _split(run: Sequence[Row], cuts: Iterable[int]) -> list[list[Row]]:
    begin, end = run[0].msn, run[-1].end_msn
    bounds = [begin, *(cut for cut in cuts if begin < cut < end), end]
    return [
        [
            row.part(max(first, row.msn), min(last, row.end_msn))
            for row in run
            if row.msn < last and row.end_msn > first
        ]
        for first, last in pairwise(bounds)
    ]


def _is_settled(run: Sequence[Row], spans: Mapping[str, Sequence[Span]]) -> bool:
    begin, end = run[0].msn, run[-1].end_msn
    has_all = all(found and found[-1].end_msn > begin for found in spans.values())
    return has_all or end - begin >= SETTLING_SEGMENTS


def _members(rows: Sequence[Row], spans: Mapping[str, Sequence[Span]]) -> dict[str, int]:
    begin, end = rows[0].msn, rows[-1].end_msn
    return {
        name: span.generation
        for name, found in spans.items()
        for span in found
        if span.first_msn <= begin and end <= span.end_msn
    }
