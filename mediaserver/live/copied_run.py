"""A run of the source whose own bits fill a rung."""

from __future__ import annotations

from hls.writer import Sample, VideoWriter
from media.packet import CLOCK_HZ, VideoTrack

MAX_WAIT = CLOCK_HZ
"""How much of a run may wait for the encoded tail of the run before it; encoders are some frames behind."""


class CopiedRun:
    """Gives samples to a rung as they are, as soon as the rung is free.

    Where the run before was encoded, its last frames come after this run has begun.

    Args:
        writer: of the rung.
        track: of the samples.
        at: where the run begins on the timeline.
        lead: ticks by which its decoding runs ahead of presentation.
    """

    def __init__(self, writer: VideoWriter, track: VideoTrack, at: int, lead: int = 0) -> None:
        self.at = at
        self.track = track
        self.is_waiting = True
        """Whether the rung still carries the run before."""
        self._lead = lead
        self._writer = writer
        self._held: list[Sample] = []

    @property
    def has_waited_long(self) -> bool:
        """Whether it is time to take the rung, whatever is missing."""
        return bool(self._held) and self._held[-1].dts - self.at >= MAX_WAIT

    def take_rung(self, frontier: int) -> None:
        """Begin to publish, up to `frontier`: nothing of the run before will come."""
        self.is_waiting = False
        self._writer.set_track(self.track, self.at, self._lead)
        for sample in self._held:
            self._writer.add(sample)
        self._held.clear()
        self._writer.advance(frontier)

    def add(self, sample: Sample) -> None:
        """Take a sample."""
        if self.is_waiting:
            self._held.append(sample)
        else:
            self._writer.add(sample)

    def advance(self, frontier: int) -> None:
        """Publish the parts that end at `frontier` or before: all their samples have been added."""
        if not self.is_waiting:
            self._writer.advance(frontier)

    def end(self, at: int) -> None:
        """Publish everything: the run ends at `at`."""
        self._writer.advance(at)
