"""Moves the timeline of a broadcast, and tells who has to know when a segment begins."""

from __future__ import annotations

from collections.abc import Callable

from hls.timeline import Timeline

from .rungs import Rungs


class Driver:
    """The timeline as runs drive it.

    Args:
        timeline: of the broadcast.
        rungs: begin an IDR where a segment begins.
        wall_clock: seconds since the epoch, for EXT-X-PROGRAM-DATE-TIME.
        on_segment: called when a segment has begun, so that the position can be kept.
    """

    def __init__(
        self,
        timeline: Timeline,
        rungs: Rungs,
        *,
        wall_clock: Callable[[], float],
        on_segment: Callable[[], None],
    ) -> None:
        self.timeline = timeline
        self.rungs = rungs
        self._wall_clock = wall_clock
        self._on_segment = on_segment

    def begin(self, at: int, waited_s: float = 0.0) -> None:
        """Begin a segment behind a discontinuity at `at`; its first frame came `waited_s` ago."""
        self.timeline.begin(at, self._wall_clock() - waited_s)
        self._on_segment()

    def advance(self, at: int, *, can_cut: bool) -> bool:
        """Take note that a frame starts at `at`; return whether a segment has begun with it."""
        has_begun = self.timeline.advance(at, can_cut)
        if has_begun:
            self.rungs.cut(at)
            self._on_segment()
        return has_begun

    def end(self, at: int) -> None:
        """End a run at `at`: close the segment, on the timeline and on every rung."""
        self.timeline.end_segment(at)
        self.rungs.end_run(at)

    def open_length(self, at: int) -> int:
        """Tell how much of the open segment lies before `at`, in ticks."""
        segment = self.timeline.open_segment
        return at - segment.start if segment is not None else 0
