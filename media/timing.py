"""Time: rescaling between clocks and unwrapping of timestamps that roll over."""

from __future__ import annotations

WRAP = 1 << 32
HALF_WRAP = WRAP // 2

NEARLY_HALF = 10_000
"""So far (10 s in milliseconds) from `HALF_WRAP` a step may be to be a roll-over: no encoder is silent for longer."""

_PLAIN = HALF_WRAP - NEARLY_HALF
"""Smaller steps are what they say."""


def rescale(value: int, numerator: int, denominator: int) -> int:
    """Compute ``value * numerator / denominator``, rounded half up, in exact integers."""
    return (2 * value * numerator + denominator) // (2 * denominator)


class TimestampUnwrapper:
    """Turns timestamps that roll over into ever-growing integers; those of RTMP are in milliseconds.

    The difference to the last timestamp is read as signed 32-bit (RFC 1982 serial arithmetic), so a small step
    back stays a small step back. RTMP's roll over every 49.7 days, those of what is made of FLV (FFmpeg, OBS)
    every 24.9 days: they have 31 bits, since FLV's are signed.
    """

    def __init__(self) -> None:
        self._last: int | None = None

    def unwrap(self, timestamp: int) -> int:
        """Return the unwrapped value of a timestamp of 32 bits."""
        last = timestamp if self._last is None else self._last
        delta = timestamp - last
        if not -_PLAIN < delta < _PLAIN:
            delta = _step(delta % WRAP)
        self._last = unwrapped = last + delta
        return unwrapped


def _step(delta: int) -> int:
    """Read a difference modulo `WRAP` as a step ahead or back; one of nearly half of it is a roll-over of 31 bits."""
    if abs(delta - HALF_WRAP) < NEARLY_HALF:
        return delta - HALF_WRAP
    return delta - WRAP if delta > HALF_WRAP else delta
