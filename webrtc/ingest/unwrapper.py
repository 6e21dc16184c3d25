"""Numbers that wrap (RTP's sequence numbers and timestamps) as numbers that do not."""

from __future__ import annotations


class Unwrapper:
    """Reads each number as the one next to the last, ahead or back (RFC 1982).

    Args:
        bits: of the numbers: 16 for sequence numbers, 32 for timestamps.
    """

    def __init__(self, bits: int) -> None:
        self._size = 1 << bits
        self._last: int | None = None

    def unwrap(self, value: int) -> int:
        """Return what a number stands for; the next one is read beside it."""
        self._last = self.peek(value)
        return self._last

    def peek(self, value: int) -> int:
        """Return what a number stands for, and do not go there."""
        if self._last is None:
            return value
        step = (value - self._last) % self._size
        return self._last + (step - self._size if step >= self._size // 2 else step)
