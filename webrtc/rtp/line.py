"""What one viewer gets of one kind."""

from __future__ import annotations

from typing import Any, Protocol

from webrtc.rtp.variant import Variant


class Protection(Protocol):
    """SRTP towards one peer."""

    @property
    def overhead(self) -> int:
        """Bytes that an RTP packet grows by."""

    @property
    def tx_pointer(self) -> Any:
        """`srtp_t` of libsrtp as cffi has it."""

    def protect_rtp(self, packet: bytes) -> bytes:
        """Protect one packet, the same one any number of times."""

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Protect RTCP packets that go out together."""


class Path(Protocol):
    """How a peer is reached."""

    @property
    def address(self) -> tuple[Any, ...]:
        """As for `sendto`."""

    @property
    def ancillary(self) -> tuple[tuple[int, int, bytes], ...]:
        """As for `sendmsg`."""


class Line:
    """One viewer's end of a flow.

    Args:
        offset: what his sequence numbers are ahead of the packets' indices, modulo 2**16.
    """

    __slots__ = ("_route", "native", "offset", "sent_octets", "sent_packets", "srtp", "takes_runs", "variant")

    def __init__(self, srtp: Protection, route: Path, variant: Variant, offset: int = 0) -> None:
        self.srtp = srtp
        self.variant = variant
        self.offset = offset
        self.sent_packets = 0
        self.sent_octets = 0
        """Payloads, as sender reports count them; retransmissions are not among them."""
        self.takes_runs = True
        """Whether the kernel takes several packets at a time on this route, as far as it is known."""
        self.native: Any = None
        """What the native fan-out made of this line; None: nothing yet, or no longer true."""
        self._route = route

    @property
    def route(self) -> Path:
        """How the viewer is reached; it may change while he watches."""
        return self._route

    @route.setter
    def route(self, route: Path) -> None:
        self._route = route
        self.takes_runs = True
        self.native = None
