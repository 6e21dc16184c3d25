"""What to do about a worker that died or hung. Pure."""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

MAX_CRASHES = 3
WINDOW_S = 60.0
"""Three crashes a minute that no single GOP explains: the source as a whole, or this machine, kills workers."""

MAX_SKIPS = 3
"""GOPs skipped in the same time: then it is not the GOPs either."""


class Verdict(Enum):
    """How to go on after a crash."""

    RETRY = auto()
    SKIP_GOP = auto()
    GIVE_UP = auto()


class CrashHistory:
    """Judges each crash by those before it."""

    def __init__(self) -> None:
        self._crashes: deque[float] = deque()
        self._skips: deque[float] = deque()
        self._last_gop: int | None = None

    def judge(self, now: float, gop: int | None) -> Verdict:
        """Decide about a crash at `now` (seconds) while the GOP that begins at dts `gop` was undelivered."""
        if gop is not None and gop == self._last_gop:
            # Explained: neither this crash nor the one before it counts against the source.
            self._last_gop = None
            if self._crashes:
                self._crashes.pop()
            return Verdict.GIVE_UP if _count(self._skips, now) >= MAX_SKIPS else Verdict.SKIP_GOP
        self._last_gop = gop
        return Verdict.GIVE_UP if _count(self._crashes, now) >= MAX_CRASHES else Verdict.RETRY


def _count(times: deque[float], now: float) -> int:
    times.append(now)
    while times[0] < now - WINDOW_S:
        times.popleft()
    return len(times)
