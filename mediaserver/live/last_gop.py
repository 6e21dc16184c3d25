"""The newest pictures of a source, from which its last one can be decoded."""

from __future__ import annotations

from media.packet import Packet

MAX_BYTES = 8 << 20
"""Of the packets since the keyframe: 10 s at 6 Mbit/s."""

MAX_PACKETS = 300
"""10 s at 30 frames a second; decoding more for one picture would take seconds."""


class LastGop:
    """Keeps the packets since the last keyframe; of a GOP that is too long, its keyframe alone."""

    def __init__(self) -> None:
        self._packets: list[Packet] = []
        self._bytes = 0
        self._is_too_long = False

    @property
    def packets(self) -> list[Packet]:
        """What there is, a keyframe first."""
        return list(self._packets)

    def receive(self, packet: Packet) -> None:
        """Take a packet of the main video."""
        if packet.is_keyframe:
            self._packets.clear()
            self._bytes = 0
            self._is_too_long = False
        elif self._is_too_long or not self._packets:
            return
        self._packets.append(packet)
        self._bytes += len(packet.data)
        if len(self._packets) > MAX_PACKETS or self._bytes > MAX_BYTES:
            del self._packets[1:]
            self._is_too_long = True
