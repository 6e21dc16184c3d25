"""What is asked of segments on request, and what comes back; values without behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from media.error import LocalStateError
from media.packet import Packet, VideoTrack
from transcode.rung import RungSpec


class Priority(IntEnum):
    """Who waits; the lower goes first."""

    LIVE = 0
    REWIND = 1
    VOD = 2


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """One stretch of a source, to be encoded as one rung.

    Raises:
        LocalStateError: it holds nothing, or decoding cannot begin where its packets do.
    """

    source: str
    """Names the packets: requests of equal source that wait together are decoded once."""
    track: VideoTrack
    """Of the packets."""
    packets: Sequence[Packet]
    """In decoding order, the first one a keyframe. Pictures of HEVC that precede `end` but are sent behind the keyframe
    there are rendered when they, and that keyframe, are among them."""
    spec: RungSpec
    start: int
    """In ticks; pictures from here on are wanted, the first one becomes an IDR."""
    end: int
    """In ticks; pictures from here on are left out."""

    def __post_init__(self) -> None:
        if self.start >= self.end or not self.packets or not self.packets[0].is_keyframe:
            raise LocalStateError(f"nothing to render of {self.source} from {self.start} to {self.end}")


class RenderedFrame(NamedTuple):
    """An access unit with four-byte lengths; its dts equals its pts."""

    pts: int
    data: bytes
    is_keyframe: bool


class Rendered(NamedTuple):
    """A rung's rendering of a request. It may begin behind `start` where the source is damaged there."""

    track: VideoTrack
    frames: tuple[RenderedFrame, ...]
    """In display order; the first is an IDR."""
