"""A viewer's side of a line: a real socket, and the keys."""

from __future__ import annotations

import socket

from webrtc.rtp.burst import Burst
from webrtc.rtp.flow import Flow
from webrtc.rtp.line import Line
from webrtc.rtp.variant import Variant
from webrtc.transport.route import Route
from webrtc.transport.srtp import PROFILES, Srtp

VARIANT = Variant(payload_type=102, abs_send_time_id=3)
PLAIN = Variant(payload_type=96, abs_send_time_id=0)
VIDEO_SSRC = 0xDEADBEEF


def open_socket(host: str, *, is_dual: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not is_dual)
    sock.bind((host, 0))
    sock.setblocking(False)
    return sock


class Receiver:
    """Args: profile: index into the SRTP profiles; key: tells viewers' keys apart."""

    def __init__(
        self, host: str = "127.0.0.1", profile: int = 0, key: int = 1, variant: Variant = VARIANT
    ) -> None:
        chosen = PROFILES[profile]
        size = chosen.key_bytes + chosen.salt_bytes
        ours, theirs = bytes([key]) * size, bytes(size)
        self.srtp = Srtp(chosen, theirs, ours)
        self.sending = Srtp(chosen, ours, theirs)
        self.socket = open_socket(host)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.variant = variant

    def line(self, offset: int = 0, route: Route | None = None) -> Line:
        return Line(self.sending, route or Route(self.socket.getsockname()), self.variant, offset)

    def datagrams(self) -> list[bytes]:
        """Take what has come; loopback delivers before `sendmsg` returns."""
        found: list[bytes] = []
        while True:
            try:
                found.append(self.socket.recv(1 << 16))
            except BlockingIOError:
                return found

    def packets(self) -> list[bytes]:
        return [self.srtp.unprotect_rtp(datagram) for datagram in self.datagrams()]


def make_flow(first_index: int = 0, keep_s: float = 1.0, max_bytes: int = 1 << 20) -> Flow:
    return Flow(VIDEO_SSRC, 1000, 90_000, first_index=first_index, keep_s=keep_s, max_bytes=max_bytes)


def make_burst(*sizes: int, first_index: int = 0) -> Burst:
    """Make a frame of payloads of these sizes, each of other content."""
    payloads = [
        bytes([0x41, number % 256]) * (size // 2) + bytes(size % 2) for number, size in enumerate(sizes)
    ]
    return make_flow(first_index).add(payloads, 3000, 10.0, is_keyframe=False)
