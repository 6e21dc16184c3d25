"""What is done with media while nobody can take it: it is dropped up to the next keyframe, and counted."""

from __future__ import annotations

from media.packet import Packet


class Overflow:
    """Drops a publication's packets from the moment it is full to the first keyframe when it is not any more.

    Packets in between would only show a picture that is broken until that keyframe. A publication without video
    goes on at once.
    """

    def __init__(self) -> None:
        self.is_dropping = False
        self.count = 0
        """Packets dropped since `begin`."""
        self._has_video = False

    def begin(self) -> None:
        """Take note that the publication is full."""
        self.is_dropping = True
        self.count = 0

    def drops(self, packet: Packet, is_ready: bool) -> bool:
        """Tell whether a packet is to be dropped.

        Args:
            packet: the next one.
            is_ready: whether the publication takes packets again.
        """
        self._has_video |= packet.is_video
        if not self.is_dropping:
            return False
        is_start = packet.is_video and packet.is_keyframe and packet.track_id == 0
        if is_ready and (is_start or not self._has_video):
            self.is_dropping = False
            return False
        self.count += 1
        return True
