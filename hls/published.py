"""A segment of one rendition as it has been published: what is listed of it, and where its bytes are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from .timeline import Segment
from .view import PartView, SegmentView


@dataclass(slots=True, eq=False)
class PublishedSegment:
    """One rendition's rendering of a segment.

    Each byte is held once: in its part while the segment grows, in the joined segment once all of it is there. When it
    has **settled** only the whole segment can be asked for, and its bytes are on disk.
    """

    segment: Segment
    generation: int
    has_init: bool
    parts: list[PartView] = field(default_factory=list)
    """One, as long as the segment, when it has settled."""
    size_bytes: int = 0
    """Of what has been made, wherever it is."""
    is_complete: bool = False
    is_stored: bool = False
    """Whether it is on disk."""
    is_refused: bool = False
    """Whether it could not be written there."""
    is_settled: bool = False
    _chunks: list[bytes | None] = field(default_factory=list)  # None: promised; emptied when joined
    _joined: tuple[bytes, Sequence[int]] | None = None  # with the offsets of the parts
    _view: SegmentView | None = None

    @classmethod
    def remembered(
        cls,
        segment: Segment,
        generation: int,
        has_init: bool,
        duration_s: float,
        *,
        size_bytes: int = 0,
        is_promised: bool = False,
    ) -> PublishedSegment:
        """Make one that has settled: it is on disk when it has a size, else a promise or a gap."""
        item = cls(segment, generation, has_init, [PartView(duration_s, False, False)], size_bytes, True)
        item.is_stored = size_bytes > 0
        item._chunks = [None] if is_promised else []
        item.settle()
        return item

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

    @property
    def held_bytes(self) -> int:
        """How much of it is in memory."""
        return (
            len(self._joined[0])
            if self._joined is not None
            else sum(len(chunk or b"") for chunk in self._chunks)
        )

    @property
    def is_available(self) -> bool:
        """Whether all of it has been made, and can be had."""
        return self.is_complete and (self.is_stored or self.data() is not None)

    @property
    def may_settle(self) -> bool:
        """Whether nothing is lost by it that could be kept."""
        return self.is_complete and (self.is_stored or self.is_refused or self.is_promised or self.is_gap)

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

    def settle(self) -> None:
        """Hold nothing but what the playlist says of it. A promise of which a part has been made becomes a gap."""
        is_promised = self.is_promised and not self.has_bytes
        is_gap = not (self.is_stored or is_promised)
        self.parts = [PartView(self.duration_s, is_independent=not is_gap, is_gap=is_gap)]
        self._chunks = [None] if is_promised else []
        self._joined = self._view = None
        self.is_settled = True

    def lose(self) -> None:
        """Make a gap of it: it is not on disk any more."""
        self.is_stored = False
        self.settle()

    @property
    def duration_s(self) -> float:
        """Length of what is there."""
        return sum(part.duration_s for part in self.parts)

    def data(self) -> bytes | None:
        """Return the bytes of the complete segment; None for a gap, while they are promised, or on disk only."""
        return (self._joined[0] or None) if self._joined is not None else None

    def part_data(self, index: int) -> bytes | None:
        """Return the bytes of a part; None for a gap or a promise, or when there is no such part (any more)."""
        if index >= len(self.parts) or self.is_settled:
            return None
        if self._joined is None:
            return self._chunks[index] or None
        data, offsets = self._joined
        return data[offsets[index] : offsets[index + 1]] or None

    def is_part_promised(self, index: int) -> bool:
        """Tell whether a part is listed, and its bytes are still to be made."""
        if self.is_settled or index >= len(self._chunks):
            return False
        return self._joined is None and self._chunks[index] is None

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
            start=self.segment.start,
            is_discontinuity=self.segment.is_discontinuity,
            is_complete=self.is_complete,
            parts=tuple(self.parts),
        )
        if self.is_complete and not self.is_settled:
            self._view = view
        return view
