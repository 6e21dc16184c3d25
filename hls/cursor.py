"""A writer's place on the timeline: which part of which segment it publishes, or fills in, next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

from media.error import LocalStateError
from media.packet import AudioTrack, VideoTrack

from .published import PublishedSegment
from .rendition import Rendition
from .timeline import Segment, Timeline
from .view import PartAddress, PartView

Track = TypeVar("Track", VideoTrack, AudioTrack)


class Cursor(ABC, Generic[Track]):
    """Publishes parts of one rendition in order and binds tracks to generations.

    Subclasses know what a part is made of. A track takes effect at a place on the timeline, since a rendition
    may follow the timeline by seconds.
    """

    def __init__(self, timeline: Timeline, rendition: Rendition) -> None:
        self.timeline = timeline
        self.rendition = rendition
        self.track: Track | None = None
        """The track of what is published now."""
        self._pending: list[tuple[int, Track]] = []
        self._generation = 0
        self._msn = rendition.next_msn
        self._index = 0  # of the part
        self._item: PublishedSegment | None = None
        self._has_hints = True
        self._tracks: dict[int, Track] = {}

    @property
    def msn(self) -> int:
        """Media sequence number of the segment that is published next or now."""
        return self._msn

    @property
    def newest_track(self) -> Track | None:
        """The track that was set last, whether it is published already or not."""
        return self._pending[-1][1] if self._pending else self.track

    def set_track(self, track: Track, at: int) -> None:
        """Publish with this track from the first segment on that starts at `at` or later.

        Args:
            track: how to decode what is added from then on; the same one again is no change.
            at: in ticks; a discontinuity or the first segment.
        """
        if track != self.newest_track:
            self._pending.append((at, track))

    @abstractmethod
    def build_init(self, track: Track) -> bytes:
        """Build the initialization segment of a track."""

    @property
    def _segment(self) -> Segment | None:
        return self.timeline.segment(self._msn)

    def remember(self, tracks: Mapping[int, Track]) -> None:
        """Learn the tracks of what an earlier process has published, by generation."""
        self._tracks.update(tracks)

    def track_of(self, generation: int) -> Track | None:
        """Return the track of a generation of addresses, None for one that is not listed any more."""
        return self._tracks.get(generation)

    def set_hints(self, has_hints: bool) -> None:
        """Say whether the next part is known to come; without it nobody waits for one."""
        self._has_hints = has_hints
        if not has_hints and self.rendition.next_address is not None:
            self.rendition.next_address = None
            self.rendition.changed()

    def rewind(self, msn: int) -> bool:
        """Go back to the begin of a segment, to keep what has been promised of it.

        Returns:
            False when the segment is not held, or some of it has been made already by somebody else.
        """
        item = self.rendition.item(msn)
        if item is None or item.has_bytes or any(part.is_gap for part in item.parts):
            return False
        self._msn, self._index, self._item = msn, 0, item
        return True

    def _require_track(self) -> Track:
        if self.track is None:
            raise LocalStateError(f"{self.rendition.name} has samples before a track")
        return self.track

    def _enter(self, segment: Segment) -> None:
        """Make sure that the segment's rendering exists, with the track that is due."""
        if self._item is None:
            # It may be there already, promised, when the cursor has gone back.
            self._item = self.rendition.item(segment.msn)
        if self._item is None:
            self._bind(segment)
            self._item = self.rendition.open(
                segment, self._address_generation(segment), self.track is not None
            )
        elif self._pending and self._item.is_gap and self._index == len(self._item.parts):
            # Nothing of this segment could be decoded so far, so a late track is still in time.
            self._bind(segment)
            self._item.generation = self._address_generation(segment)
            self._item.has_init = self.track is not None

    def _bind(self, segment: Segment) -> None:
        """Let the track that is due at this segment take effect."""
        due = None
        while self._pending and (self._pending[0][0] <= segment.start or (self.track or due) is None):
            due = self._pending.pop(0)[1]
        if due is None or due == self.track:
            return
        self.track = due
        is_new = segment.generation > self._generation
        self._generation = segment.generation if is_new else self.timeline.raise_generation()
        self.rendition.add_init(self._generation, self.build_init(due))
        self.rendition.note_track(self._generation, due)
        oldest = min((item.generation for item in self.rendition.segments), default=0)
        self._tracks = {old: track for old, track in self._tracks.items() if old >= oldest}
        self._tracks[self._generation] = due

    def _address_generation(self, segment: Segment) -> int:
        return self._generation or segment.generation

    def _publish(self, segment: Segment, part: PartView, data: bytes | None, *, is_last: bool) -> None:
        """Publish a part; the rendition tells its readers at once, so the cursor moves first."""
        item, index = self._item, self._index
        self._index += 1
        if is_last:
            self._leave()
        if item is not None and index < len(item.parts):
            if data is not None and not item.is_settled:
                self.rendition.keep(item, index, part, data)
            return
        self.rendition.publish(
            part, data, is_last=is_last, next_address=self._next_address(segment, index + 1, is_last)
        )

    def _complete(self, segment: Segment) -> None:
        item = self._item
        self._leave()
        if item is None or not item.is_complete:
            self.rendition.complete(self._next_address(segment, 0, is_last=True))

    def _leave(self) -> None:
        self._msn += 1
        self._index = 0
        self._item = None

    def _next_address(self, segment: Segment, index: int, is_last: bool) -> PartAddress | None:
        """Name the next part. Behind a discontinuity nobody knows yet whether another track begins."""
        if not self._has_hints:
            return None
        if not is_last:
            return PartAddress(self._address_generation(segment), segment.msn, index)
        following = self.timeline.segment(segment.msn + 1)
        if following is None or following.is_discontinuity or not self._generation:
            return None
        return PartAddress(self._generation, following.msn, 0)
