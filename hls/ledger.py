"""What is on disk of a broadcast, as lines of JSON: appended as it happens, read when a new process takes over.

A line is a segment of the timeline, a rendition's rendering of one, or a track. Later lines overrule earlier ones.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from fractions import Fraction

from media.packet import AudioTrack, VideoTrack

from .published import PublishedSegment
from .timeline import Segment

Track = VideoTrack | AudioTrack


@dataclass(frozen=True, slots=True)
class Entry:
    """A rendition's rendering of a segment."""

    generation: int
    has_init: bool
    duration_s: float
    size_bytes: int
    """0: a gap, unless it is promised."""
    is_promised: bool


@dataclass(slots=True)
class RememberedRendition:
    """One rendition."""

    entries: dict[int, Entry] = field(default_factory=dict)
    """By media sequence number."""
    tracks: dict[int, Track] = field(default_factory=dict)
    """By generation."""


@dataclass(slots=True)
class Remembered:
    """A broadcast as an earlier process has left it."""

    segments: dict[int, Segment] = field(default_factory=dict)
    """By media sequence number."""
    renditions: dict[str, RememberedRendition] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Media on disk."""
        return sum(entry.size_bytes for found in self.renditions.values() for entry in found.entries.values())


def segment_line(segment: Segment) -> bytes:
    """Write a closed segment of the timeline."""
    return _line("segment", asdict(segment))


def entry_line(rendition: str, item: PublishedSegment) -> bytes:
    """Write what has become of a rendition's rendering."""
    is_promised = item.is_promised and not item.has_bytes
    size_bytes = item.size_bytes if item.is_stored else 0
    entry = Entry(item.generation, item.has_init, item.duration_s, size_bytes, is_promised)
    return _line("entry", {"rendition": rendition, "msn": item.segment.msn, **asdict(entry)})


def track_line(rendition: str, generation: int, track: Track) -> bytes:
    """Write a track."""
    fields = {"rendition": rendition, "generation": generation, "kind": type(track).__name__, **asdict(track)}
    return _line("track", fields)


def read_ledger(lines: Iterable[bytes]) -> Remembered:
    """Read lines back. What cannot be read is left out: the last line may have been cut short."""
    found = Remembered()
    for line in lines:
        try:
            kind, fields = json.loads(line, object_hook=_from_json)
            _take(found, kind, fields)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return found


def _take(found: Remembered, kind: str, fields: dict[str, object]) -> None:
    if kind == "segment":
        segment = Segment(**fields)  # type: ignore[arg-type]
        found.segments[segment.msn] = segment
        return
    rendition = found.renditions.setdefault(str(fields.pop("rendition")), RememberedRendition())
    if kind == "entry":
        msn = fields.pop("msn")
        rendition.entries[msn] = Entry(**fields)  # type: ignore[arg-type, index]
    elif kind == "track":
        generation, make = fields.pop("generation"), _TRACKS[str(fields.pop("kind"))]
        rendition.tracks[generation] = make(**fields)  # type: ignore[arg-type, index]


_TRACKS: dict[str, type[VideoTrack] | type[AudioTrack]] = {"VideoTrack": VideoTrack, "AudioTrack": AudioTrack}


def _line(kind: str, fields: object) -> bytes:
    return json.dumps([kind, fields], separators=(",", ":"), default=_to_json).encode() + b"\n"


def _to_json(value: object) -> object:
    if isinstance(value, bytes):
        return {"base64": b64encode(value).decode()}
    if isinstance(value, Fraction):
        return {"fraction": [value.numerator, value.denominator]}
    raise TypeError(f"{type(value)} is never written")


def _from_json(fields: dict[str, object]) -> object:
    if "base64" in fields:
        return b64decode(str(fields["base64"]), validate=True)
    if "fraction" in fields:
        return Fraction("/".join(map(str, fields["fraction"])))  # type: ignore[call-overload]
    return fields
