"""Sends the packets of a frame to all who get them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from webrtc.rtp.burst import Batch
from webrtc.rtp.line import Line, Path, Protection
from webrtc.rtp.python_fanout import PythonFanOut


class DatagramSocket(Protocol):
    """A UDP socket that does not block."""

    def fileno(self) -> int:
        """Return its descriptor."""

    def sendmsg(self, buffers: Any, ancillary: Any, flags: int, address: Any, /) -> int:
        """Send a datagram."""


class FanOut(Protocol):
    """Sends through one UDP socket. Nothing here raises: what a peer's route makes of a packet is no reason to stop."""

    def send(self, batches: Sequence[Batch], lines: Sequence[Line]) -> list[Line]:
        """Send batches of one variant to all `lines`, in this order on each.

        Returns:
            the lines for which the kernel refused a batch; what would have followed was not sent there either.
        """

    def send_packet(self, line: Line, packet: bytes) -> bool:
        """Protect and send one RTP packet as it is; False when the kernel refused it."""

    def send_rtcp(self, srtp: Protection, route: Path, packet: bytes) -> bool:
        """Protect and send RTCP packets; False when the kernel refused them."""


def make_fanout(sock: DatagramSocket) -> FanOut:
    """Return the fastest way there is here."""
    return PythonFanOut(sock)
