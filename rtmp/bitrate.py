"""A bound on how fast a peer may send."""

from __future__ import annotations


class BitrateLimit:
    """A bucket that leaks at the highest bitrate and holds what that makes in the window.

    So a burst is allowed, such as what an encoder saved up while it could not send, and a stream that stays
    above the bitrate is found after the window at the latest when it is twice as fast.

    Args:
        bitrate_bps: the highest bitrate.
        window_s: seconds.
        now: the time.
    """

    def __init__(self, bitrate_bps: float, window_s: float, now: float) -> None:
        self._rate = bitrate_bps / 8
        self._capacity = self._rate * window_s
        self._level = 0.0
        self._now = now

    def is_exceeded_by(self, size_bytes: int, now: float) -> bool:
        """Take note of bytes that came, and tell whether they are too many."""
        self._level = max(0.0, self._level - (now - self._now) * self._rate) + size_bytes
        self._now = now
        return self._level > self._capacity
