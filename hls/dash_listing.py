"""What a DASH manifest lists of renditions, in few values: rows of equal segments, spans without gaps.

What has settled is looked at once: two hours are 3,600 segments on each of ten renditions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from media.packet import CLOCK_HZ

from .view import PastView, RenditionView, SegmentView

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """Segments of equal duration, one right after the other (`S` of a `SegmentTimeline`, ISO/IEC 23009-1, 5.3.9.6)."""

    msn: int
    start: int
    """In ticks."""
    duration: int
    """Of each, in ticks."""
    date: float
    """Of its start, in seconds since the epoch."""
    is_discontinuity: bool
    """Whether one lies before it."""
    count: int = 1

    @property
    def end(self) -> int:
        """Where its last segment ends, in ticks."""
        return self.start + self.count * self.duration

    @property
    def end_msn(self) -> int:
        """Media sequence number behind its last segment."""
        return self.msn + self.count

    def part(self, begin: int, end: int) -> Row:
        """Return what lies between two media sequence numbers (the second is exclusive), as if it went on like this."""
        skipped = (begin - self.msn) * self.duration
        return replace(
            self,
            msn=begin,
            start=self.start + skipped,
            date=self.date + skipped / CLOCK_HZ,
            is_discontinuity=self.is_discontinuity and begin == self.msn,
            count=end - begin,
        )


@dataclass(frozen=True, slots=True)
class Span:
    """Segments of one rendition in a row that can be had, with the same initialization segment."""

    first_msn: int
    end_msn: int
    """Exclusive."""
    generation: int
    is_growing: bool = False
    """Whether nothing is known of what follows: the rendition has come this far."""


def list_rows(view: RenditionView) -> list[Row]:
    """List the complete segments of a rendition."""
    return _ROWS.collect(view)


def list_spans(view: RenditionView) -> list[Span]:
    """List what can be had of a rendition, its open segment included."""
    spans = _SPANS.collect(view)
    newest_msn = next((segment.msn for segment in reversed(view.segments) if segment.parts), -1)
    if spans and spans[-1].end_msn > newest_msn:
        spans[-1] = replace(spans[-1], is_growing=True)
    return spans


def _rows(segments: Iterable[SegmentView]) -> Iterator[Row]:
    for segment in segments:
        if segment.is_complete and (duration := round(segment.duration_s * CLOCK_HZ)) > 0:
            yield Row(
                segment.msn, segment.start, duration, segment.program_date_time, segment.is_discontinuity
            )


def _join_rows(row: Row, other: Row) -> Row | None:
    is_next = row.end == other.start and row.end_msn == other.msn and row.duration == other.duration
    return replace(row, count=row.count + other.count) if is_next and not other.is_discontinuity else None


def _spans(segments: Iterable[SegmentView]) -> Iterator[Span]:
    for segment in segments:
        if segment.has_init and segment.parts and not segment.is_gap:
            yield Span(segment.msn, segment.msn + 1, segment.generation)


def _join_spans(span: Span, other: Span) -> Span | None:
    is_next = span.end_msn == other.first_msn and span.generation == other.generation
    return replace(span, end_msn=other.end_msn) if is_next else None


class _Lister(Generic[T]):
    """Makes values of segments and joins them as far as possible."""

    def __init__(
        self, make: Callable[[Iterable[SegmentView]], Iterator[T]], join: Callable[[T, T], T | None]
    ) -> None:
        self._make = make
        self._join = join
        self._known: WeakKeyDictionary[PastView, list[T]] = WeakKeyDictionary()

    def collect(self, view: RenditionView) -> list[T]:
        """Make the values of all segments that are listed."""
        found: list[T] = []
        for past in view.past:
            known = self._known.get(past)
            if known is None:
                known = self._known[past] = []
                self._extend(known, self._make(past.segments))
            self._extend(found, known)
        self._extend(found, self._make(view.segments))
        return found

    def _extend(self, found: list[T], more: Iterable[T]) -> None:
        for value in more:
            joined = self._join(found[-1], value) if found else None
            if joined is None:
                found.append(value)
            else:
                found[-1] = joined


_ROWS = _Lister(_rows, _join_rows)
_SPANS = _Lister(_spans, _join_spans)
