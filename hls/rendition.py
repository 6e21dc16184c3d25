"""What has been published of one rendition: its segments and parts with their bytes, its init segments.

A part may be listed before its bytes exist: it is **promised**, and made when somebody asks for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from .archive import Archive
from .ledger import Track
from .published import PublishedSegment
from .restored import RestoredRendition
from .timeline import Segment
from .view import PartAddress, PartView

MIN_AVERAGE_S = 10
"""From here on a mean bit rate says more than what was planned."""


class Rendition:
    """The published media of one rendition, filled by its writer and read by delivery.

    Args:
        name: as in addresses.
        first_msn: media sequence number of its first segment; others of the broadcast may have earlier ones.
        on_change: called after each change of what a playlist would show.
        is_late: whether others have media already.
        archive: where segments go; None: they are in memory only.
        past: what an earlier process has published of it.
    """

    def __init__(
        self,
        name: str,
        first_msn: int,
        on_change: Callable[[Rendition], None],
        *,
        is_late: bool = False,
        archive: Archive | None = None,
        past: RestoredRendition | None = None,
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
        """In memory."""
        self.settled_msn = first_msn
        """Media sequence number of the first segment that has not settled."""
        self.losses = 0
        """Rises when a segment that has settled becomes a gap."""
        self.peak_bps = 0
        """The highest bit rate of a segment so far."""
        self._total = (0, 0.0)
        self._on_change = on_change
        self._archive = archive
        self._segments: deque[PublishedSegment] = deque(past.items if past is not None else ())
        self._inits: dict[int, bytes] = past.inits if past is not None else {}
        if past is not None:
            self.first_msn = past.items[0].segment.msn
            self.settled_msn = self.next_msn
            for generation, track in past.tracks.items():
                self.note_track(generation, track)

    @property
    def segments(self) -> deque[PublishedSegment]:
        """Segments that can be asked for, oldest first; the last one may be growing."""
        return self._segments

    @property
    def next_msn(self) -> int:
        """Media sequence number behind its newest segment."""
        return self._segments[-1].segment.msn + 1 if self._segments else self.first_msn

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

    def note_track(self, generation: int, track: Track) -> None:
        """Have the track of a generation remembered for a later process."""
        if self._archive is not None:
            self._archive.ledger.note_track(self.name, generation, track)

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
        if item.is_settled and item.is_gap:
            self._note_loss(item)
        if item.is_complete and not item.is_promised:
            self._have_whole(item)
        self.changed()

    async def load(self, item: PublishedSegment) -> bytes | None:
        """Return the bytes of a complete segment, from memory or from disk; None for a gap, or while they are promised.

        Raises:
            CapacityError: the disk cannot be read at the moment.
        """
        data = item.data()
        if data is not None or not item.is_stored or self._archive is None:
            return data
        data = await self._archive.read(self.name, item.generation, item.segment.msn)
        if data is None and item.is_settled and self.item(item.segment.msn) is item:
            item.lose()
            self._note_loss(item)
            self.changed()
        return data

    def settle_before(self, msn: int) -> int | None:
        """Let go of the bytes of segments up to a media sequence number, in order, unless they are being written.

        Returns:
            The newest of those that could not be written, and are gaps now; None if there is none.
        """
        refused_msn = None
        while self.settled_msn < msn and (item := self.item(self.settled_msn)) is not None:
            if not item.may_settle:
                break
            refused_msn = self.settled_msn if item.is_refused else refused_msn
            self.size_bytes -= item.held_bytes
            item.settle()
            if item.is_gap:
                self._note(item)
            self.settled_msn += 1
        return refused_msn

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

    def since(self, msn: int) -> Iterator[PublishedSegment]:
        """Iterate over the segments from a media sequence number on."""
        count = len(self._segments) - max(0, msn - self.oldest_msn)
        return reversed(list(islice(reversed(self._segments), max(0, count))))

    def between(self, begin: int, end: int) -> Iterator[PublishedSegment]:
        """Iterate over the segments from one media sequence number up to another."""
        return islice(self._segments, begin - self.oldest_msn, end - self.oldest_msn)

    def drop_oldest(self) -> None:
        """Give up the bytes of the oldest segment, and of init segments that nothing refers to any more."""
        item = self._segments.popleft()
        item.give_up()
        self.size_bytes -= item.held_bytes
        self.settled_msn = max(self.settled_msn, item.segment.msn + 1)
        if item.is_stored:
            self._remove(item)
        oldest = self._segments[0].generation if self._segments else item.generation
        for generation in [old for old in self._inits if old < oldest]:
            del self._inits[generation]
            if self._archive is not None:
                self._archive.ledger.forget_tracks(self.name, oldest)

    def changed(self) -> None:
        """Raise the version and tell it."""
        self.version += 1
        self._on_change(self)

    def _complete(self, item: PublishedSegment) -> None:
        item.complete()
        if not item.is_promised:
            self._have_whole(item)
        if item.data() is None:
            self._note(item)

    def _have_whole(self, item: PublishedSegment) -> None:
        self._measure(item)
        data = item.data()
        if self._archive is not None and data is not None:
            written = partial(self._on_written, item)
            self._archive.write(self.name, item.generation, item.segment.msn, data, written)

    def _on_written(self, item: PublishedSegment, is_stored: bool) -> None:
        if self.item(item.segment.msn) is not item:
            if is_stored:
                self._remove(item)
            return
        item.is_stored, item.is_refused = is_stored, not is_stored
        if item.is_settled:  # it was made when its time in memory was over
            self.size_bytes -= item.held_bytes
            item.settle()
            if not is_stored:
                self._note_loss(item)
                self.changed()
                return
        self._note(item)

    def _note_loss(self, item: PublishedSegment) -> None:
        self.losses += 1
        self._note(item)

    def _note(self, item: PublishedSegment) -> None:
        if self._archive is not None:
            self._archive.ledger.note(self.name, item)

    def _remove(self, item: PublishedSegment) -> None:
        if self._archive is not None:
            self._archive.remove(self.name, item.generation, item.segment.msn, item.size_bytes)

    def _measure(self, item: PublishedSegment) -> None:
        seconds = sum(part.duration_s for part in item.parts)
        if not item.is_gap:
            self._total = (self._total[0] + item.size_bytes, self._total[1] + seconds)
        # The rate of a tail of a few frames says nothing: a keyframe is most of it.
        if seconds >= 1:
            self.peak_bps = max(self.peak_bps, round(item.size_bytes * 8 / seconds))
