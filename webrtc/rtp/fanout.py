"""Sends the packets of a frame to all who get them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Protocol

from webrtc.rtp.burst import Batch
from webrtc.rtp.line import Line, Path, Protection
from webrtc.rtp.native_fanout import NativeFanOut, NativeSocket
from webrtc.rtp.python_fanout import PythonFanOut


class FanOut(Protocol):
    """Sends through one UDP socket. Nothing here raises: what a peer's route makes of a packet is no reason to stop."""

    is_native: bool
    """Whether the inner loop runs in C."""

    def send(self, batches: Sequence[Batch], lines: Sequence[Line]) -> list[Line]:
        """Send batches of one variant to all `lines`, in this order on each.

        Returns:
            the lines for which the kernel refused a batch; what would have followed was not sent there either.
        """

    def send_packet(self, line: Line, packet: bytes) -> bool:
        """Protect and send one RTP packet as it is; False when the kernel refused it."""

    def send_rtcp(self, srtp: Protection, route: Path, packet: bytes) -> bool:
        """Protect and send RTCP packets; False when the kernel refused them."""


def make_fanout(sock: NativeSocket) -> FanOut:
    """Return the native fan-out where it has been built and `MEDIASERVER_NATIVE` is not 0, else the one in Python.

    Args:
        sock: UDP socket that does not block.
    """
    if os.environ.get("MEDIASERVER_NATIVE", "1") != "0":
        with contextlib.suppress(OSError):
            return NativeFanOut(sock)
    return PythonFanOut(sock)
