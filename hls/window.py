"""The live window: which segments the playlists list, and whose bytes are in memory, on disk or gone."""

from __future__ import annotations

from collections.abc import Collection

from media.packet import CLOCK_HZ

from .archive import Archive
from .config import HlsConfig
from .rendition import Rendition
from .timeline import Timeline

MIN_SEGMENTS = 6
"""The least that a live playlist lists (HLS Authoring Specification)."""


class Window:
    """Slides over the timeline; the same media sequence for all renditions.

    A segment that leaves the playlists stays available for as long as the playlist lasts, since a player may
    still ask for it (6.2.2), unless a budget presses. If even that is too much, the playlists get shorter,
    down to what the specification allows. With an archive, segments are in memory only as long as their parts are
    asked for; what could not be written to it cannot be listed any longer than that.
    """

    def __init__(self, config: HlsConfig, timeline: Timeline, archive: Archive | None = None) -> None:
        self._config = config
        self._timeline = timeline
        self._archive = archive
        self._length_s = config.window_s if archive is not None else min(config.window_s, config.memory_s)
        self._shortest_s = 3.0 * config.target_duration_s
        self.first_msn = timeline.segments[0].msn if timeline.segments else timeline.next_msn
        """Media sequence number of the first segment that is listed."""
        self._settled_msn = self.first_msn

    def trim(self, renditions: Collection[Rendition]) -> None:
        """Move on as far as durations and budgets say."""
        while self._remove_first(self._length_s):
            pass
        self._forget_old(renditions)
        if self._archive is not None:
            self._settle(renditions, self._config.held_s)
            self._press_disk(renditions, self._archive)
        self._press_memory(renditions)

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
        keep_ticks = 2 * self._length_s * CLOCK_HZ
        for rendition in renditions:
            while (oldest := self._removed(rendition)) and self._timeline.frontier - oldest > keep_ticks:
                rendition.drop_oldest()

    def _settle(self, renditions: Collection[Rendition], length_s: float) -> None:
        """Let go of the bytes of what is older than `length_s`; what is on no disk is not listed any more."""
        self._settled_msn = max(self._settled_msn, self.first_msn)
        oldest = self._timeline.frontier - length_s * CLOCK_HZ
        while (
            (segment := self._timeline.segment(self._settled_msn))
            and segment.is_closed
            and segment.end <= oldest
        ):
            self._settled_msn += 1
        for rendition in renditions:
            refused_msn = rendition.settle_before(self._settled_msn)
            while refused_msn is not None and self.first_msn <= refused_msn:
                if not self._remove_first(self._shortest_s):
                    break

    def _press_disk(self, renditions: Collection[Rendition], archive: Archive) -> None:
        while archive.is_over_budget:
            if not self._forget_oldest(renditions) and not self._remove_first(self._config.held_s):
                return

    def _press_memory(self, renditions: Collection[Rendition]) -> None:
        if not self._is_over_budget(renditions):
            return
        if self._archive is not None:
            # Not below what lists its parts, and one segment for renditions that lag.
            self._settle(renditions, self._shortest_s + self._config.target_duration_s)
        while self._is_over_budget(renditions) and self._drops_memory(renditions):
            pass

    def _drops_memory(self, renditions: Collection[Rendition]) -> bool:
        """Drop the oldest segments, or take one off the playlists, if that leads to any that are in memory."""
        if all(
            rendition.oldest_msn < rendition.settled_msn for rendition in renditions if rendition.segments
        ):
            return False
        return self._forget_oldest(renditions) or self._remove_first(self._shortest_s)

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
