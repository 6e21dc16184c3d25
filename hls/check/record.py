"""What was learnt of one media playlist, for the rules that compare several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin

from .facts import SegmentFacts
from .initialization import Track
from .media_playlist import MediaPlaylist, Resource, Segment

I_FRAMES = "i-frames"
SUBTITLES = "subtitles"
MAX_REPORTS = 50_000
"""Rendition reports of a playlist that are kept to be compared: an hour and a half of half seconds with four others."""


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """A segment that was fetched and read."""

    facts: SegmentFacts
    date_s: float | None
    """Of its begin, in seconds since 1970: its own, or the one before plus durations."""
    discontinuity_sequence: int
    duration_s: float


@dataclass(slots=True)
class Record:
    """A media playlist, and what was fetched of it."""

    name: str
    url: str
    role: str
    """`media`, `audio`, `subtitles` or `i-frames`."""
    base: str = ""
    """What its addresses are relative to: its own, after redirects."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of the multivariant playlist."""
    playlist: MediaPlaylist | None = None
    """The last full version."""
    segments: dict[int, SegmentRecord] = field(default_factory=dict)
    """By media sequence number."""
    tracks: dict[Resource, tuple[Track, ...]] = field(default_factory=dict)
    """By initialization section."""
    first: MediaPlaylist | None = None
    """The first version."""
    progress: list[tuple[float, tuple[int, int]]] = field(default_factory=list)
    """When each version came, and the last segment and part that it listed."""
    reports: list[tuple[float, str, tuple[int, int]]] = field(default_factory=list)
    """When a rendition report came, the address it is on (without query), and what it says."""

    def remember(self, time_s: float, playlist: MediaPlaylist) -> None:
        """Remember a version, and what it reports on others."""
        self.first = self.first or playlist
        self.playlist = playlist
        self.progress.append((time_s, playlist.last))
        for line in playlist.lines("EXT-X-RENDITION-REPORT"):
            values = [line.attributes.get(name) for name in ("LAST-MSN", "LAST-PART")]
            # What is not said is as in the playlist that says it (4.4.5.4).
            msn, part = (
                value.integer if value is not None else own
                for value, own in zip(values, playlist.last, strict=True)
            )
            is_kept = "URI" in line.attributes and len(self.reports) < MAX_REPORTS
            if is_kept and msn is not None and part is not None:
                url = urljoin(self.url, line.text_of("URI")).partition("?")[0]
                self.reports.append((time_s, url, (msn, part)))

    def keep(self, segment: Segment, facts: SegmentFacts) -> None:
        """Remember a segment that was read."""
        self.segments[segment.msn] = SegmentRecord(
            facts, self._date(segment), segment.discontinuity_sequence, segment.length_s
        )

    def newest_tracks(self, playlist: MediaPlaylist | None) -> tuple[Track, ...]:
        """Return the tracks of the newest segment of a version, as far as they are known."""
        segments = playlist.all_segments if playlist is not None else ()
        init = segments[-1].init if segments else None
        return self.tracks.get(init, ()) if init is not None else ()

    def _date(self, segment: Segment) -> float | None:
        date_s: float | None = None
        for other in self.playlist.all_segments if self.playlist is not None else ():
            date_s = other.date_s if other.date_s is not None else date_s
            if other.msn == segment.msn:
                return date_s
            date_s = date_s + other.length_s if date_s is not None else None
        return segment.date_s

    @property
    def has_video(self) -> bool:
        """Whether pictures were found in it."""
        return any("video" in record.facts.tracks for record in self.segments.values())

    @property
    def is_compared(self) -> bool:
        """Whether the rules for all playlists of a presentation hold for it without exceptions."""
        return self.role not in (I_FRAMES, SUBTITLES)
