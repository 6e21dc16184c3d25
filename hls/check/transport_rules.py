"""Rules of MPEG-TS segments (3.1.1; Apple 7)."""

from __future__ import annotations

from itertools import pairwise

from media.error import PeerError

from .facts import SegmentFacts, TrackFacts
from .finding import Place, Report, Rule, Severity
from .media_playlist import Segment
from .transport_stream import Stream, Transport, read_transport, step, ticks_to_s

READABLE = Rule("ts-readable", "3.1.1", Severity.ERROR, "a segment is whole packets of MPEG-TS, in sync")
TABLES = Rule("ts-tables", "3.1.1", Severity.ERROR, "PAT and PMT come before media in each segment")
CONTINUOUS = Rule(
    "ts-continuous",
    "Apple 7.2",
    Severity.ERROR,
    "continuity counters and times go on, over segments too, up to a discontinuity",
)
KEY_FIRST = Rule("ts-key-first", "Apple 7.4", Severity.ERROR, "a segment of video starts with an IDR picture")
DURATION = Rule("ts-duration", "Apple 8.1", Severity.WARNING, "EXTINF is true within one frame")
TIMES = Rule("ts-times", "3.1.1", Severity.ERROR, "frames have presentation times")


class TransportChecker:
    """Judges the MPEG-TS of one media playlist in the order in which it comes."""

    def __init__(self, name: str, report: Report) -> None:
        self._name = name
        self._report = report
        self._last: tuple[int, Transport] | None = None

    def segment(self, data: bytes, segment: Segment) -> SegmentFacts | None:
        """Judge a segment; None when it cannot be read."""
        place, report = segment.line.place(self._name), self._report
        try:
            found = read_transport(data)
        except PeerError as error:
            report.expect(READABLE, False, place, str(error))
            return None
        report.expect(READABLE, True, place, "")
        report.seen["packets"] += len(data) // 188
        report.expect(TABLES, found.has_tables, place, "they do not")
        report.expect(CONTINUOUS, not found.breaks, place, f"{found.breaks} counters are off")
        self._check_counters(found, segment, place)
        self._last = (segment.msn, found)
        tracks: dict[str, TrackFacts] = {}
        for stream in found.streams.values():
            report.expect(TIMES, bool(stream.times), place, f"the {stream.codec} has none")
            if stream.times:
                tracks.setdefault(stream.kind, _facts(stream))
            if stream.is_key_first is not None:
                detail = f"segment {segment.msn} starts with another picture"
                report.expect(KEY_FIRST, stream.is_key_first, place, detail)
        facts = SegmentFacts("mpegts", len(data), tracks)
        main = facts.main
        if main is not None:
            detail = f"segment {segment.msn} lasts {main.duration_s:.3f} s, EXTINF is {segment.duration_text}"
            # A frame of sound holds several pictures' worth of time in one packet, so its own length counts.
            holds = abs(main.duration_s - segment.length_s) <= main.frame_s + 0.01
            report.expect(DURATION, holds, place, detail)
        return facts

    def _check_counters(self, found: Transport, segment: Segment, place: Place) -> None:
        if self._last is None or self._last[0] != segment.msn - 1 or segment.is_discontinuity:
            return
        last = self._last[1]
        for pid, first in found.first_counters.items():
            if pid in last.last_counters and pid in found.streams:
                follows = (last.last_counters[pid] + 1) & 15
                detail = f"packets of {pid} begin with {first} where {follows} follows"
                self._report.expect(CONTINUOUS, first == follows, place, detail)
            if pid in last.streams and pid in found.streams:
                self._check_times(last.streams[pid], found.streams[pid], place)

    def _check_times(self, last: Stream, now: Stream, place: Place) -> None:
        if last.times and now.times:
            gap_s = ticks_to_s(step(max(last.times), min(now.times)))
            longest_s = max(_facts(last).frame_s, _facts(now).frame_s)
            detail = f"the {now.codec} goes on {gap_s:+.3f} s later"
            self._report.expect(CONTINUOUS, 0 < gap_s <= 2 * longest_s + 0.01, place, detail)


def _facts(stream: Stream) -> TrackFacts:
    """Sum up a stream that has times: it lasts one frame longer than from the first to the last one begins."""
    shown = sorted(stream.times)
    steps = [after - before for before, after in pairwise(shown)]
    usual = sorted(steps)[len(steps) // 2] if steps else 0
    duration = shown[-1] - shown[0] + usual
    longest = max(steps, default=0)
    return TrackFacts(
        kind=stream.kind,
        start_s=ticks_to_s(shown[0]),
        duration_s=ticks_to_s(duration),
        frame_s=ticks_to_s(longest),
        frames=len(shown),
        is_key_first=stream.is_key_first,
    )
