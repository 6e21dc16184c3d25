"""Packets of one stream in the order in which they were sent, and which of them to ask for again."""

from __future__ import annotations

from media.error import LocalStateError

from .packet import Hole, MediaPacket
from .unwrapper import Unwrapper

MAX_JUMP = 3000
"""A number that far away is no packet that was late or overtook others (RFC 3550, A.1, MAX_DROPOUT), but that of a
sender that began anew, if the next number follows."""

MAX_ASKED = 256
"""A hole of more packets is a blackout: all of them again would only prolong it, a keyframe is smaller."""

MAX_HELD_PACKETS = 4096
MAX_HELD_BYTES = 8 << 20
"""What may wait behind a hole: 0.4 s of 100 Mbit/s have 5 MB."""

FIRST_RTT_S = 0.1
"""Until a repeated packet has told better."""

MIN_WAIT_S, MAX_WAIT_S = 0.1, 0.4
"""How long a missing packet is waited for: three round trips, so that the request or its answer may get lost once.

To give up is dear: everything up to the next keyframe is lost for all viewers and for the recording, and that takes a
round trip and an encoder's time as well. So waiting is bounded by what a live viewer notices, not by what one round
trip takes; nothing waits while nothing is missing."""

REORDER_WAIT_S = 0.06
"""The same where nothing is sent again: packets may still overtake each other."""

MIN_ASK_INTERVAL_S = 0.02


class _Missing:
    """A packet that others have overtaken."""

    __slots__ = ("asked_at", "asks", "give_up_at")

    def __init__(self, give_up_at: float) -> None:
        self.give_up_at = give_up_at
        self.asked_at: float | None = None
        self.asks = 0


class JitterBuffer:
    """Holds packets back while older ones may still come.

    Args:
        is_repaired: whether the sender repeats what it is asked for.
    """

    def __init__(self, *, is_repaired: bool) -> None:
        self._is_repaired = is_repaired
        self._unwrapper = Unwrapper(16)
        self._held: dict[int, MediaPacket] = {}
        self._held_bytes = 0
        self._missing: dict[int, _Missing] = {}
        self._has_begun = False
        self._next = 0
        """Number of the packet that goes out next."""
        self._highest = 0
        self._restart_at: int | None = None
        """Number with which a sender that seems to have begun anew would go on."""
        self._is_broken = False
        """Whether the sender has begun anew since the last packet that went out."""
        self.rtt_s = FIRST_RTT_S
        """To the sender and back, as far as its repetitions have shown."""
        self.duplicate = 0
        self.late = 0
        self.repaired = 0
        """Packets that came after they had been missed."""

    def insert(
        self, number: int, timestamp: int, payload: bytes, now: float, *, is_marked: bool, is_repeated: bool
    ) -> int | None:
        """Take a packet.

        Args:
            number: its sequence number, 16 bits.
            timestamp: its timestamp, 32 bits.
            payload: without padding.
            now: when it came.
            is_marked: whether it has the marker.
            is_repeated: whether it came as a retransmission.

        Returns:
            Its number without wraps; None for a packet that counts as none.
        """
        sequence = self._unwrapper.peek(number)
        if not self._has_begun:
            self._begin(sequence)
        elif abs(sequence - self._highest) > MAX_JUMP and not self._has_restarted(sequence, is_repeated):
            return None
        if sequence < self._next:
            self.late += 1
        elif sequence in self._held:
            self.duplicate += 1
        else:
            self._hold(MediaPacket(sequence, timestamp, is_marked, payload, now), now)
        return sequence

    def pop(self, now: float) -> MediaPacket | Hole | None:
        """Take out what is next: a packet, or the news that some will not come; None while there is nothing."""
        if not self._held:
            return None
        if self._is_broken:
            self._is_broken = False
            return Hole(1)
        packet = self._held.pop(self._next, None)
        if packet is not None:
            self._held_bytes -= len(packet.payload)
            self._next += 1
            return packet
        if now < self._missing[self._next].give_up_at and not self._is_full:
            return None
        count = 0
        while self._next not in self._held:
            del self._missing[self._next]
            self._next += 1
            count += 1
        return Hole(count)

    def restart(self) -> None:
        """Forget everything: the next packet is of another source."""
        self._held.clear()
        self._held_bytes = 0
        self._missing.clear()
        self._has_begun = False
        self._restart_at = None
        self._is_broken = True

    def ask(self, now: float) -> list[int]:
        """List the numbers, 16 bits each, of packets to ask for now, in their order."""
        if not self._is_repaired or not self._missing:
            return []
        found = []
        for sequence, missing in self._missing.items():
            if self._ask_at(missing) <= now < missing.give_up_at:
                missing.asked_at = now
                missing.asks += 1
                found.append(sequence & 0xFFFF)
        return found

    def get_timer(self) -> float | None:
        """Say when something is due that no packet brings."""
        if not self._missing:
            return None
        due = next(iter(self._missing.values())).give_up_at
        if not self._is_repaired:
            return due
        asks = ((self._ask_at(missing), missing.give_up_at) for missing in self._missing.values())
        return min([due, *(at for at, give_up_at in asks if at < give_up_at)])

    @property
    def wait_s(self) -> float:
        """How long a missing packet is waited for."""
        if not self._is_repaired:
            return REORDER_WAIT_S
        return min(MAX_WAIT_S, max(MIN_WAIT_S, 3 * self.rtt_s))

    @property
    def _is_full(self) -> bool:
        return len(self._held) > MAX_HELD_PACKETS or self._held_bytes > MAX_HELD_BYTES

    def _ask_at(self, missing: _Missing) -> float:
        if missing.asked_at is None:
            return 0.0  # at once: on the way to a server packets hardly ever overtake each other
        return missing.asked_at + max(MIN_ASK_INTERVAL_S, 1.1 * self.rtt_s)

    def _has_restarted(self, sequence: int, is_repeated: bool) -> bool:
        """Tell whether a number from far away is believed: the second in a row is."""
        if is_repeated:
            return False
        if sequence != self._restart_at:
            self._restart_at = sequence + 1
            return False
        self.restart()
        self._begin(sequence)
        return True

    def _begin(self, sequence: int) -> None:
        self._has_begun = True
        self._next, self._highest = sequence, sequence - 1

    def _hold(self, packet: MediaPacket, now: float) -> None:
        sequence = packet.sequence
        if sequence > self._highest:
            self._miss(range(self._highest + 1, sequence), now)
            self._highest = self._unwrapper.unwrap(sequence & 0xFFFF)
        else:
            self._found(sequence, now)
        self._held[sequence] = packet
        self._held_bytes += len(packet.payload)

    def _miss(self, sequences: range, now: float) -> None:
        give_up_at = now + self.wait_s if len(sequences) <= MAX_ASKED else 0.0
        for sequence in sequences:
            self._missing[sequence] = _Missing(give_up_at)

    def _found(self, sequence: int, now: float) -> None:
        missing = self._missing.pop(sequence, None)
        if missing is None:
            raise LocalStateError(f"packet {sequence} was neither held nor missing")
        self.repaired += 1
        if missing.asks == 1 and missing.asked_at is not None:
            # Asked for more than once, nobody knows which request was answered (Karn's rule).
            self.rtt_s += (now - missing.asked_at - self.rtt_s) / 4
