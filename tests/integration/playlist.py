"""A small HLS client of its own, so that the server's playlists are not read with the server's code."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from urllib.parse import urljoin

import aiohttp

ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')


def attributes(text: str) -> dict[str, str]:
    """Parse an attribute list."""
    return {name: value.strip('"') for name, value in ATTRIBUTE.findall(text)}


@dataclass
class Part:
    uri: str
    duration: float
    independent: bool
    gap: bool


@dataclass
class Segment:
    msn: int
    date_time: float | None = None
    duration: float | None = None
    uri: str | None = None
    gap: bool = False
    discontinuity: bool = False
    init: str | None = None
    parts: list[Part] = field(default_factory=list)


@dataclass
class MediaPlaylist:
    text: str
    target_duration: int = 0
    part_target: float = 0.0
    media_sequence: int = 0
    discontinuity_sequence: int = 0
    segments: list[Segment] = field(default_factory=list)
    hint: str | None = None
    ended: bool = False
    reports: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def complete(self) -> list[Segment]:
        """The segments that are closed."""
        return [segment for segment in self.segments if segment.duration is not None]


class _Reader:
    """Reads a media playlist line by line."""

    def __init__(self, text: str) -> None:
        self.playlist = MediaPlaylist(text)
        self._init: str | None = None
        self._current: Segment | None = None
        for line in text.splitlines():
            if line.startswith("#"):
                self._tag(*line.partition(":")[::2])
            elif line:
                self._segment().uri = line
                self._current = None

    def _segment(self) -> Segment:
        if self._current is None:
            msn = self.playlist.media_sequence + len(self.playlist.segments)
            self._current = Segment(msn, init=self._init)
            self.playlist.segments.append(self._current)
        return self._current

    def _tag(self, tag: str, value: str) -> None:
        if tag in self._HEADER:
            self._HEADER[tag](self.playlist, value)
        elif tag == "#EXT-X-MAP":
            self._init = attributes(value)["URI"]
            if self._current is not None:
                self._current.init = self._init
        elif tag in self._SEGMENT:
            self._SEGMENT[tag](self._segment(), value)

    _HEADER: ClassVar[dict[str, Callable[[MediaPlaylist, str], None]]] = {
        "#EXT-X-TARGETDURATION": lambda p, v: setattr(p, "target_duration", int(v)),
        "#EXT-X-PART-INF": lambda p, v: setattr(p, "part_target", float(attributes(v)["PART-TARGET"])),
        "#EXT-X-MEDIA-SEQUENCE": lambda p, v: setattr(p, "media_sequence", int(v)),
        "#EXT-X-DISCONTINUITY-SEQUENCE": lambda p, v: setattr(p, "discontinuity_sequence", int(v)),
        "#EXT-X-PRELOAD-HINT": lambda p, v: setattr(p, "hint", attributes(v)["URI"]),
        "#EXT-X-RENDITION-REPORT": lambda p, v: _read_report(p, attributes(v)),
        "#EXT-X-ENDLIST": lambda p, _: setattr(p, "ended", True),
    }
    _SEGMENT: ClassVar[dict[str, Callable[[Segment, str], None]]] = {
        "#EXT-X-DISCONTINUITY": lambda s, _: setattr(s, "discontinuity", True),
        "#EXT-X-PROGRAM-DATE-TIME": lambda s, v: setattr(s, "date_time", _read_date(v)),
        "#EXT-X-GAP": lambda s, _: setattr(s, "gap", True),
        "#EXT-X-PART": lambda s, v: s.parts.append(_read_part(attributes(v))),
        "#EXTINF": lambda s, v: setattr(s, "duration", float(v.split(",")[0])),
    }


def _read_part(part: dict[str, str]) -> Part:
    return Part(
        part["URI"], float(part["DURATION"]), part.get("INDEPENDENT") == "YES", part.get("GAP") == "YES"
    )


def _read_report(playlist: MediaPlaylist, report: dict[str, str]) -> None:
    playlist.reports[report["URI"]] = (int(report["LAST-MSN"]), int(report.get("LAST-PART", -1)))


def _read_date(value: str) -> float:
    return datetime.fromisoformat(value).timestamp()


def parse_media(text: str) -> MediaPlaylist:
    """Parse a full (not a delta) media playlist."""
    return _Reader(text).playlist


def parse_master(text: str) -> dict[str, dict[str, str]]:
    """Parse a multivariant playlist: variant URI → its attributes; the audio group under its URI too."""
    variants: dict[str, dict[str, str]] = {}
    pending: dict[str, str] | None = None
    for line in text.splitlines():
        if line.startswith("#EXT-X-STREAM-INF"):
            pending = attributes(line.partition(":")[2])
        elif line.startswith("#EXT-X-MEDIA:"):
            media = attributes(line.partition(":")[2])
            variants[media["URI"]] = media
        elif line and not line.startswith("#") and pending is not None:
            variants[line] = pending
            pending = None
    return variants


@dataclass(frozen=True)
class FetchedPart:
    """A part as a low-latency player got it."""

    msn: int
    index: int
    duration: float
    start: float
    """Its first frame's date-time, seconds since the epoch."""
    fetched_at: float
    gap: bool
    size_bytes: int
    discontinuity: bool


async def follow(
    session: aiohttp.ClientSession, url: str, *, until: float, fetch: bool = True
) -> AsyncIterator[FetchedPart]:
    """Follow a live media playlist by blocking reloads, as a low-latency player does, until a monotonic time."""
    playlist = await _load(session, url)
    seen = (playlist.segments[-1].msn, len(playlist.segments[-1].parts) - 1)
    while time.monotonic() < until and not playlist.ended:
        msn, part = seen
        last = next((s for s in playlist.segments if s.msn == msn), None)
        closed = last is not None and last.duration is not None
        query = f"?_HLS_msn={msn + 1}&_HLS_part=0" if closed else f"?_HLS_msn={msn}&_HLS_part={part + 1}"
        playlist = await _load(session, url + query)
        for segment in playlist.segments:
            start = segment.date_time or 0.0
            for index, item in enumerate(segment.parts):
                if (segment.msn, index) > seen:
                    size = len(await _get(session, urljoin(url, item.uri))) if fetch and not item.gap else 0
                    yield FetchedPart(
                        segment.msn,
                        index,
                        item.duration,
                        start,
                        time.time(),
                        item.gap,
                        size,
                        segment.discontinuity,
                    )
                    seen = (segment.msn, index)
                start += item.duration


async def collect(session: aiohttp.ClientSession, url: str, until: float) -> list[FetchedPart]:
    """Follow a live media playlist until a monotonic time and return all parts."""
    return [part async for part in follow(session, url, until=until)]


async def _load(session: aiohttp.ClientSession, url: str) -> MediaPlaylist:
    return parse_media((await _get(session, url)).decode())


async def _get(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url) as response:
        body = await response.read()
        assert response.status == 200, (url, response.status, body[:300])
        return body
