"""Writers: they package one rendition's samples along the timeline, each at its own pace."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from media.error import LocalStateError
from media.nal import join_length_prefixed
from media.packet import CLOCK_HZ, AudioTrack, VideoTrack

from .cursor import Cursor
from .fragment import FragmentSample, fragment
from .grid import SampleGrid
from .initialization import audio_init, video_init
from .parameter_set import parameter_sets
from .rendition import Rendition
from .timeline import Segment, Timeline
from .view import PartView

MAX_PENDING_SAMPLES = 20_000
"""A rendition that is so far ahead of the timeline is driven wrongly: 5 min at 60 frames a second."""

MAX_REPAIR = CLOCK_HZ // 100
"""Rounding makes DTS equal or a little less than the one before. What is later than this comes from an encoder that
still works on a run that is over: another has taken the rung."""


class Sample(NamedTuple):
    """One encoded frame on the timeline, times in ticks."""

    dts: int
    pts: int
    data: bytes
    is_sync: bool


class VideoWriter(Cursor[VideoTrack]):
    """Packages a video rung. Its timescale is the timeline's clock."""

    def __init__(self, timeline: Timeline, rendition: Rendition) -> None:
        super().__init__(timeline, rendition)
        self._samples: deque[Sample] = deque()
        self._last_dts = -1
        self._written = -1
        self._sequence = 0
        self._shows_frame = False
        self._introduces_track = False
        self._lead = 0
        self._leads: deque[tuple[int, int]] = deque()

    def set_track(self, track: VideoTrack, at: int, lead: int = 0) -> None:
        """Publish with this track from the first segment on that starts at `at` or later.

        Args:
            track: how to decode what is added from then on.
            at: in ticks; a discontinuity or the first segment.
            lead: ticks by which decoding runs ahead of presentation, because pictures are reordered. Decoding times
                are written earlier by so much and composition offsets larger: the same presentation times in offsets
                that are not negative, which FFmpeg's demuxer would take for a late start.
        """
        super().set_track(track, at)
        self._leads.append((at, lead))

    def build_init(self, track: VideoTrack) -> bytes:
        """Build the initialization segment of a track."""
        return video_init(track)

    def add(self, sample: Sample) -> None:
        """Take a sample, in decoding order. Two with the same DTS are set one tick apart; a late one is dropped."""
        if self.newest_track is None:
            raise LocalStateError(f"{self.rendition.name} got a sample before its track")
        if len(self._samples) >= MAX_PENDING_SAMPLES:
            raise LocalStateError(
                f"{self.rendition.name} got {MAX_PENDING_SAMPLES} samples beyond the timeline"
            )
        if sample.dts <= self._last_dts and self._begins_run(sample):
            self._drop_from(sample.dts)
        if sample.dts <= self._last_dts - MAX_REPAIR:
            return
        if sample.dts <= self._last_dts:
            sample = sample._replace(dts=self._last_dts + 1)
        self._last_dts = sample.dts
        self._samples.append(sample)

    def advance(self, frontier: int) -> None:
        """Publish every part that ends at `frontier` or before: all its samples have been added.

        Args:
            frontier: in ticks.
        """
        while (segment := self._segment) is not None:
            part = segment.part(self._part_index)
            if part is not None and part[1] <= frontier:
                self._publish_part(segment, *part)
            elif part is None and segment.is_closed:
                # It was closed at the end of a part that had been published already.
                self._complete(segment)
            else:
                return

    def _begins_run(self, sample: Sample) -> bool:
        segments = self.timeline.segments
        return sample.is_sync and any(item.start == sample.dts and item.is_discontinuity for item in segments)

    def _drop_from(self, dts: int) -> None:
        """Drop the tail of a run that reaches into the next one: its last frames were reordered."""
        while self._samples and self._samples[-1].dts >= dts:
            self._samples.pop()
        self._last_dts = self._samples[-1].dts if self._samples else dts - 1

    def _publish_part(self, segment: Segment, start: int, end: int) -> None:
        is_last = segment.is_closed and end == segment.end
        previous = self.track
        self._enter(segment)
        while self._leads and self._leads[0][0] <= segment.start:
            self._lead = self._leads.popleft()[1]
        self._introduces_track |= previous is not None and previous != self.track
        samples = self._introduced(self._take(start, end))
        following = self._following_dts(segment)
        if samples:
            last = samples[-1].dts
            data = self._fragment(samples, samples[0].dts, following or max(end, last + 1))
        elif self._shows_frame and following:
            # The frame before lasts on (few frames a second): nothing is lost, there is only nothing to add.
            data = self._fragment([], start, start)
        else:
            data = b""
        self._shows_frame = bool(data) and not is_last
        is_independent = any(sample.is_sync for sample in samples)
        part = PartView((end - start) / CLOCK_HZ, is_independent, is_gap=not data)
        self._publish(segment, part, data, is_last=is_last)

    def _take(self, start: int, end: int) -> list[Sample]:
        taken = []
        while self._samples and self._samples[0].dts < end:
            sample = self._samples.popleft()
            if sample.dts >= start:
                taken.append(sample)
        return taken

    def _introduced(self, samples: list[Sample]) -> list[Sample]:
        """Put a changed track's parameter sets into its first keyframe as well.

        Players that read only the first EXT-X-MAP of a playlist (ffmpeg and what is built on it) decode on.
        """
        for index, sample in enumerate(samples if self._introduces_track else ()):
            if sample.is_sync:
                sets = join_length_prefixed(parameter_sets(self._require_track()))
                samples[index] = sample._replace(data=sets + sample.data)
                self._introduces_track = False
                break
        return samples

    def _following_dts(self, segment: Segment) -> int | None:
        """Return the DTS of the next sample if it is known and belongs to the same run of the source."""
        if not self._samples:
            return None
        dts = self._samples[0].dts
        if segment.is_closed and dts >= segment.end:
            following = self.timeline.segment(segment.msn + 1)
            return None if following is None or following.is_discontinuity else dts
        return dts

    def _fragment(self, samples: list[Sample], decode_time: int, end: int) -> bytes:
        self._require_track()
        self._sequence += 1
        start = max(decode_time - self._lead, self._written + 1)
        times = [self._next_written(sample.dts) for sample in samples]
        ends = [*times[1:], max(end - self._lead, self._written + 1)]
        return fragment(
            self._sequence,
            start,
            [
                FragmentSample(sample.data, following - time, sample.is_sync, sample.pts - time)
                for sample, time, following in zip(samples, times, ends, strict=False)
            ],
        )

    def _next_written(self, dts: int) -> int:
        """Say when a sample is decoded as it is written: early by the lead, but behind the sample before.

        A run with a lead may follow one without (a slate). FFmpeg's demuxer discards a sample, here the IDR, whose
        decoding time steps back.
        """
        self._written = max(dts - self._lead, self._written + 1)
        return self._written


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
        elif is_closed and self._part_index:
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
