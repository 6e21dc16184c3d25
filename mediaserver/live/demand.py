"""Which rungs somebody watches, by what is asked for. Pure."""

from __future__ import annotations

from collections import deque

LINGER_S = 30.0
"""How long a rung is wanted behind the last request: players that switch up and down come back within."""

RECENT_S = 10.0
MAX_NOTES = 2_000
"""Requests of one rung that are looked at for its value; so many viewers in ten seconds are many."""


WATCHED_S = 15.0
"""How long viewers who get a rung as it is made count behind the last word of them; it is repeated every 10 s."""

VIEWER_REQUESTS = 2.0
"""A second: what a viewer of low-latency HLS asks for, a part each half of one. So one of WebRTC counts as much."""


class Demand:
    """Remembers when each rung was asked for; `now` is seconds on any clock that never goes back."""

    def __init__(self) -> None:
        self._requests: dict[str, deque[float]] = {}
        self._viewers: dict[str, tuple[int, float]] = {}  # of whom we have been told, and when
        self.pinned: str | None = None
        """The rung that is wanted whoever asks."""

    def note(self, name: str, now: float) -> None:
        """Take note of a request for a segment, a part or a hint of a rung."""
        self._requests.setdefault(name, deque(maxlen=MAX_NOTES)).append(now)

    def note_viewers(self, name: str, count: int, now: float) -> None:
        """Take note of how many viewers get a rung as it is made, and ask for nothing; again every few seconds."""
        if count:
            self.note(name, now)
        self._viewers[name] = count, now

    def has_viewers(self, name: str, now: float) -> bool:
        """Tell whether somebody gets a rung as it is made, or waits for it."""
        return self._viewer_count(name, now) > 0

    def pin_only(self, name: str | None) -> None:
        """Want this rung whoever asks, and no other one beyond what is asked for."""
        self.pinned = name

    def wants(self, name: str, now: float) -> bool:
        """Tell whether a rung has to be made."""
        if name == self.pinned:
            return True
        requests = self._requests.get(name)
        return requests is not None and now - requests[-1] <= LINGER_S

    def rate(self, name: str, now: float) -> float:
        """Return how many requests a second there have been of late, or would have been in HLS."""
        requests = self._requests.get(name, ())
        asked = sum(1 for at in requests if now - at <= RECENT_S) / RECENT_S
        return asked + VIEWER_REQUESTS * self._viewer_count(name, now)

    def _viewer_count(self, name: str, now: float) -> int:
        count, noted = self._viewers.get(name, (0, now))
        return count if now - noted <= WATCHED_S else 0
