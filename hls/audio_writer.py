"""The writer of the audio rendition."""

from __future__ import annotations

from collections import deque

from media.error import LocalStateError
from media.packet import CLOCK_HZ, AudioTrack

from .cursor import Cursor
from .fragment import FragmentSample, fragment
from .grid import SampleGrid
from .initialization import audio_init
from .rendition import Rendition
from .timeline import Segment, Timeline
from .view import PartView
from .writer import Sample


class AudioWriter(Cursor[AudioTrack]):
    """Packages the audio rendition: its own parts, of whole frames, inside the timeline's segments.

    A segment holds the frames that start in it. The timescale is the sample rate, frames lie on its grid.

    Args:
        timeline: where segments begin and end.
        rendition: takes what is published.
        part_s: longest part.
    """

    def __init__(self, timeline: Timeline, rendition: Rendition, part_s: float) -> None:
        super().__init__(timeline, rendition)
        self._part_s = part_s
        self._grids: deque[SampleGrid] = deque()
        self._sequence = 0

    def build_init(self, track: AudioTrack) -> bytes:
        """Build the initialization segment of a track."""
        return audio_init(track)

    def set_track(self, track: AudioTrack, at: int) -> None:
        """Begin a run of the source at `at`: what is added from now on belongs there or later.

        Args:
            track: how to decode it; a change takes effect with the segment that starts at `at`.
            at: in ticks, where the timeline begins a segment behind a discontinuity, or the first one.
        """
        super().set_track(track, at)
        start = max(at, self._grids[-1].end_before(at)) if self._grids else at
        self._grids.append(SampleGrid(track, at, start))

    def add(self, sample: Sample) -> None:
        """Take a frame; small holes are filled with silence, overlapping frames dropped."""
        if not self._grids:
            raise LocalStateError(f"{self.rendition.name} got a sample before its track")
        self._grids[-1].add(sample.pts, sample.data)

    def advance(self, frontier: int, audio_frontier: int) -> None:
        """Publish every part that lies before both frontiers.

        Args:
            frontier: in ticks; up to here the timeline is settled.
            audio_frontier: in ticks; every frame that starts before has been added.
        """
        while (segment := self._segment) is not None and self._grids:
            limit = min(frontier, segment.end) if segment.is_closed else frontier
            if not self._advance_part(segment, limit, audio_frontier):
                return

    def _advance_part(self, segment: Segment, limit: int, audio_frontier: int) -> bool:
        """Publish the next part of a segment, or complete it; return whether anything changed."""
        is_closed = segment.is_closed and limit == segment.end
        grid = self._grid_of(segment)
        if not grid.settle(segment.start, limit, audio_frontier):
            return False
        remaining = grid.frames_before(limit)
        count = min(remaining, grid.frames_in(self._part_s))
        if not is_closed and remaining < grid.frames_in(self._part_s):
            return False
        if not grid.has(count, audio_frontier):
            if not is_closed or audio_frontier < limit:
                return False
            # Rounding may put the last frame just outside: one that is missing may still come. More are lost.
            if count - grid.held == 1:
                count = remaining = grid.held
        self._enter(segment)
        if count > 0:
            self._publish_frames(segment, grid, count, is_last=is_closed and count == remaining)
        elif is_closed and self._index:
            self._complete(segment)
        elif is_closed:
            # Shorter than an audio frame; a segment without any part would not count in the media sequence.
            part = PartView((segment.end - segment.start) / CLOCK_HZ, is_independent=False, is_gap=True)
            self._publish(segment, part, b"", is_last=True)
        return count > 0 or is_closed

    def _grid_of(self, segment: Segment) -> SampleGrid:
        while len(self._grids) > 1 and self._grids[1].at <= segment.start:
            self._grids.popleft()
        return self._grids[0]

    def _publish_frames(self, segment: Segment, grid: SampleGrid, count: int, *, is_last: bool) -> None:
        start, duration_s = grid.published, grid.seconds(count)
        frames = grid.take(count)
        data = b""
        if frames:
            self._sequence += 1
            samples = [
                FragmentSample(frame, grid.frame, is_sync=True, composition_offset=0) for frame in frames
            ]
            data = fragment(self._sequence, start, samples)
        part = PartView(duration_s, is_independent=bool(frames), is_gap=not frames)
        self._publish(segment, part, data, is_last=is_last)
