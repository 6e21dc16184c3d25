"""A run without a source: a slate is repeated on every rung, so that players have something to show."""

from __future__ import annotations

from collections.abc import Mapping

from hls.config import HlsConfig
from transcode.slate import MAX_FRAMES, SlateRung

from .driver import Driver

PICTURES_PER_S = 10
"""Often enough that parts and players go on smoothly; a picture that does not change costs a few bytes."""


def frame_ticks(config: HlsConfig) -> int:
    """Tell how long a picture lasts: parts hold a whole number of them."""
    return config.part_ticks // max(1, round(config.part_s * PICTURES_PER_S))


def frame_count(config: HlsConfig) -> int:
    """Tell how many pictures a segment holds; they are what is repeated."""
    return max(2, min(MAX_FRAMES, config.segment_ticks // frame_ticks(config)))


class SlateRun:
    """Shows the slate from `at` on, as fast as it is told.

    Args:
        driver: of the timeline.
        slate: pictures of each rung, `frame_count` of them; empty for a broadcast of audio alone.
        config: lengths.
        at: where the run begins on the timeline, in ticks.
    """

    def __init__(self, driver: Driver, slate: Mapping[str, SlateRung], config: HlsConfig, at: int) -> None:
        self._driver = driver
        self._at = at
        self._frame_ticks = frame_ticks(config)
        self._count = frame_count(config)
        self._index = 0
        driver.begin(at)
        driver.rungs.begin_slate(slate, at)

    @property
    def end(self) -> int:
        """Where the newest picture ends."""
        return self._at + self._index * self._frame_ticks

    def show(self, elapsed: int) -> None:
        """Show what is due `elapsed` ticks after the run's begin."""
        while self._index * self._frame_ticks <= elapsed:
            at = self.end
            index = self._index % self._count
            self._driver.advance(at, can_cut=index == 0)
            self._driver.rungs.receive_slate(index, at)
            self._index += 1
