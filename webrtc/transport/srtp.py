"""SRTP and SRTCP of one peer, both directions, over libsrtp."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pylibsrtp
from pylibsrtp import Policy, Session

from media.error import PeerError
from webrtc.transport.pinned import session_pointer

MAX_SOURCES = 32
"""SSRCs that a peer may use, RTP and RTCP together: libsrtp keeps a replay window for each, for ever. A browser that
publishes uses two for video and one for audio."""
_REPLAY_WINDOW = 1024
"""Packets by which order may differ, also of what is sent: a retransmission comes that late."""


class Profile(NamedTuple):
    """A kind of protection (RFC 5764, 4.1.2; RFC 7714, 14.2)."""

    name: bytes
    """For OpenSSL."""
    policy: int
    """For libsrtp."""
    key_bytes: int
    salt_bytes: int
    overhead: int
    """Bytes that an RTP packet grows by."""

    @property
    def master_bytes(self) -> int:
        """Key and salt of one direction together."""
        return self.key_bytes + self.salt_bytes

    def split(self, material: bytes) -> tuple[bytes, bytes]:
        """Split what DTLS exports into the client's and the server's key, each with its salt (RFC 5764, 4.2)."""
        key, salt = self.key_bytes, self.salt_bytes
        salts = material[2 * key :]
        return material[:key] + salts[:salt], material[key : 2 * key] + salts[salt : 2 * salt]


PROFILES = (
    Profile(b"SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12, 16),
    Profile(b"SRTP_AEAD_AES_256_GCM", Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12, 16),
    Profile(b"SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14, 10),
)
"""Best first: AES-GCM takes half the time of the one with SHA-1, which every peer has."""


class Srtp:
    """Protects what goes to a peer and unprotects what comes from it.

    Args:
        profile: what DTLS agreed on.
        tx_key: our key with its salt.
        rx_key: the peer's key with its salt.
    """

    __slots__ = ("_rx", "_sources", "_tx", "overhead", "tx_pointer")

    def __init__(self, profile: Profile, tx_key: bytes, rx_key: bytes) -> None:
        self.overhead = profile.overhead
        """Bytes that an RTP packet grows by."""
        self._tx = Session(_policy(profile, tx_key, Policy.SSRC_ANY_OUTBOUND))
        self._rx = Session(_policy(profile, rx_key, Policy.SSRC_ANY_INBOUND))
        self.tx_pointer: Any = session_pointer(self._tx)
        """`srtp_t` of the sending direction, for `srtp_protect` in place; valid as long as this object lives."""
        self._sources: set[bytes] = set()

    def protect_rtp(self, packet: bytes) -> bytes:
        """Protect a packet; the same one any number of times."""
        return self._tx.protect(packet)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Protect RTCP packets that go out together."""
        return self._tx.protect_rtcp(packet)

    def unprotect_rtp(self, packet: bytes) -> bytes:
        """Return a packet's plain form.

        Raises:
            PeerError: it is not the peer's, or came before.
        """
        return self._unprotect(self._rx.unprotect, packet, packet[8:12])

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Return the plain form of RTCP packets.

        Raises:
            PeerError: they are not the peer's, or came before.
        """
        return self._unprotect(self._rx.unprotect_rtcp, packet, packet[4:8])

    def _unprotect(self, unprotect: Callable[[bytes], bytes], packet: bytes, ssrc: bytes) -> bytes:
        is_known = ssrc in self._sources
        if not is_known and len(self._sources) >= MAX_SOURCES:
            raise PeerError(f"more than {MAX_SOURCES} sources")
        try:
            plain = unprotect(packet)
        except (pylibsrtp.Error, ValueError) as problem:  # ValueError: it is too long
            raise PeerError(f"SRTP: {problem}") from problem
        if not is_known:
            self._sources.add(ssrc)
        return plain


def _policy(profile: Profile, key: bytes, ssrc_type: int) -> Policy:
    policy = Policy(key=key, ssrc_type=ssrc_type, srtp_profile=profile.policy)
    policy.allow_repeat_tx = True
    policy.window_size = _REPLAY_WINDOW
    return policy
