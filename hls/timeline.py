"""The one timeline of a broadcast: where its parts and segments begin and end.

The source's frames drive it; every rendition is packaged along it by a writer with a cursor of its own. Times
are ticks of `CLOCK_HZ`. Pure: `now` is an argument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from media.error import LocalStateError
from media.packet import CLOCK_HZ, TICKS_PER_MS

from .config import HlsConfig

MIN_PART_FILL = 0.85
"""A part below this share of the target is allowed only as a segment's last (rfc8216bis, 4.4.3.7)."""

MANY_CUTS, RECENT_CUTS = 3, 10 * CLOCK_HZ
"""One part that is cut by time is a lost frame, some in ten seconds are the source."""

CUT_TOLERANCE = 0.1
"""Share of the segment target by which the next keyframe may pass it before an earlier one is taken."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What has to survive the death of the server process. All fields are integers, so JSON holds it."""

    generation: int = 0
    """The highest generation in use."""
    next_msn: int = 0
    """A media sequence number that was never used."""
    discontinuity_sequence: int = 0
    """Discontinuities before `next_msn`."""
    position: int = 0
    """A point on the timeline, in ticks, that nothing published lies behind."""


@dataclass(slots=True, eq=False)
class Segment:
    """A segment of the timeline, of which every rendition has a rendering."""

    msn: int
    generation: int
    """Of the run of the source that it belongs to."""
    start: int
    program_date_time: float
    """Of `start`, in seconds since the epoch."""
    is_discontinuity: bool
    discontinuities_before: int
    """Discontinuities on segments before this one, since the broadcast began."""
    part_ends: list[int] = field(default_factory=list)
    is_closed: bool = False

    @property
    def end(self) -> int:
        """Where the last closed part ends."""
        return self.part_ends[-1] if self.part_ends else self.start

    def part(self, index: int) -> tuple[int, int] | None:
        """Return start and end of a closed part, None when there is none with this index."""
        if index >= len(self.part_ends):
            return None
        return (self.part_ends[index - 1] if index else self.start), self.part_ends[index]


class Timeline:
    """Cuts the source's frames into parts and segments.

    A part closes when the next frame's start is known and never exceeds the target, so millisecond clocks (15
    frames of 33.3 ms are 0.501 s) cut a frame earlier. Segments begin where the source can be cut.

    Args:
        config: lengths.
        checkpoint: of an earlier process; then the first segment carries a discontinuity.
        past: the segments of that process that can still be asked for, the last one right before the checkpoint.
    """

    def __init__(
        self, config: HlsConfig, checkpoint: Checkpoint | None = None, past: Iterable[Segment] = ()
    ) -> None:
        state = checkpoint or Checkpoint()
        self._config = config
        self._part = config.part_ticks
        self._segments = deque(past)
        self._generation = state.generation
        self._next_msn = state.next_msn
        self._discontinuities = state.discontinuity_sequence
        self._is_fresh = state.next_msn == 0
        self._position = state.position
        self._frontier = state.position
        self._open: Segment | None = None
        self._newest = state.position
        self._step = 0
        self._last_cut_point = 0
        self._cut_interval = 0  # between the last two places to cut, 0 before the second one
        newest = self._segments[-1] if self._segments else None
        self._anchor = (state.position, 0.0) if newest is None else (newest.start, newest.program_date_time)
        self._cuts_by_time: deque[int] = deque(maxlen=MANY_CUTS)
        self.has_media = False
        """Whether a part has been closed since this object was made."""

    @property
    def is_open(self) -> bool:
        """Whether a source is on the timeline."""
        return self._open is not None

    @property
    def is_cut_by_time(self) -> bool:
        """Whether parts do not end where frames do, again and again: frames are too few, or come as they like."""
        cuts = self._cuts_by_time
        return len(cuts) == MANY_CUTS and self._position - cuts[0] < RECENT_CUTS

    @property
    def open_segment(self) -> Segment | None:
        """The segment that frames go to now."""
        return self._open

    @property
    def segments(self) -> deque[Segment]:
        """Segments that writers or players may still ask for, oldest first; the last one may be open."""
        return self._segments

    @property
    def frontier(self) -> int:
        """Where the last closed part ends."""
        return self._frontier

    @property
    def position(self) -> int:
        """Where the timeline ends so far: the start of the newest frame, or the end of the last run."""
        return self._position

    @property
    def next_msn(self) -> int:
        """Media sequence number of the next segment to be opened."""
        return self._next_msn

    @property
    def target_duration(self) -> int:
        """The longest that a segment may be, in ticks."""
        return self._config.target_duration_ticks

    def segment(self, msn: int) -> Segment | None:
        """Find a segment by its media sequence number."""
        index = msn - self._segments[0].msn if self._segments else -1
        return self._segments[index] if 0 <= index < len(self._segments) else None

    def drop_before(self, msn: int) -> None:
        """Forget segments below a media sequence number; nobody asks for them any more."""
        while self._segments and self._segments[0].msn < msn and self._segments[0].is_closed:
            self._segments.popleft()

    def begin(self, at: int, now: float) -> None:
        """Open a segment for a new run of the source, whose first frame starts at `at`.

        It carries a discontinuity unless it is the very first of the broadcast.

        Args:
            at: not before `position`.
            now: seconds since the epoch that `at` corresponds to; dates never step back.
        """
        if self._open is not None or at < self._position:
            raise LocalStateError(f"a run cannot begin at {at}: the timeline is at {self._position}")
        self._generation += 1
        self._anchor = (at, max(now, self._date_of(at)))
        self._newest = self._position = self._frontier = self._last_cut_point = at
        self._step = self._cut_interval = 0
        self._open_segment(at, is_discontinuity=not self._is_fresh)
        self._is_fresh = False

    def advance(self, dts: int, can_cut: bool) -> bool:
        """Take note that a frame of the driving track starts at `dts`.

        Args:
            dts: in ticks, rising; the first one of a run is where it began.
            can_cut: whether every rendition can begin a segment with this frame.

        Returns:
            Whether a new segment has begun, which this frame is part of.
        """
        if self._open is None:
            raise LocalStateError("the timeline has no open segment")
        if dts <= self._newest:
            return False
        has_cut = self._split_overlong(dts)
        self._close_parts(dts)
        if can_cut:
            if self._is_due(dts):
                self._cut(dts)
                has_cut = True
            self._cut_interval = dts - self._last_cut_point
            self._last_cut_point = dts
        self._step = dts - self._newest
        self._newest = self._position = dts
        return has_cut

    def end_segment(self, at: int) -> None:
        """Close the open segment at `at`: the source is gone. Without effect when none is open."""
        segment, self._open = self._open, None
        if segment is None:
            return
        at = max(at, segment.end)
        if at == segment.start:
            self._withdraw(segment)
            return
        self._close_crossing(segment, at)
        self._close_part(segment, at)
        segment.is_closed = True
        self._position = at

    def raise_generation(self) -> int:
        """Return a generation that no address has carried yet."""
        self._generation += 1
        return self._generation

    def checkpoint(self) -> Checkpoint:
        """Describe where a new process may go on, with a media sequence number that was never used."""
        position = self._position
        if self._open is not None:
            position = self._open.start + self._config.target_duration_ticks
        return Checkpoint(self._generation, self._next_msn, self._discontinuities, position)

    def _date_of(self, position: int) -> float:
        at, now = self._anchor
        return now + (position - at) / CLOCK_HZ

    def _open_segment(self, start: int, *, is_discontinuity: bool) -> None:
        self._open = Segment(
            self._next_msn,
            self._generation,
            start,
            self._date_of(start),
            is_discontinuity,
            self._discontinuities,
        )
        self._segments.append(self._open)
        self._next_msn += 1
        self._discontinuities += is_discontinuity

    def _withdraw(self, segment: Segment) -> None:
        """Take back a segment that no frame has come to."""
        self._segments.pop()
        self._next_msn -= 1
        self._discontinuities -= segment.is_discontinuity
        self._is_fresh = self._next_msn == 0

    def _split_overlong(self, dts: int) -> bool:
        """Keep the segment below the target duration even if the source offers no place to cut.

        Only a source with a hole of seconds comes here: others are told to cut or stop being copied before.
        """
        limit = self._config.target_duration_ticks
        segment = self._require_open()
        if dts - segment.start <= limit:
            return False
        if self._newest > segment.start:
            self._close_parts(self._newest)
            self._cut(self._newest)
        while dts - self._require_open().start > limit:
            at = self._require_open().start + limit
            self._close_parts(at)
            self._cut(at)
        return True

    def _close_parts(self, dts: int) -> None:
        """Close what the frame at `dts` is not part of."""
        segment = self._require_open()
        self._close_crossing(segment, dts)
        length = dts - segment.end
        # The tolerance waits for a frame that a millisecond clock may still place inside.
        is_next_outside = length + self._step > self._part + TICKS_PER_MS
        if is_next_outside and length >= MIN_PART_FILL * self._part:
            self._close_part(segment, dts)

    def _close_crossing(self, segment: Segment, at: int) -> None:
        """Close parts so that the open one is not longer than the target at `at`.

        A part ends where the last frame that fits begins. Frames that last too long for that (fewer than
        about 13 a second) are cut by time.
        """
        while at - segment.end > self._part:
            fits = MIN_PART_FILL * self._part <= self._newest - segment.end <= self._part
            if not fits:
                self._cuts_by_time.append(at)
            self._close_part(segment, self._newest if fits else segment.end + self._part)

    def _close_part(self, segment: Segment, at: int) -> None:
        if at > segment.end:
            segment.part_ends.append(at)
            self._frontier = at
            self.has_media = True

    def _is_due(self, dts: int) -> bool:
        length = dts - self._require_open().start
        target = self._config.segment_ticks
        if length < target / 2 or length >= target:
            return length >= target
        latest = min(target * (1 + CUT_TOLERANCE), self._config.target_duration_ticks)
        return self._is_irregular(dts) or length + dts - self._last_cut_point > latest

    def _is_irregular(self, dts: int) -> bool:
        """Tell whether nobody knows when the place to cut behind the one at `dts` comes: scene cuts set them.

        Where every frame is one, frames may last as long as they like.
        """
        if not self._cut_interval or self._last_cut_point == self._newest:
            return False
        return abs(dts - self._last_cut_point - self._cut_interval) > CUT_TOLERANCE * self._cut_interval

    def _cut(self, at: int) -> None:
        segment = self._require_open()
        self._close_part(segment, at)
        segment.is_closed = True
        self._open_segment(at, is_discontinuity=False)

    def _require_open(self) -> Segment:
        if self._open is None:
            raise LocalStateError("the timeline has no open segment")
        return self._open
