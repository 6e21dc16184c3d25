"""The past of a rendition as its playlist shows it: hours of segments, described in stretches that stay the same."""

from __future__ import annotations

from dataclasses import dataclass

from .rendition import Rendition
from .view import PastView

STRETCH = 64
"""Segments of a stretch: few enough that the newest and the oldest, which change with every segment, are soon
described; enough that thousands of segments are some dozens of stretches."""


@dataclass(slots=True)
class _Stretch:
    """A view, and what it is of."""

    begin: int
    end: int
    losses: int
    view: PastView


class Past:
    """Describes the settled segments of one rendition.

    Args:
        rendition: has them.
    """

    def __init__(self, rendition: Rendition) -> None:
        self._rendition = rendition
        self._stretches: dict[int, _Stretch] = {}

    def views(self, first_msn: int) -> tuple[PastView, ...]:
        """Describe what has settled, from a media sequence number on, oldest first."""
        end = self._rendition.settled_msn
        begin = min(first_msn, end)
        numbers = range(begin // STRETCH, -(-end // STRETCH))
        for number in [number for number in self._stretches if number < begin // STRETCH]:
            del self._stretches[number]
        return tuple(
            self._view(number, max(begin, number * STRETCH), min(end, (number + 1) * STRETCH))
            for number in numbers
        )

    def _view(self, number: int, begin: int, end: int) -> PastView:
        losses = self._rendition.losses
        known = self._stretches.get(number)
        if known is None or (known.begin, known.end, known.losses) != (begin, end, losses):
            segments = tuple(item.view() for item in self._rendition.between(begin, end))
            view = PastView(segments, sum(segment.duration_s for segment in segments))
            known = self._stretches[number] = _Stretch(begin, end, losses, view)
        return known.view
