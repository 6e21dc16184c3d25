"""What all sessions of a WebRTC process have in common: port, certificate, addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from media.error import PeerError
from webrtc.sdp.description import Candidate, LocalDescription, SentTrack
from webrtc.sdp.fragment import parse_fragment, write_fragment
from webrtc.transport.certificate import Certificate
from webrtc.transport.ice import new_credentials
from webrtc.transport.peer import CONNECT_TIMEOUT_S, Peer
from webrtc.transport.udp import UdpPort

_TAG = str.maketrans("+/", "-_")
"""ICE's alphabet in that of entity tags."""


class Endpoint(NamedTuple):
    """Where peers come to."""

    port: UdpPort
    certificate: Certificate
    candidates: tuple[Candidate, ...]
    clock: Callable[[], float]
    """Seconds, never stepping back."""

    def make_peer(self, now: float, *, connect_timeout_s: float = CONNECT_TIMEOUT_S) -> Peer:
        """Make a peer with credentials of its own."""
        return Peer(self.certificate, new_credentials(), now, connect_timeout_s=connect_timeout_s)

    def etag(self, peer: Peer) -> str:
        """Return the entity tag of a peer's ICE session (RFC 9725, 4.3.2), without quotation marks."""
        return peer.local.ufrag.translate(_TAG)

    def describe(
        self, peer: Peer, tracks: Mapping[str, SentTrack], *, msid: str = "", cname: str = ""
    ) -> LocalDescription:
        """Say what a peer has to know of this side."""
        fingerprint = self.certificate.fingerprint
        return LocalDescription(peer.local, fingerprint, self.candidates, tracks, msid, cname)

    def restart(self, peer: Peer, fragment: str) -> tuple[str, str]:
        """Restart a peer's ICE; return the fragment with this side's credentials, and the new entity tag.

        Raises:
            PeerError: the fragment cannot be used.
        """
        asked = parse_fragment(fragment)
        if asked.ice is None:
            raise PeerError("the fragment has no ICE credentials, which a restart takes")
        peer.restart_ice(new_credentials(), asked.ice)
        self.port.flush(peer)
        return write_fragment(asked, self.describe(peer, {})), self.etag(peer)
