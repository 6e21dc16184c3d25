"""Other renditions that the streamer sends of the same picture (Enhanced RTMP, multitrack): they fill rungs.

Segments begin where the main track has a keyframe; a companion has one there too, since encoders start the renditions
of one picture together. One that does not is left out up to a segment at which it does.
"""

from __future__ import annotations

from collections import deque

from hls.timeline import Timeline
from hls.writer import Sample
from media.packet import CLOCK_HZ

from .copied_run import CopiedRun

SNAP = CLOCK_HZ // 50
"""How far a companion's keyframe may lie from the segment's start: rounding to milliseconds, and less than a frame."""

MAX_LAG = CLOCK_HZ
"""How far a companion may be behind the main track: muxers interleave within frames. Later, its parts are gaps."""

MAX_HELD = 600
"""Samples that wait for the main track; a companion so far ahead is on another clock."""

MAX_HELD_BYTES = 32 << 20
"""Of them: a second at the highest bitrate that RTMP lets in."""


class CompanionRun:
    """A run of one companion track, in step with the main one."""

    def __init__(self, copied: CopiedRun) -> None:
        self.copied = copied
        self._held: deque[Sample] = deque()
        self._held_bytes = 0
        self._newest = copied.at
        self._entered: int | None = None  # start of the segment whose keyframe has come
        self.is_misaligned = False
        """Whether it had no keyframe where the segment begins."""

    def receive(self, sample: Sample) -> None:
        """Take a sample on the timeline; it waits until the main track is there."""
        if len(self._held) < MAX_HELD and self._held_bytes < MAX_HELD_BYTES:
            self._held.append(sample)
            self._held_bytes += len(sample.data)
        self._newest = max(self._newest, sample.dts)

    def follow(self, timeline: Timeline) -> None:
        """Publish what the main track has reached."""
        segment = timeline.open_segment
        while segment is not None and self._held and self._held[0].dts <= timeline.position + SNAP:
            sample = self._placed(self._held[0], segment.start)
            if sample.dts > timeline.position:
                break
            self._held_bytes -= len(self._held.popleft().data)
            self._pass(sample, segment.start)
        frontier = timeline.frontier
        self.copied.advance(max(min(frontier, self._newest), frontier - MAX_LAG))

    def end(self, at: int) -> None:
        """Publish everything: the run ends at `at`."""
        for sample in self._held:
            if not self.is_misaligned and sample.dts < at:
                self.copied.add(sample)
        self.copied.end(at)

    def _placed(self, sample: Sample, start: int) -> Sample:
        offset = start - sample.dts
        if not sample.is_sync or abs(offset) > SNAP:
            return sample
        return sample._replace(dts=start, pts=sample.pts + offset)

    def _pass(self, sample: Sample, start: int) -> None:
        if self._entered != start and sample.dts >= start:
            self._entered = start
            self.is_misaligned = not (sample.is_sync and sample.dts == start)
        if not self.is_misaligned:
            self.copied.add(sample)
