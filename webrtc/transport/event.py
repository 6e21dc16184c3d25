"""What `webrtc.transport.peer.Peer` reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from webrtc.transport.route import Route


@dataclass(frozen=True, slots=True)
class Connected:
    """DTLS is done, and the certificate is the one that was announced: `peer.srtp` and `peer.route` are there."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The connected peer wants to be reached elsewhere from now on: another network, or a NAT that has forgotten it."""

    route: Route


@dataclass(frozen=True, slots=True)
class RtpReceived:
    """An RTP packet came, decrypted."""

    data: bytes


@dataclass(frozen=True, slots=True)
class RtcpReceived:
    """RTCP packets came together, decrypted."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The peer is gone. Nothing comes after this."""

    reason: str


Event: TypeAlias = Connected | Moved | RtpReceived | RtcpReceived | Ended
