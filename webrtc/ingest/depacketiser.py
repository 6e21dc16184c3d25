"""From RTP payloads to access units of H.264 (RFC 6184, non-interleaved mode)."""

from __future__ import annotations

from collections.abc import Iterator

from media.error import PeerError
from media.h264 import NAL_IDR, NAL_SPS, nal_type
from media.nal import MAX_NALS

from .packet import AccessUnit, MediaPacket

MAX_ACCESS_UNIT_BYTES = 8 << 20
"""A keyframe of 8K has about 2 MB; one that is larger still is left out."""

NAL_AUD = 9

_STAP_A, _FU_A = 24, 28
_INTERLEAVED = {25: "STAP-B", 26: "MTAP16", 27: "MTAP24", 29: "FU-B"}
_SLICES = range(1, 6)
_FU_START, _FU_END = 0x80, 0x40


class Depacketiser:
    """Puts access units together, by timestamp and marker, and lets only those pass that can be decoded.

    What refers to a picture that was lost decodes to a broken one, and HLS and recordings would keep it for ever. So
    behind a hole everything is left out up to the next IDR picture, which `has_lost` says to ask for. A
    viewer sees a picture that stands still for a moment.
    """

    def __init__(self) -> None:
        self.waits_for_keyframe = True
        """Whether nothing passes before an IDR picture."""
        self.has_lost = False
        """Whether that is so because something was left out, and not because nothing has come yet."""
        self.dropped = 0
        """Access units that were left out since the first one that passed; each hole counts as one at least."""
        self._has_passed = False
        self._is_continuous = False
        """Whether the packet before is known, so that a new timestamp begins an access unit."""
        self._timestamp: int | None = None
        """Of the access unit that is open; None between two."""
        self._arrived_at = 0.0
        self._is_intact = True
        """Whether all of it has come so far."""
        self._nals: list[bytes] = []
        self._fragments: list[bytes] = []
        self._size = 0

    def require_keyframe(self) -> None:
        """Let nothing pass before the next IDR picture."""
        self.waits_for_keyframe = self.has_lost = True

    def note_hole(self) -> None:
        """Learn that packets are missing before the next one."""
        self._is_continuous = False
        if self._timestamp is None or not self._is_intact:
            self.dropped += self._has_passed  # else the one that is open counts when it ends
        self._damage()
        self.require_keyframe()

    def receive(self, packet: MediaPacket) -> list[AccessUnit]:
        """Take the next packet; return the access units that it has completed.

        Raises:
            PeerError: it is of a kind that was not negotiated.
        """
        if not packet.payload:
            return []
        found = []
        if packet.timestamp != self._timestamp:
            found.append(self._finish())
            self._begin(packet)
        self._is_continuous = True
        self._add(packet.payload)
        if packet.is_marked:
            found.append(self._finish())
        return [unit for unit in found if unit is not None]

    def _begin(self, packet: MediaPacket) -> None:
        self._timestamp = packet.timestamp
        self._arrived_at = packet.arrived_at
        self._is_intact = self._is_continuous or _begins_unit(packet.payload)

    def _add(self, payload: bytes) -> None:
        kind = payload[0] & 0x1F
        if kind in _INTERLEAVED:
            raise PeerError(
                f"H.264 in {_INTERLEAVED[kind]} packets, which packetization-mode 1 does not have"
            )
        if not self._is_intact:
            return
        if kind == _FU_A:
            self._add_fragment(payload)
        elif self._fragments:
            self._damage()  # one is not over yet
        elif kind == _STAP_A:
            for nal in _split_aggregate(payload):
                if nal is None:
                    self._damage()
                    return
                self._add_nal(nal)
        elif kind in range(1, _STAP_A):
            self._add_nal(payload)
        # Receivers leave out types 0, 30 and 31, which have no meaning yet (5.2).

    def _add_fragment(self, payload: bytes) -> None:
        header = payload[1] if len(payload) > 2 else 0
        is_start = bool(header & _FU_START)
        if len(payload) <= 2 or is_start == bool(self._fragments):
            self._damage()
            return
        if is_start:
            self._fragments.append(bytes([(payload[0] & 0xE0) | (header & 0x1F)]))
        self._fragments.append(payload[2:])
        self._size += len(payload)
        if header & _FU_END:
            nal = b"".join(self._fragments)
            self._fragments.clear()
            self._add_nal(nal)
        elif self._size > MAX_ACCESS_UNIT_BYTES:
            self._damage()

    def _add_nal(self, nal: bytes) -> None:
        self._nals.append(nal)
        self._size += len(nal)
        if self._size > 2 * MAX_ACCESS_UNIT_BYTES or len(self._nals) > MAX_NALS:
            self._damage()

    def _damage(self) -> None:
        """Give up the access unit that is open."""
        self._is_intact = False
        self._nals.clear()
        self._fragments.clear()
        self._size = 0

    def _finish(self) -> AccessUnit | None:
        """Close the access unit that is open; return it if it may pass."""
        if self._timestamp is None:
            return None
        timestamp, self._timestamp = self._timestamp, None
        is_whole = self._is_intact and not self._fragments
        nals = tuple(self._nals)
        self._damage()
        if not is_whole:
            self.require_keyframe()
            self.dropped += self._has_passed
            return None
        types = {nal_type(nal) for nal in nals}
        has_picture = any(kind in _SLICES for kind in types)
        is_keyframe = NAL_IDR in types
        if is_keyframe:
            self.waits_for_keyframe = self.has_lost = False
            self._has_passed = True
        elif has_picture and self.waits_for_keyframe:
            self.has_lost = True
            self.dropped += self._has_passed
            return None
        return AccessUnit(timestamp, nals, has_picture, is_keyframe, self._arrived_at)


def _begins_unit(payload: bytes) -> bool:
    """Tell whether an access unit begins here for sure, although nobody knows what was before."""
    first = payload if nal_type(payload) != _STAP_A else next(_split_aggregate(payload), None)
    return first is not None and nal_type(first) in (NAL_SPS, NAL_AUD)


def _split_aggregate(payload: bytes) -> Iterator[bytes | None]:
    """Split a STAP-A into NAL units that are not empty; None where it is cut short."""
    position, end = 1, len(payload)
    while position < end:
        start = position + 2
        position = start + int.from_bytes(payload[position:start], "big")
        if start > end or position > end:
            yield None
            return
        if position > start:
            yield payload[start:position]
