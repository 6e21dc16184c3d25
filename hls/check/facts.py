"""What is known of one segment or part, whatever its container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackFacts:
    """One track of a segment or part."""

    kind: str
    """`video` or `audio`."""
    start_s: float
    """Earliest presentation time in seconds, edit list applied."""
    duration_s: float
    frame_s: float
    """Duration of the longest frame."""
    frames: int
    is_key_first: bool | None
    """Whether decoding can start at the first frame; None when that is not known."""


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """One segment or part."""

    container: str
    """`fmp4` or `mpegts`."""
    size_bytes: int
    tracks: Mapping[str, TrackFacts]
    """By kind; of several tracks of a kind the first."""

    @property
    def main(self) -> TrackFacts | None:
        """Its video, or else its sound."""
        return self.tracks.get("video", self.tracks.get("audio"))
