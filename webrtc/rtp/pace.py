"""Large frames go out over most of a frame interval: all at once they overrun the queues on their way."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from webrtc.rtp.burst import Batch, Burst
from webrtc.rtp.flow import VIDEO_HZ
from webrtc.rtp.variant import Variant

SPREAD = 0.6
"""Of the interval to the next frame. What is left takes up delays."""
FIRST_INTERVAL_S = 1 / 30
"""Until two frames have said better."""
MIN_INTERVAL_S, MAX_INTERVAL_S = 1 / 120, 0.1
"""After a pause the next frame is no reason to be slow."""
MAX_BEHIND_S = 0.1
"""Frames that came in a heap are not held back longer than that."""


class Piece(NamedTuple):
    """Part of a frame."""

    burst: Burst
    start: int
    """First of its batches."""
    stop: int
    """The one behind the last."""

    def batches(self, variant: Variant) -> Sequence[Batch]:
        """Return the batches of a variant."""
        return self.burst.batches(variant)[self.start : self.stop]


class Pacer:
    """The schedule of a flow of video, the same for all who follow it."""

    def __init__(self) -> None:
        self._waiting: deque[Piece] = deque()
        self._interval_s = FIRST_INTERVAL_S
        self._last_pts: int | None = None
        self._busy_until = 0.0

    def add(self, burst: Burst, now: float) -> None:
        """Plan when each batch of a frame goes out; call `due` then. Nobody may have asked for its packets yet."""
        if self._last_pts is not None and burst.pts > self._last_pts:
            interval_s = (burst.pts - self._last_pts) / VIDEO_HZ
            self._interval_s = min(max(interval_s, MIN_INTERVAL_S), MAX_INTERVAL_S)
        self._last_pts = burst.pts
        start = max(now, self._busy_until)
        if start > now + MAX_BEHIND_S:
            self._hurry(now)
            start = now
        count = len(burst.runs)
        step_s = SPREAD * self._interval_s / count if burst.is_paced else 0.0
        burst.due = [start + number * step_s for number in range(count)]
        self._busy_until = start + count * step_s
        self._waiting.append(Piece(burst, 0, count))

    def due(self, now: float) -> list[Piece]:
        """Return what goes out now, in this order."""
        pieces: list[Piece] = []
        while self._waiting:
            burst, start, stop = self._waiting[0]
            reached = start
            while reached < stop and burst.due[reached] <= now:
                reached += 1
            if reached > start:
                pieces.append(Piece(burst, start, reached))
            if reached < stop:
                self._waiting[0] = Piece(burst, reached, stop)
                break
            self._waiting.popleft()
        return pieces

    @property
    def next_index(self) -> int | None:
        """Index of the packet that goes out next; None when all have gone."""
        if not self._waiting:
            return None
        piece = self._waiting[0]
        return piece.burst.index + piece.burst.runs[piece.start][0]

    def get_timer(self) -> float | None:
        """Return when something is due next."""
        if not self._waiting:
            return None
        piece = self._waiting[0]
        return piece.burst.due[piece.start]

    def _hurry(self, now: float) -> None:
        """Let everything that waits go at once."""
        for piece in self._waiting:
            piece.burst.due = [min(due, now) for due in piece.burst.due]
