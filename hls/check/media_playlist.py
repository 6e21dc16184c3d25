"""A media playlist as values: segments, parts, and the constants of the playlist (4.4.3, 4.4.4, 4.4.5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from .attribute import Attributes
from .document import Document
from .line import Line


@dataclass(frozen=True, slots=True)
class Resource:
    """Something to fetch: an address, and bytes of it."""

    uri: str
    start: int = 0
    length: int | None = None
    """In bytes; None is the whole of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A partial segment (4.4.4.9)."""

    resource: Resource
    duration_s: float
    is_independent: bool
    is_gap: bool
    line: Line = field(compare=False)


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment, or the begin of one that has parts but no address yet."""

    msn: int
    resource: Resource | None
    """None while it is open."""
    duration_s: float | None
    """As EXTINF says; None while it is open, or when EXTINF is missing or no number."""
    duration_text: str
    parts: tuple[Part, ...]
    init: Resource | None
    date_s: float | None
    """The date that stands at this segment, in seconds since 1970."""
    discontinuity_sequence: int
    is_discontinuity: bool
    is_gap: bool
    is_encrypted: bool
    line: Line = field(compare=False)
    late_tags: tuple[Line, ...] = field(default=(), compare=False)
    """Tags of the segment that stand behind its first part."""

    @property
    def is_open(self) -> bool:
        """Whether it has no address yet."""
        return self.resource is None

    @property
    def length_s(self) -> float:
        """Duration, or what there is of it."""
        return self.duration_s if self.duration_s is not None else sum(part.duration_s for part in self.parts)


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """A media playlist."""

    document: Document
    version: int | None
    target_s: int | None
    media_sequence: int
    discontinuity_sequence: int
    skipped: int
    """Segments that EXT-X-SKIP stands for."""
    segments: tuple[Segment, ...]
    """Those with an address, behind the skipped ones."""
    open_segment: Segment | None
    """Parts behind the last segment."""
    part_target_s: float | None
    control: Attributes
    playlist_type: str
    is_ended: bool

    @property
    def all_segments(self) -> tuple[Segment, ...]:
        """Segments and the open one."""
        return self.segments if self.open_segment is None else (*self.segments, self.open_segment)

    @property
    def duration_s(self) -> float:
        """Of what is listed, without what is skipped."""
        return sum(segment.length_s for segment in self.all_segments)

    @property
    def next_msn(self) -> int:
        """The number behind the last segment that has an address."""
        return self.media_sequence + self.skipped + len(self.segments)

    @property
    def last(self) -> tuple[int, int]:
        """Number of the last segment that has begun, and index of its last part; -1 without parts."""
        if self.open_segment is not None:
            return self.open_segment.msn, len(self.open_segment.parts) - 1
        return self.next_msn - 1, len(self.segments[-1].parts) - 1 if self.segments else -1

    @property
    def is_low_latency(self) -> bool:
        """Whether it has parts."""
        return self.part_target_s is not None

    def lines(self, tag: str) -> list[Line]:
        """List the lines with a tag."""
        return [line for line in self.document.lines if line.tag == tag]
