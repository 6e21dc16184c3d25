"""What two peers agree on, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"


class IceCredentials(NamedTuple):
    """User fragment and password (RFC 8839, 5.4)."""

    ufrag: str
    pwd: str


class Fingerprint(NamedTuple):
    """Of a certificate (RFC 8122)."""

    algorithm: str
    """`sha-256`, lower case."""
    value: str
    """Upper case hexadecimal pairs with colons."""


class Candidate(NamedTuple):
    """Where this server listens."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Codec:
    """One codec with the numbers that the peer gave it."""

    name: str
    """`h264` or `opus`."""
    payload_type: int
    fmtp: str = ""
    rtx_payload_type: int | None = None
    feedback: frozenset[str] = frozenset()
    """As in `a=rtcp-fb`: `nack`, `nack pli`, `ccm fir`, `goog-remb`."""


@dataclass(frozen=True, slots=True)
class MediaSection:
    """One m-line."""

    mid: str
    kind: str
    """`video`, `audio`; another word for what is not understood."""
    codec: Codec | None
    """The best one that we have too; None: the section is rejected."""
    direction: str
    """`sendrecv`, `sendonly`, `recvonly`, `inactive`, from the peer's view."""
    extensions: Mapping[str, int] = field(default_factory=dict)
    """Header extensions that both know: numbers by URI."""
    ssrc: int | None = None
    """First one that the peer announces for this section."""
    protocol: str = "UDP/TLS/RTP/SAVPF"
    formats: tuple[str, ...] = ()
    """As they stand in the m-line, to be repeated where it is rejected."""


@dataclass(frozen=True, slots=True)
class PeerDescription:
    """What a peer's offer or answer says, checked."""

    media: tuple[MediaSection, ...]
    ice: IceCredentials
    fingerprints: tuple[Fingerprint, ...]
    setup: str
    """`actpass`, `active`, `passive`."""

    def section(self, kind: str) -> MediaSection | None:
        """Return the first section of this kind that has a codec and was not disabled."""
        return next((item for item in self.media if item.kind == kind and item.codec is not None), None)


@dataclass(frozen=True, slots=True)
class SentTrack:
    """What we send in one section."""

    ssrc: int
    rtx_ssrc: int | None = None


@dataclass(frozen=True, slots=True)
class LocalDescription:
    """What this server says of itself."""

    ice: IceCredentials
    fingerprint: Fingerprint
    candidates: tuple[Candidate, ...]
    tracks: Mapping[str, SentTrack] = field(default_factory=dict)
    """By kind; empty when we only receive (WHIP)."""
    msid: str = ""
    """Name of the media stream that all tracks belong to."""
    cname: str = ""
