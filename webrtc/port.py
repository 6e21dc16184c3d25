"""What the WebRTC room needs from the rest of the house: broadcasts to show, and who watches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from media.packet import Packet


@dataclass(frozen=True, slots=True)
class Rung:
    """A rendition that viewers may get."""

    name: str
    width: int
    height: int
    bitrate_bps: int
    """What it takes, as far as that is known: measured, else planned."""
    is_made: bool
    """Whether frames of it come now. One that is not made begins soon after somebody wants it."""
    can_force: bool
    """Whether a keyframe comes when one is asked for: an encoder of ours makes it."""


class VideoFrame(NamedTuple):
    """An access unit of H.264 without reordered pictures, on the broadcast's timeline."""

    pts: int
    """In ticks of 90 kHz."""
    is_keyframe: bool
    data: bytes
    """NAL units behind lengths of four bytes; a keyframe (IDR) has its parameter sets in front."""


class Sink(Protocol):
    """Takes what a broadcast has for WebRTC. All calls come from the event loop; none may block or raise."""

    def declare(self, rungs: Sequence[Rung]) -> None:
        """Learn which rungs there are, best first; again whenever one of them has changed."""

    def receive_video(self, rung: str, frame: VideoFrame) -> None:
        """Take a frame of a rung that is wanted."""

    def receive_audio(self, pts: int, data: bytes) -> None:
        """Take an Opus packet: 48 kHz, at most two channels, 20 ms. `pts` in ticks of 90 kHz."""

    def close(self) -> None:
        """Learn that the broadcast is over."""


class Source(Protocol):
    """A broadcast on the air."""

    def attach(self, sink: Sink) -> None:
        """Declare the rungs to `sink` and give it what is wanted from now on, until `detach`. One sink at a time."""

    def detach(self) -> None:
        """Want nothing any more."""

    def want(self, rungs: Mapping[str, int], *, audio: bool) -> None:
        """Give these rungs, which so many viewers each get or wait for, and no others.

        A rung that is wanted anew begins with the frames since its newest keyframe where they are kept (at most 2 s
        and 1 MB), at once; a rung that sleeps wakes up as if HLS had asked for it. Repeated at least every 10 s.
        """

    def force_keyframe(self, rung: str, after_pts: int) -> None:
        """Make the first frame behind `after_pts` that is not encoded yet a keyframe; not what is copied."""


class Broadcasts(Protocol):
    """Where sources are found."""

    def find_source(self, stream_id: str) -> Source | None:
        """Find a broadcast that is on the air and has media; None when there is none now."""


class Presence(Protocol):
    """Keeps a viewer present."""

    def close(self) -> None:
        """Let the viewer go."""


class Audience(Protocol):
    """Lets viewers in, and counts them."""

    async def authorize(self, stream_id: str, token: str | None) -> None:
        """Let somebody watch who may.

        Args:
            stream_id: of the stream.
            token: playback token or access token; None for somebody unknown.

        Raises:
            StreamError: `not_found`, which says nothing about streams that the viewer may not know of;
                `unauthorized`: the token is not good.
            CapacityError: that cannot be known at the moment.
        """

    async def attend(self, stream_id: str, token: str | None) -> Presence:
        """Count somebody who watches as present until what this returns is closed.

        Raises:
            StreamError, CapacityError: as `authorize`.
        """


class Publication(Protocol):
    """Takes what one publisher sends; as the RTMP room's."""

    def receive(self, packet: Packet) -> None:
        """Take a packet. Never blocks and never raises."""

    def note_dropped(self, count: int) -> None:
        """Learn that frames were lost before the one that comes next."""

    def close(self, clean: bool, reason: str) -> None:
        """End the publication, any number of times."""


class Kick(Protocol):
    """Closes a publisher's connection."""

    def __call__(self, reason: str) -> None:
        """Close it, with a sentence for people."""


class PublishGate(Protocol):
    """Says who may publish over WHIP."""

    async def authorize(self, stream_key: str) -> None:
        """Find out whether somebody with this key may publish; changes nothing.

        Raises:
            StreamError: `detail` is what the publisher gets to see.
        """

    async def publish(self, stream_key: str, peer: str, encoder: str, kick: Kick) -> Publication:
        """Let a publisher in.

        Raises:
            StreamError: it may not; `detail` is what it gets to see.
        """
