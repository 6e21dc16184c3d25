"""What a flow takes, measured."""

from __future__ import annotations

from collections import deque

_WINDOW_S = 3.0
_LEAST_S = 1.0


class Rate:
    """Bits per second over the last three seconds."""

    def __init__(self) -> None:
        self._frames: deque[tuple[int, int]] = deque()
        self._size_bytes = 0

    def add(self, size_bytes: int, pts: int) -> None:
        """Count a frame at `pts`, in ticks of 90 kHz: media time, as frames that were kept arrive at once."""
        self._frames.append((pts, size_bytes))
        self._size_bytes += size_bytes
        while pts - self._frames[0][0] > _WINDOW_S * 90_000:
            self._size_bytes -= self._frames.popleft()[1]

    @property
    def bitrate_bps(self) -> int | None:
        """None as long as less than a second was counted."""
        if not self._frames:
            return None
        length_s = (self._frames[-1][0] - self._frames[0][0]) / 90_000
        return int(8 * self._size_bytes / length_s) if length_s >= _LEAST_S else None
