"""Which packet of which rung a viewer knows by a sequence number: he counts on over all changes of rung."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from webrtc.rtp.flow import Flow

_MAX_EPOCHS = 16
"""More changes than this within the second or two that flows keep happen to nobody."""


class Epoch(NamedTuple):
    """A run of packets from one flow."""

    first: int
    """The viewer's sequence number of the first one, not wrapped."""
    offset: int
    """What is added to the flow's index to have the viewer's sequence number."""
    flow: Flow


class History:
    """One viewer's, one kind's. Sequence numbers are not wrapped, unless it says so."""

    def __init__(self, first: int) -> None:
        """Begin.

        Args:
            first: below 0x8000, so that the receiver cannot miss a wrap before its first packet.
        """
        self._first = first
        self._epochs: deque[Epoch] = deque(maxlen=_MAX_EPOCHS)
        self.next_sequence = first
        """Above all that were ever used: none may be used twice for different packets, or the cipher is broken."""
        self.offset = 0
        """Of the newest epoch."""

    def begin(self, flow: Flow, index: int) -> None:
        """Let packets of `flow` from `index` on come next, without a hole.

        A viewer who comes back to where he left a flow, or to an earlier packet that he was sent, finds his old
        numbers again.
        """
        newest = self._epochs[-1] if self._epochs else None
        if newest and newest.flow is flow and newest.first <= newest.offset + index <= self.next_sequence:
            return
        self.offset = self.next_sequence - index
        self._epochs.append(Epoch(self.next_sequence, self.offset, flow))

    def note_sent(self, next_index: int) -> None:
        """Learn that all packets of the newest flow below `next_index` may have gone out."""
        self.next_sequence = max(self.next_sequence, self.offset + next_index)

    def find(self, sequence: int) -> tuple[Flow, int] | None:
        """Find what a wrapped sequence number (16 bits) stands for; None when it was never sent or is long gone."""
        back = (self.next_sequence - 1 - sequence) & 0xFFFF
        unwrapped = self.next_sequence - 1 - back
        if unwrapped < self._first or back >= 1 << 15:
            return None
        for epoch in reversed(self._epochs):
            if unwrapped >= epoch.first:
                return epoch.flow, unwrapped - epoch.offset
        return None
