"""Time: rescaling between clocks and unwrapping of timestamps that roll over."""

from __future__ import annotations

WRAP = 1 << 32
_HALF = WRAP // 2


def rescale(value: int, numerator: int, denominator: int) -> int:
    """Compute ``value * numerator / denominator``, rounded half up, in exact integers."""
    return (2 * value * numerator + denominator) // (2 * denominator)


class TimestampUnwrapper:
    """Turns 32-bit timestamps that roll over (every 49.7 days in milliseconds) into ever-growing integers.

    The difference to the last timestamp is read as signed 32-bit (RFC 1982 serial arithmetic), so a small step
    back stays a small step back.
    """

    def __init__(self) -> None:
        self._last: int | None = None

    def unwrap(self, timestamp: int) -> int:
        """Return the unwrapped value of a timestamp of 32 bits."""
        last = timestamp if self._last is None else self._last
        delta = timestamp - last
        if not -_HALF <= delta < _HALF:
            delta = (delta + _HALF) % WRAP - _HALF
        self._last = unwrapped = last + delta
        return unwrapped
