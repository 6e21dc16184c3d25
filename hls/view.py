"""What delivery sees of a broadcast: immutable values that could as well cross a Unix socket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain


@dataclass(frozen=True, slots=True)
class PartView:
    """A partial segment."""

    duration_s: float
    is_independent: bool
    is_gap: bool
    """Whether its media was lost; then it has no bytes."""


@dataclass(frozen=True, slots=True)
class SegmentView:
    """A segment with its parts so far."""

    msn: int
    generation: int
    """Of its addresses."""
    has_init: bool
    """Whether an initialization segment of this generation exists; without one all of it is a gap."""
    program_date_time: float
    """Of its start, in seconds since the epoch."""
    start: int
    """On the broadcast's timeline, in ticks: when its first picture is shown."""
    is_discontinuity: bool
    is_complete: bool
    parts: tuple[PartView, ...]

    @property
    def duration_s(self) -> float:
        """Length of what is there."""
        return sum(part.duration_s for part in self.parts)

    @property
    def is_gap(self) -> bool:
        """Whether all of it is lost."""
        return all(part.is_gap for part in self.parts)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class PastView:
    """Segments in a row that have settled: what the playlist says of them does not change while this object lives."""

    segments: tuple[SegmentView, ...]
    duration_s: float


@dataclass(frozen=True, slots=True)
class PartAddress:
    """Names the bytes of a part."""

    generation: int
    msn: int
    part: int


@dataclass(frozen=True, slots=True)
class Report:
    """How far another rendition is (EXT-X-RENDITION-REPORT)."""

    name: str
    last_msn: int
    last_part: int


@dataclass(frozen=True, slots=True)
class RenditionView:
    """A rendition as its media playlist shows it."""

    name: str
    version: int
    """Rises with every change."""
    media_sequence: int
    discontinuity_sequence: int
    past: tuple[PastView, ...]
    """What is listed before `segments`, in stretches that stay the same objects from version to version."""
    segments: tuple[SegmentView, ...]
    """The newest ones."""
    hint: PartAddress | None
    """The part that comes next, when that is certain."""
    reports: tuple[Report, ...]
    is_ended: bool
    newest_msn: int
    """Of the broadcast's newest segment that has a part, on whichever rendition."""

    @property
    def listed(self) -> Iterator[SegmentView]:
        """All segments that the playlist lists, oldest first."""
        return chain(*(past.segments for past in self.past), self.segments)


@dataclass(frozen=True, slots=True)
class VariantView:
    """A video rung as the multivariant playlist shows it."""

    name: str
    width: int
    height: int
    frame_rate: Fraction
    codecs: str
    """Of the video alone."""
    bandwidth_bps: int
    """Peak, audio included."""
    average_bandwidth_bps: int
    is_active: bool = True
    """Whether it is made whether or not somebody asks for it."""


@dataclass(frozen=True, slots=True)
class AudioView:
    """The audio rendition as the multivariant playlist shows it."""

    name: str
    codecs: str
    channels: int
    bandwidth_bps: int


@dataclass(frozen=True, slots=True)
class MultivariantView:
    """All renditions of a broadcast."""

    variants: tuple[VariantView, ...]
    audio: AudioView | None
    has_keyframe_playlists: bool = True
    """Whether rungs have I-frame playlists."""
