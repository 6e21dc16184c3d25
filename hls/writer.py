"""The writer of a video rung: packages its samples along the timeline, at its own pace, or when they are asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import dropwhile
from typing import NamedTuple

from media.error import LocalStateError
from media.nal import join_length_prefixed
from media.packet import CLOCK_HZ, VideoTrack

from .cursor import Cursor
from .fragment import FragmentSample, fragment
from .initialization import video_init
from .parameter_set import parameter_sets
from .published import PublishedSegment
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
        self.on_sample: Callable[[Sample], None] | None = None
        """Called with each sample as it is added, which is before it is part of anything."""

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
        if self.on_sample is not None:
            self.on_sample(sample)

    def advance(self, frontier: int) -> None:
        """Publish every part that ends at `frontier` or before: all its samples have been added.

        Args:
            frontier: in ticks.
        """
        while (segment := self._segment) is not None:
            part = segment.part(self._index)
            if part is not None and part[1] <= frontier:
                self._publish_part(segment, *part)
            elif part is None and segment.is_closed:
                # It was closed at the end of a part that had been published already.
                self._complete(segment)
            else:
                return

    def promise(self, frontier: int) -> None:
        """List every part that ends at `frontier` or before; its bytes are made when they are asked for.

        Nothing is listed before the rung has a track. An IDR begins each segment, and is nowhere else.
        """
        if self.newest_track is None:
            return
        self._forget_samples()
        while (segment := self._segment) is not None:
            part = segment.part(self._index)
            if part is None and segment.is_closed:
                self._complete(segment)
                continue
            if part is None or part[1] > frontier:
                return
            self._enter(segment)
            view = PartView((part[1] - part[0]) / CLOCK_HZ, is_independent=not self._index, is_gap=False)
            self._publish(segment, view, None, is_last=segment.is_closed and part[1] == segment.end)

    def resume(self, msn: int) -> bool:
        """Go back to the begin of a segment that has been promised: its samples are added from now on.

        Returns:
            False when it cannot be: the segment is not held, or some of it has been made by somebody else.
        """
        if not self.rewind(msn):
            return False
        self._forget_samples()
        return True

    def keep(self, item: PublishedSegment, samples: Sequence[Sample]) -> None:
        """Keep what has been promised of a segment, wherever the writer is; without samples it becomes a gap.

        Args:
            item: a closed segment of this rung, nothing of which has been made.
            samples: all of it, in decoding order; the first is an IDR at its start, DTS equal PTS.
        """
        segment = item.segment
        track = self.track_of(item.generation)
        if samples and track is not None and self.rendition.has_had_tracks:
            samples = [_with_sets(samples[0], track), *samples[1:]]
        parts = self._whole_parts(segment, samples)
        if item.is_settled:
            whole = b"".join(data for _, data in parts)
            duration_s = sum(part.duration_s for part, _ in parts)
            parts = [(PartView(duration_s, is_independent=bool(whole), is_gap=not whole), whole)]
        for index, (part, data) in enumerate(parts):
            self.rendition.keep(item, index, part, data)

    def _whole_parts(self, segment: Segment, samples: Sequence[Sample]) -> list[tuple[PartView, bytes]]:
        """Package all of a closed segment; without samples its parts are gaps."""
        parts = []
        starts = [segment.start, *segment.part_ends[:-1]]
        for start, end in zip(starts, segment.part_ends, strict=True):
            inside = [sample for sample in samples if start <= sample.dts < end]
            following = next((sample.dts for sample in samples if sample.dts >= end), segment.end)
            data = self._whole_part(inside, start, following) if samples else b""
            is_independent = any(sample.is_sync for sample in inside)
            parts.append((PartView((end - start) / CLOCK_HZ, is_independent, not data), data))
        return parts

    def _whole_part(self, samples: Sequence[Sample], start: int, end: int) -> bytes:
        self._sequence += 1
        ends = [*(sample.dts for sample in samples[1:]), end]
        return fragment(
            self._sequence,
            samples[0].dts if samples else start,
            [
                FragmentSample(sample.data, following - sample.dts, sample.is_sync, 0)
                for sample, following in zip(samples, ends, strict=False)
            ],
        )

    def _forget_samples(self) -> None:
        self._samples.clear()
        self._last_dts = -1
        self._shows_frame = False

    def _bind(self, segment: Segment) -> None:
        previous = self.track
        super()._bind(segment)
        self._introduces_track |= previous is not None and previous != self.track

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
        self._enter(segment)
        while self._leads and self._leads[0][0] <= segment.start:
            self._lead = self._leads.popleft()[1]
        samples = self._introduced(self._take(start, end))
        if segment.is_discontinuity and start == segment.start:
            # The tail of the run before reaches in here, where nothing has come of this one.
            samples = list(dropwhile(lambda sample: not sample.is_sync, samples))
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
                samples[index] = _with_sets(sample, self._require_track())
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


def _with_sets(sample: Sample, track: VideoTrack) -> Sample:
    """Put a track's parameter sets before a keyframe."""
    return sample._replace(data=join_length_prefixed(parameter_sets(track)) + sample.data)
