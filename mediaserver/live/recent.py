"""The newest pictures of a source, from which an encoder can begin where the open segment does."""

from __future__ import annotations

from media.packet import Packet

MAX_BYTES = 48 << 20
"""Eight seconds at 48 Mbit/s. Beyond, whoever wants a rung waits for the next segment."""


class RecentPackets:
    """Keeps the packets of the main video from the keyframe on with which, or before which, the open segment begins."""

    def __init__(self) -> None:
        self._packets: list[Packet] = []
        self._bytes = 0
        self._start = 0

    @property
    def packets(self) -> list[Packet]:
        """What there is, a keyframe first; times on the timeline. Empty when there was too much."""
        return list(self._packets)

    def begin_segment(self, start: int) -> None:
        """Take note that a segment begins at `start`, before its first packet comes."""
        self._start = start
        keyframes = [index for index, packet in enumerate(self._packets) if packet.is_keyframe]
        if keyframes and keyframes[-1]:
            del self._packets[: keyframes[-1]]
            self._bytes = sum(len(packet.data) for packet in self._packets)

    def receive(self, packet: Packet) -> None:
        """Take a packet."""
        if packet.is_keyframe and packet.pts <= self._start:
            self.clear()
        if not self._packets and not packet.is_keyframe:
            return
        self._packets.append(packet)
        self._bytes += len(packet.data)
        if self._bytes > MAX_BYTES:
            self.clear()

    def clear(self) -> None:
        """Forget everything: another run begins."""
        self._packets.clear()
        self._bytes = 0
