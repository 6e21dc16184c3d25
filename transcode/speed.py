"""How fast a worker is: media time over the time in which it was at work. Pure."""

from __future__ import annotations

from collections import deque

from media.packet import CLOCK_HZ

SPAN = 5 * CLOCK_HZ
"""Ticks of media that are looked at."""

MIN_SPAN = CLOCK_HZ // 2


class Speedometer:
    """Fed with pairs that one worker reports."""

    def __init__(self) -> None:
        self._points: deque[tuple[int, int]] = deque()

    @property
    def speed(self) -> float | None:
        """Seconds of media per second of work, None without enough of it."""
        if not self._points:
            return None
        (first_pts, first_us), (last_pts, last_us) = self._points[0], self._points[-1]
        if last_pts - first_pts < MIN_SPAN or last_us <= first_us:
            return None
        return (last_pts - first_pts) / CLOCK_HZ / ((last_us - first_us) / 1_000_000)

    def add(self, pts: int, busy_us: int) -> None:
        """Note that the worker had delivered up to `pts` after so much work."""
        self._points.append((pts, busy_us))
        while pts - self._points[0][0] > SPAN:
            self._points.popleft()
