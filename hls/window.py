"""The live window: which segments the playlists list and whose bytes are held, under a byte budget."""

from __future__ import annotations

from collections.abc import Collection

from media.packet import CLOCK_HZ

from .config import HlsConfig
from .rendition import Rendition
from .timeline import Timeline

MIN_SEGMENTS = 6
"""The least that a live playlist lists (HLS Authoring Specification)."""


class Window:
    """Slides over the timeline; the same media sequence for all renditions.

    A segment that leaves the playlists stays available for as long as the playlist lasts, since a player may
    still ask for it, unless the byte budget presses. If even that is too much, the playlists get shorter,
    down to what the specification allows.
    """

    def __init__(self, config: HlsConfig, timeline: Timeline) -> None:
        self._config = config
        self._timeline = timeline
        self.first_msn = timeline.next_msn
        """Media sequence number of the first segment that is listed."""

    def trim(self, renditions: Collection[Rendition]) -> None:
        """Move on as far as durations and budget say."""
        self._slide(self._config.window_s)
        self._forget_old(renditions)
        shortest_s = 3.0 * self._config.target_duration_s
        while self._is_over_budget(renditions):
            if not self._forget_oldest(renditions) and not self._remove_first(shortest_s):
                break

    def _slide(self, length_s: float) -> None:
        while self._remove_first(length_s):
            pass

    def _remove_first(self, length_s: float) -> bool:
        """Take the first segment off the playlists if at least `length_s` and `MIN_SEGMENTS` remain."""
        first = self._timeline.segment(self.first_msn)
        remaining = self._timeline.segment(self.first_msn + MIN_SEGMENTS)
        if first is None or remaining is None or not remaining.is_closed:
            return False
        if self._timeline.frontier - first.end < length_s * CLOCK_HZ:
            return False
        self.first_msn += 1
        return True

    def _forget_old(self, renditions: Collection[Rendition]) -> None:
        keep_ticks = 2 * self._config.window_s * CLOCK_HZ
        for rendition in renditions:
            while (oldest := self._removed(rendition)) and self._timeline.frontier - oldest > keep_ticks:
                rendition.drop_oldest()

    def _forget_oldest(self, renditions: Collection[Rendition]) -> bool:
        removed = [rendition for rendition in renditions if self._removed(rendition)]
        for rendition in removed:
            rendition.drop_oldest()
        return bool(removed)

    def _removed(self, rendition: Rendition) -> int | None:
        """Return the end of a rendition's oldest segment if the playlist does not list it any more."""
        segments = rendition.segments
        if len(segments) < 2 or segments[0].segment.msn >= self.first_msn:
            return None
        return segments[0].segment.end

    def _is_over_budget(self, renditions: Collection[Rendition]) -> bool:
        return sum(rendition.size_bytes for rendition in renditions) > self._config.window_bytes
