"""Media that comes faster than time passes: a file sent without `-re`. Pure."""

from __future__ import annotations

from media.packet import CLOCK_HZ, Packet

from .clock import MAX_STEP_AHEAD

AHEAD_S = 5.0
"""How far media may run ahead of time: encoders start with a burst, and a stalled network catches up."""

MAX_DEFICIT_S = 60.0
"""How long a stall may be and still be caught up with at full speed."""

LEAK = 1.01
"""How fast being ahead is forgotten: clocks of encoders run up to some hundred millionths fast."""

MAX_HOLD_S = 5.0
"""How long a connection is left alone at a time: what is not read cannot be seen to be lost."""


class Throttle:
    """Tells how long to wait before more of a source is read.

    Args:
        now: seconds on a clock that never steps back.
    """

    def __init__(self, now: float) -> None:
        self._now = now
        self._newest: int | None = None
        self._ahead_s = 0.0

    def receive(self, packet: Packet, now: float) -> None:
        """Count a packet with its source's timestamps, which came at `now`."""
        self._pass_time(now)
        step = packet.dts - self._newest if self._newest is not None else 0
        if self._newest is None or abs(step) > MAX_STEP_AHEAD:
            self._newest = packet.dts
        elif step > 0:  # audio and video interleave: a small step back is the other one's
            self._newest = packet.dts
            self._ahead_s += step / CLOCK_HZ

    def _pass_time(self, now: float) -> None:
        elapsed_s, self._now = now - self._now, now
        leak = LEAK if self._ahead_s > 0 else 1.0
        self._ahead_s = max(-MAX_DEFICIT_S, self._ahead_s - elapsed_s * leak)

    @property
    def wait_s(self) -> float:
        """How long the source should be held back now, in seconds."""
        return min(MAX_HOLD_S, max(0.0, self._ahead_s - AHEAD_S))
