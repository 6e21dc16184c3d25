"""What has been published of one rendition: its segments and parts with their bytes, its init segments.

A part may be listed before its bytes exist: it is **promised**, and made when somebody asks for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from .timeline import Segment
from .view import PartAddress, PartView, SegmentView

MIN_AVERAGE_S = 10
"""From here on a mean bit rate says more than what was planned."""


@dataclass(slots=True, eq=False)
class PublishedSegment:
    """One rendition's rendering of a segment.

    Each byte is held once: in its part while the segment grows, in the joined segment once all of it is there.
    """

    segment: Segment
    generation: int
    has_init: bool
    parts: list[PartView] = field(default_factory=list)
    size_bytes: int = 0
    is_complete: bool = False
    _chunks: list[bytes | None] = field(default_factory=list)  # None: promised; emptied when joined
    _joined: tuple[bytes, Sequence[int]] | None = None  # with the offsets of the parts
    _view: SegmentView | None = None

    @property
    def is_gap(self) -> bool:
        """Whether all parts so far are gaps."""
        return all(part.is_gap for part in self.parts)

    @property
    def is_promised(self) -> bool:
        """Whether bytes are missing that are still to be made."""
        return self._joined is None and None in self._chunks

    @property
    def has_bytes(self) -> bool:
        """Whether anything of it has been made."""
        return self.size_bytes > 0

    def append(self, part: PartView, data: bytes | None) -> None:
        """Add a part; the data of a gap is empty, that of a promise None."""
        self.parts.append(part)
        self._chunks.append(data)
        self.size_bytes += len(data or b"")

    def keep(self, index: int, part: PartView, data: bytes) -> None:
        """Keep a promise; empty data makes the part a gap."""
        self.parts[index] = part
        self._chunks[index] = data
        self.size_bytes += len(data)
        self._view = None
        self._join()

    def give_up(self) -> None:
        """Keep no promise any more: whoever waits for one need not."""
        self._chunks = [chunk or b"" for chunk in self._chunks]

    def complete(self) -> None:
        """Take note that no part will follow."""
        self.is_complete = True
        self._join()

    def data(self) -> bytes | None:
        """Return the bytes of the complete segment; None for a gap, or while they are promised."""
        return (self._joined[0] or None) if self._joined is not None else None

    def part_data(self, index: int) -> bytes | None:
        """Return the bytes of a part; None for a gap or a promise, or when there is no such part."""
        if index >= len(self.parts):
            return None
        if self._joined is None:
            return self._chunks[index] or None
        data, offsets = self._joined
        return data[offsets[index] : offsets[index + 1]] or None

    def is_part_promised(self, index: int) -> bool:
        """Tell whether a part is listed, and its bytes are still to be made."""
        return self._joined is None and index < len(self._chunks) and self._chunks[index] is None

    def _join(self) -> None:
        chunks = [chunk for chunk in self._chunks if chunk is not None]
        if self.is_complete and self._joined is None and len(chunks) == len(self._chunks):
            self._joined = b"".join(chunks), tuple(accumulate(map(len, chunks), initial=0))
            self._chunks = []

    def view(self) -> SegmentView:
        """Describe the segment as it is now."""
        if self._view is not None:
            return self._view
        view = SegmentView(
            msn=self.segment.msn,
            generation=self.generation,
            has_init=self.has_init,
            program_date_time=self.segment.program_date_time,
            is_discontinuity=self.segment.is_discontinuity,
            is_complete=self.is_complete,
            parts=tuple(self.parts),
        )
        if self.is_complete:
            self._view = view
        return view


class Rendition:
    """The published media of one rendition, filled by its writer and read by delivery.

    Args:
        name: as in addresses.
        first_msn: media sequence number of its first segment; others of the broadcast may have earlier ones.
        on_change: called after each change of what a playlist would show.
        is_late: whether others have media already.
    """

    def __init__(
        self, name: str, first_msn: int, on_change: Callable[[Rendition], None], *, is_late: bool = False
    ) -> None:
        self.name = name
        self.first_msn = first_msn
        self.is_listed = not is_late
        """Whether newcomers are told of it: what comes late has to have media first."""
        self.version = 0
        self.is_ended = False
        self.next_address: PartAddress | None = None
        """The part that will be published next, when it is known to come."""
        self.size_bytes = 0
        self.peak_bps = 0
        """The highest bit rate of a segment so far."""
        self._total = (0, 0.0)
        self._on_change = on_change
        self._segments: deque[PublishedSegment] = deque()
        self._inits: dict[int, bytes] = {}

    @property
    def segments(self) -> deque[PublishedSegment]:
        """Segments whose bytes are held, oldest first; the last one may be growing."""
        return self._segments

    @property
    def oldest_msn(self) -> int:
        """Media sequence number of the oldest segment that is held, -1 when there is none."""
        return self._segments[0].segment.msn if self._segments else -1

    @property
    def last(self) -> tuple[int, int] | None:
        """Media sequence number and index of the newest part, gaps included."""
        for item in reversed(self._segments):
            if item.parts:
                return item.segment.msn, len(item.parts) - 1
        return None

    @property
    def last_complete_msn(self) -> int:
        """Media sequence number of the newest complete segment, -1 when there is none."""
        for item in reversed(self._segments):
            if item.is_complete:
                return item.segment.msn
        return -1

    @property
    def average_bps(self) -> int:
        """The mean bit rate so far, 0 while too little has been published to tell."""
        size_bytes, seconds = self._total
        return round(size_bytes * 8 / seconds) if seconds >= MIN_AVERAGE_S else 0

    def add_init(self, generation: int, data: bytes) -> None:
        """Hold the initialization segment of a generation."""
        self._inits[generation] = data
        self.is_listed = True

    @property
    def has_had_tracks(self) -> bool:
        """Whether it had another track before: more than one initialization segment is held."""
        return len(self._inits) > 1

    def init(self, generation: int) -> bytes | None:
        """Return the initialization segment of a generation."""
        return self._inits.get(generation)

    def open(self, segment: Segment, generation: int, has_init: bool) -> PublishedSegment:
        """Start the rendering of a segment."""
        item = PublishedSegment(segment, generation, has_init)
        self._segments.append(item)
        return item

    def publish(
        self, part: PartView, data: bytes | None, *, is_last: bool, next_address: PartAddress | None
    ) -> None:
        """Add a part to the newest segment; `is_last` completes the segment. Data is None for a promise."""
        item = self._segments[-1]
        item.append(part, data)
        self.size_bytes += len(data or b"")
        if is_last:
            self._complete(item)
        self.next_address = next_address
        self.changed()

    def complete(self, next_address: PartAddress | None) -> None:
        """Complete the newest segment without another part."""
        self._complete(self._segments[-1])
        self.next_address = next_address
        self.changed()

    def keep(self, item: PublishedSegment, index: int, part: PartView, data: bytes) -> None:
        """Keep the promise of a part; empty data makes it a gap. Without effect once the segment has been dropped."""
        if self.item(item.segment.msn) is not item:
            return
        item.keep(index, part, data)
        self.size_bytes += len(data)
        if item.is_complete and not item.is_promised:
            self._measure(item)
        self.changed()

    def finish(self) -> None:
        """Take note that nothing will follow."""
        self.is_ended = True
        self.next_address = None
        self.changed()

    def find(self, generation: int, msn: int) -> PublishedSegment | None:
        """Find a held segment by its address."""
        item = self.item(msn)
        return item if item is not None and item.generation == generation else None

    def item(self, msn: int) -> PublishedSegment | None:
        """Find a held segment by its media sequence number."""
        index = msn - self._segments[0].segment.msn if self._segments else -1
        return self._segments[index] if 0 <= index < len(self._segments) else None

    def drop_oldest(self) -> None:
        """Give up the bytes of the oldest segment, and of init segments that nothing refers to any more."""
        item = self._segments.popleft()
        item.give_up()
        self.size_bytes -= item.size_bytes
        oldest = min((other.generation for other in self._segments), default=item.generation)
        for generation in [old for old in self._inits if old < oldest]:
            del self._inits[generation]

    def changed(self) -> None:
        """Raise the version and tell it."""
        self.version += 1
        self._on_change(self)

    def _complete(self, item: PublishedSegment) -> None:
        item.complete()
        if not item.is_promised:
            self._measure(item)

    def _measure(self, item: PublishedSegment) -> None:
        seconds = sum(part.duration_s for part in item.parts)
        if not item.is_gap:
            self._total = (self._total[0] + item.size_bytes, self._total[1] + seconds)
        # The rate of a tail of a few frames says nothing: a keyframe is most of it.
        if seconds >= 1:
            self.peak_bps = max(self.peak_bps, round(item.size_bytes * 8 / seconds))
