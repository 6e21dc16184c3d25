"""Judges the media of one playlist: takes bytes in order, chooses the reader for their container."""

from __future__ import annotations

from .boxes import is_fragmented
from .facts import SegmentFacts
from .finding import Place, Report, Rule, Severity
from .fragment_rules import MAP, PART_BYTES, FragmentChecker
from .initialization import Initialization
from .media_playlist import Part, Resource, Segment
from .record import I_FRAMES, Record
from .transport_rules import TransportChecker

INSPECTED = Rule(
    "media-inspected", "3.1", Severity.NOTE, "media is of a container that this checker reads, not encrypted"
)
MAX_HELD_PARTS = 400
"""Whose bytes are kept until their segment comes: three target durations of the shortest parts in use."""
_TRANSPORT_SYNC = b"G"


class Content:
    """Judges the media of one playlist."""

    def __init__(self, record: Record, report: Report) -> None:
        self._record = record
        self._report = report
        self._fragments = FragmentChecker(record.name, report)
        self._transport = TransportChecker(record.name, report)
        self._initializations: dict[Resource, Initialization | None] = {}
        self._parts: dict[tuple[int, int], bytes] = {}

    def needs(self, resource: Resource | None) -> bool:
        """Tell whether an initialization section has still to be fetched."""
        return resource is not None and resource not in self._initializations

    def initialization(self, resource: Resource, data: bytes | None) -> None:
        """Judge an initialization section; None when it could not be fetched."""
        found = None
        if data is not None:
            self._report.seen["initialization sections"] += 1
            found = self._fragments.initialization(data, resource.uri)
        self._initializations[resource] = found
        if found is not None:
            self._record.tracks[resource] = tuple(found.tracks.values())

    def part(self, segment: Segment, index: int, data: bytes, before: Segment | None) -> None:
        """Judge a part.

        Args:
            segment: that it belongs to.
            index: of the part in its segment.
            data: its bytes.
            before: the segment in front of it, None when that is not listed.
        """
        self._report.seen["parts"] += 1
        if len(self._parts) < MAX_HELD_PARTS:
            self._parts[segment.msn, index] = data
        part: Part = segment.parts[index]
        initialization = self._initializations.get(segment.init) if segment.init is not None else None
        if initialization is not None and not segment.is_encrypted and is_fragmented(data):
            after: tuple[int, int] | None = (segment.msn, index - 1)
            if index == 0:
                is_known = before is not None and before.parts and not segment.is_discontinuity
                after = (before.msn, len(before.parts) - 1) if before is not None and is_known else None
            self._fragments.part(data, part, (segment.msn, index), initialization, after=after)

    def part_bytes(self, where: tuple[int, int]) -> bytes | None:
        """Return the bytes of a part whose segment has not come yet."""
        return self._parts.get(where)

    def segment(self, segment: Segment, data: bytes) -> None:
        """Judge a whole segment."""
        self._report.seen["segments"] += 1
        place = segment.line.place(self._record.name)
        self._compare_parts(segment, data, place)
        if self._record.role == I_FRAMES:
            found = self._initializations.get(segment.init) if segment.init is not None else None
            if found is not None and is_fragmented(data) and not segment.is_encrypted:
                self._report.seen["segments inspected"] += 1
                self._fragments.i_frame(data, segment, found)
            return
        facts = self._read(segment, data, place)
        if facts is not None:
            self._report.seen["segments inspected"] += 1
            self._record.keep(segment, facts)

    def _read(self, segment: Segment, data: bytes, place: Place) -> SegmentFacts | None:
        if segment.is_encrypted:
            self._report.expect(INSPECTED, False, place, "it is encrypted")
            return None
        if is_fragmented(data):
            self._report.expect(INSPECTED, True, place, "")
            self._report.expect(MAP, segment.init is not None, place, "there is none")
            found = self._initializations.get(segment.init) if segment.init is not None else None
            return self._fragments.segment(data, segment, found) if found is not None else None
        if data[:1] == _TRANSPORT_SYNC or segment.init is None:
            is_packed = (
                data[:3] == b"ID3" or data[:6] in (b"WEBVTT", b"\xef\xbb\xbfWEB") or data[:1] == b"\xff"
            )
            self._report.expect(INSPECTED, not is_packed, place, "packed audio and text are not inspected")
            return None if is_packed else self._transport.segment(data, segment)
        self._report.expect(INSPECTED, False, place, f"it begins with {data[:8].hex()}")
        return None

    def _compare_parts(self, segment: Segment, data: bytes, place: Place) -> None:
        held = [self._parts.get((segment.msn, index)) for index in range(len(segment.parts))]
        pieces = [piece for piece in held if piece is not None]
        has_gap = any(part.is_gap for part in segment.parts)
        if held and len(pieces) == len(held) and not has_gap:
            whole = b"".join(pieces)
            detail = f"segment {segment.msn} has {len(data)} bytes, its {len(held)} parts {len(whole)}"
            self._report.expect(PART_BYTES, whole == data, place, detail)
        self._parts = {where: piece for where, piece in self._parts.items() if where[0] > segment.msn}
