"""What the server and a WebRTC process say to each other, as values. `webrtc.wire` turns them into bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from media.packet import AudioTrack, VideoTrack
from webrtc.port import Rung, VideoFrame


@dataclass(frozen=True, slots=True)
class Listen:
    """Server, once: where to listen."""

    host: str
    port: int
    """0: any free one."""
    addresses: tuple[str, ...]
    """To announce; empty: those of this machine."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Worker: it listens, on this UDP port; a `fault` says why not."""

    port: int
    addresses: tuple[str, ...] = ()
    is_native: bool = False
    """Whether the fan-out is the one in C."""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Declare:
    """Server: which rungs a stream has, best first."""

    stream: str
    rungs: tuple[Rung, ...]


@dataclass(frozen=True, slots=True)
class Forget:
    """Server: a stream is over; so are the sessions of its viewers."""

    stream: str


@dataclass(frozen=True, slots=True)
class Video:
    """Server: a frame of a stream's rung."""

    stream: str
    rung: str
    frame: VideoFrame


@dataclass(frozen=True, slots=True)
class Audio:
    """Server: an Opus packet of a stream; `pts` in ticks of 90 kHz."""

    stream: str
    pts: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Offer:
    """Server: a viewer's offer for a stream that has been declared."""

    call: int
    """Number that the reply repeats."""
    stream: str
    session: str
    sdp: str


@dataclass(frozen=True, slots=True)
class Accept:
    """Server: a viewer's answer to a counter-offer."""

    call: int
    session: str
    sdp: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Server: the offer of somebody who publishes."""

    call: int
    session: str
    sdp: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Server: a peer's ICE restart, as an SDP fragment (RFC 8840)."""

    call: int
    session: str
    fragment: str


@dataclass(frozen=True, slots=True)
class Choose:
    """Server: a viewer wants this rung and no other; None: whatever suits the network."""

    call: int
    session: str
    rung: str | None


@dataclass(frozen=True, slots=True)
class End:
    """Server: a session is over."""

    session: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Worker: what has become of a call: a description, or nothing more to say."""

    call: int
    sdp: str = ""
    etag: str = ""
    """Of the ICE session, with its quotes."""
    is_counter_offer: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Worker: a call cannot be answered."""

    call: int
    kind: str
    """`peer`: the other side erred; `capacity`: not now; else the code of a `StreamError`."""
    detail: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Worker: which rungs its viewers of a stream get or wait for, and how many each."""

    stream: str
    rungs: Mapping[str, int]
    audio: bool


@dataclass(frozen=True, slots=True)
class KeyframeWanted:
    """Worker: a keyframe of a rung would help, behind this place on the timeline."""

    stream: str
    rung: str
    after_pts: int


@dataclass(frozen=True, slots=True)
class Connected:
    """Worker: a peer has proven who it is; media flows."""

    session: str


@dataclass(frozen=True, slots=True)
class RungChanged:
    """Worker: what a viewer gets now; None: nothing at present."""

    session: str
    rung: str | None


@dataclass(frozen=True, slots=True)
class Ended:
    """Worker: a session is over."""

    session: str
    reason: str
    is_clean: bool
    """Whether the peer said goodbye."""


@dataclass(frozen=True, slots=True)
class PublishedTrack:
    """Worker: what the frames of this kind that follow belong to."""

    session: str
    track: VideoTrack | AudioTrack


@dataclass(frozen=True, slots=True)
class PublishedFrame:
    """Worker: an access unit of a publisher; times in ticks of 90 kHz, data as in `Packet`."""

    session: str
    is_video: bool
    is_keyframe: bool
    pts: int
    data: bytes


@dataclass(frozen=True, slots=True)
class PublishedLoss:
    """Worker: so many frames of a publisher were lost before the next one."""

    session: str
    count: int


@dataclass(frozen=True, slots=True)
class Counters:
    """Worker, each second, also as a sign of life: what it has counted since it began, by name."""

    values: Mapping[str, int]


Call = Offer | Accept | Publish | Restart | Choose
"""What is answered by `Reply` or `Refused`."""

Message = (
    Listen | Listening | Declare | Forget | Video | Audio | Call | End | Reply | Refused | Wanted | KeyframeWanted
    | Connected | RungChanged | Ended | PublishedTrack | PublishedFrame | PublishedLoss | Counters
)  # fmt: skip
