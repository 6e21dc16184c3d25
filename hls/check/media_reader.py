"""Reads a document as a media playlist: gathers the tags of each segment until its address comes (4.4.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from .attribute import parse_decimal, parse_integer
from .document import Document
from .line import Line
from .media_playlist import MediaPlaylist, Part, Resource, Segment


def read_media(document: Document) -> MediaPlaylist:
    """Read a media playlist; what cannot be read is left out, since the document's faults already tell of it."""
    integers = {
        tag: parse_integer(line.value) if (line := document.find(tag)) is not None else None
        for tag in (
            "EXT-X-VERSION",
            "EXT-X-TARGETDURATION",
            "EXT-X-MEDIA-SEQUENCE",
            "EXT-X-DISCONTINUITY-SEQUENCE",
        )
    }
    reader = _SegmentReader(
        (integers["EXT-X-MEDIA-SEQUENCE"] or 0) + (skipped := _skipped(document)),
        integers["EXT-X-DISCONTINUITY-SEQUENCE"] or 0,
    )
    for line in document.lines:
        reader.read(line)
    control = document.find("EXT-X-SERVER-CONTROL")
    inf = document.find("EXT-X-PART-INF")
    target = inf.attributes.get("PART-TARGET") if inf is not None else None
    kind = document.find("EXT-X-PLAYLIST-TYPE")
    return MediaPlaylist(
        document=document,
        version=integers["EXT-X-VERSION"],
        target_s=integers["EXT-X-TARGETDURATION"],
        media_sequence=integers["EXT-X-MEDIA-SEQUENCE"] or 0,
        discontinuity_sequence=integers["EXT-X-DISCONTINUITY-SEQUENCE"] or 0,
        skipped=skipped,
        segments=tuple(reader.segments),
        open_segment=reader.open_segment(),
        part_target_s=target.number if target is not None else None,
        control=control.attributes if control is not None else {},
        playlist_type=kind.value if kind is not None else "",
        is_ended=document.find("EXT-X-ENDLIST") is not None,
    )


def parse_date(text: str) -> float | None:
    """Read an ISO 8601 date and time; without a zone it is UTC (4.4.4.6). None when it is none."""
    try:
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def parse_byte_range(text: str) -> tuple[int, int | None] | None:
    """Read `<n>[@<o>]`: length and start; None when it is none."""
    length, separator, start = text.partition("@")
    numbers = parse_integer(length), parse_integer(start)
    if numbers[0] is None or (separator and numbers[1] is None):
        return None
    return numbers[0], numbers[1]


def _skipped(document: Document) -> int:
    line = document.find("EXT-X-SKIP")
    value = line.attributes.get("SKIPPED-SEGMENTS") if line is not None else None
    return (value.integer or 0) if value is not None else 0


@dataclass(slots=True)
class _Draft:
    """What has been read of the segment whose address has not come yet."""

    duration_s: float | None = None
    duration_text: str = ""
    parts: list[Part] = field(default_factory=list)
    date_s: float | None = None
    is_discontinuity: bool = False
    is_gap: bool = False
    line: Line | None = None
    """EXTINF, or else the first line."""
    late_tags: list[Line] = field(default_factory=list)
    byte_range: str = ""


class _SegmentReader:
    """Collects the tags of a segment until its address comes."""

    def __init__(self, msn: int, discontinuity_sequence: int) -> None:
        self.segments: list[Segment] = []
        self._msn = msn
        self._discontinuity_sequence = discontinuity_sequence
        self._init: Resource | None = None
        self._is_encrypted = False
        self._range_end: dict[str, int] = {}
        self._draft = _Draft()

    def read(self, line: Line) -> None:
        """Read one line."""
        if not line.tag:
            self._close(line)
        elif line.tag == "EXT-X-PART":
            self._add_part(line)
        elif line.tag in _SEGMENT_TAGS:
            _SEGMENT_TAGS[line.tag](self, line)
            if self._draft.parts and line.tag in _EARLY_TAGS:
                self._draft.late_tags.append(line)

    def open_segment(self) -> Segment | None:
        """Return the parts that no address has come for."""
        return self._finish(None, self._draft.parts[0].line) if self._draft.parts else None

    def _close(self, line: Line) -> None:
        self.segments.append(self._finish(self._resource(line.text, self._draft.byte_range), line))
        self._msn += 1
        self._draft = _Draft()

    def _finish(self, resource: Resource | None, line: Line) -> Segment:
        draft = self._draft
        return Segment(
            msn=self._msn,
            resource=resource,
            duration_s=draft.duration_s if resource is not None else None,
            duration_text=draft.duration_text,
            parts=tuple(draft.parts),
            init=self._init,
            date_s=draft.date_s,
            discontinuity_sequence=self._discontinuity_sequence,
            is_discontinuity=draft.is_discontinuity,
            is_gap=draft.is_gap,
            is_encrypted=self._is_encrypted,
            line=draft.line or line,
            late_tags=tuple(draft.late_tags),
        )

    def _resource(self, uri: str, byte_range: str) -> Resource:
        found = parse_byte_range(byte_range)
        if found is None:
            return Resource(uri)
        length, start = found
        start = self._range_end.get(uri, 0) if start is None else start
        self._range_end[uri] = start + length
        return Resource(uri, start, length)

    def _add_part(self, line: Line) -> None:
        uri, duration = line.attributes.get("URI"), line.attributes.get("DURATION")
        if uri is None or duration is None:
            return
        is_independent, is_gap = (
            name in line.attributes and line.attributes[name].is_yes for name in ("INDEPENDENT", "GAP")
        )
        resource = self._resource(uri.text, line.text_of("BYTERANGE"))
        self._draft.parts.append(Part(resource, duration.number or 0.0, is_independent, is_gap, line))

    def read_duration(self, line: Line) -> None:
        """Read EXTINF."""
        self._draft.duration_text = line.value.partition(",")[0]
        self._draft.duration_s = parse_decimal(self._draft.duration_text)
        self._draft.line = line

    def read_range(self, line: Line) -> None:
        """Read EXT-X-BYTERANGE."""
        self._draft.byte_range = line.value

    def read_discontinuity(self, _: Line) -> None:
        """Read EXT-X-DISCONTINUITY."""
        self._discontinuity_sequence += 1
        self._draft.is_discontinuity = True

    def read_date(self, line: Line) -> None:
        """Read EXT-X-PROGRAM-DATE-TIME."""
        self._draft.date_s = parse_date(line.value)

    def read_gap(self, _: Line) -> None:
        """Read EXT-X-GAP."""
        self._draft.is_gap = True

    def read_map(self, line: Line) -> None:
        """Read EXT-X-MAP."""
        found = parse_byte_range(line.text_of("BYTERANGE"))
        if "URI" in line.attributes:
            length, start = found if found is not None else (None, 0)
            self._init = Resource(line.text_of("URI"), start or 0, length)

    def read_key(self, line: Line) -> None:
        """Read EXT-X-KEY."""
        self._is_encrypted = line.text_of("METHOD") not in ("", "NONE")


_SEGMENT_TAGS = {
    "EXTINF": _SegmentReader.read_duration,
    "EXT-X-BYTERANGE": _SegmentReader.read_range,
    "EXT-X-DISCONTINUITY": _SegmentReader.read_discontinuity,
    "EXT-X-PROGRAM-DATE-TIME": _SegmentReader.read_date,
    "EXT-X-GAP": _SegmentReader.read_gap,
    "EXT-X-MAP": _SegmentReader.read_map,
    "EXT-X-KEY": _SegmentReader.read_key,
}
_EARLY_TAGS = {"EXT-X-DISCONTINUITY", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-MAP", "EXT-X-KEY"}
"""What has to stand before the first part of its segment (4.4.4.9)."""
