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
    rtx_ssrc: int | None = None
    """Where the peer repeats the packets of `ssrc`, if it says so."""
    flags: frozenset[str] = frozenset()
    """Which of `rtcp-rsize` and `rtcp-mux-only` the peer has set."""
    protocol: str = "UDP/TLS/RTP/SAVPF"
    formats: tuple[str, ...] = ()
    """As they stand in the m-line, to be repeated where it is rejected."""

    @property
    def is_received(self) -> bool:
        """Whether the peer takes media in this section."""
        return self.direction in ("recvonly", "sendrecv")

    @property
    def is_sent(self) -> bool:
        """Whether the peer sends media in this section."""
        return self.direction in ("sendonly", "sendrecv")


@dataclass(frozen=True, slots=True)
class PeerDescription:
    """What a peer's offer or answer says, checked."""

    media: tuple[MediaSection, ...]
    ice: IceCredentials
    fingerprints: tuple[Fingerprint, ...]
    setup: str
    """`actpass`, `active`, `passive`."""
    bundle: tuple[str, ...] = ()
    """Names (mid) of the sections that share one transport; empty when there is only one, which need not say so."""

    @property
    def is_servable(self) -> bool:
        """Whether a viewer gets what it asks for: pictures when it asks for any, else sound."""
        receiving = [item for item in self.media if item.is_received]
        needed = "video" if any(item.kind == "video" for item in receiving) else "audio"
        return any(item.kind == needed and item.codec is not None for item in receiving)

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


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a peer tells of its ICE alone (RFC 8840, 9)."""

    ice: IceCredentials | None
    """None: those of the description still count."""
    sections: tuple[FragmentSection, ...] = ()
    bundle: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    """Values of `a=candidate`. An agent of the lite kind needs none of them (RFC 8445, 2.5)."""
    is_complete: bool = False
    """Whether no more will follow (`a=end-of-candidates`)."""


class FragmentSection(NamedTuple):
    """An m-line of a fragment, which says no more than whose candidates follow."""

    kind: str
    protocol: str
    formats: tuple[str, ...]
    mid: str
