"""Rules between the playlists of a presentation (6.2.4; Apple 8)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import combinations

from .finding import Place, Report, Rule, Severity
from .record import Record, SegmentRecord

_SAME_S = 0.002
"""Two presentation times that are meant to be equal, in clocks of 1 kHz and faster."""
_DATE_S = 0.05
_NEAR_S = 0.1

TARGET = Rule("align-target-duration", "6.2.4", Severity.ERROR, "all playlists have the same target duration")
CONTROL = Rule(
    "align-server-control", "6.2.4", Severity.ERROR, "all playlists have the same EXT-X-SERVER-CONTROL"
)
TYPE = Rule("align-type", "6.2.4", Severity.ERROR, "all playlists have the same EXT-X-PLAYLIST-TYPE")
DATES = Rule("align-dates", "6.2.4", Severity.ERROR, "all playlists have EXT-X-PROGRAM-DATE-TIME, or none")
DATE_MAP = Rule(
    "align-date-map", "6.2.4", Severity.ERROR, "dates and media times are in the same relation everywhere"
)
STARTS = Rule(
    "align-starts",
    "Apple 8.22",
    Severity.WARNING,
    "segments of the same number start at the same time in all playlists with video",
)
DISCONTINUITIES = Rule(
    "align-discontinuities",
    "6.2.4",
    Severity.ERROR,
    "matching content has the same discontinuity sequence number",
)
AUDIO = Rule(
    "align-audio",
    "Apple 8.22",
    Severity.WARNING,
    "a segment of sound starts within one and a half of its frames of the pictures",
)
REPORT_AHEAD = Rule(
    "report-ahead", "4.4.5.4", Severity.ERROR, "a rendition report names nothing that is not listed yet"
)
REPORT_STALE = Rule(
    "report-stale", "4.4.5.4", Severity.WARNING, "a rendition report is as new as the playlist that has it"
)

_AHEAD_S = 1.0
"""How much later the other playlist may have been fetched and still refute a report."""
_STALE_S = 1.5
"""How old what a report says may be: a playlist is as old as its part is long, and so is the report."""


def check_alignment(records: Sequence[Record], report: Report) -> None:
    """Compare all playlists of a presentation."""
    compared = [record for record in records if record.is_compared and record.playlist is not None]
    for rule, read in _CONSTANTS.items():
        _check_same(rule, read, compared, report)
    video = [record for record in compared if record.has_video]
    for first, second in combinations(video, 2):
        _check_pair(first, second, report)
    audio = [record for record in compared if not record.has_video and record.segments]
    for record in audio:
        if video:
            _check_audio(video[0], record, report)


def check_report_truth(records: Sequence[Record], report: Report) -> None:
    """Compare what playlists said of each other with what these said themselves."""
    by_url = {record.url.partition("?")[0]: record for record in records}
    times_s = {url: [at_s for at_s, _ in record.progress] for url, record in by_url.items()}
    for record in records:
        place = Place(record.name)
        for time_s, url, stated in record.reports:
            other = by_url.get(url)
            if other is None:
                continue
            later = bisect_left(times_s[url], time_s + _AHEAD_S)
            if later < len(other.progress):
                has = other.progress[later][1]
                detail = f"it says {stated} of {other.name}, which has {has} later"
                report.expect(REPORT_AHEAD, has >= stated, place, detail)
            earlier = bisect_right(times_s[url], time_s - _STALE_S)
            if earlier:
                had = other.progress[earlier - 1][1]
                detail = f"it says {stated} of {other.name}, which had {had} before"
                report.expect(REPORT_STALE, stated >= had, place, detail)


def _control(record: Record) -> object:
    return dict(record.playlist.control) if record.playlist is not None else None


def _has_dates(record: Record) -> object:
    return record.playlist is not None and bool(record.playlist.lines("EXT-X-PROGRAM-DATE-TIME"))


_CONSTANTS: dict[Rule, Callable[[Record], object]] = {
    TARGET: lambda record: record.playlist.target_s if record.playlist is not None else None,
    CONTROL: _control,
    TYPE: lambda record: record.playlist.playlist_type if record.playlist is not None else None,
    DATES: _has_dates,
}


def _check_same(
    rule: Rule, read: Callable[[Record], object], records: Sequence[Record], report: Report
) -> None:
    for record in records[1:]:
        first, value = read(records[0]), read(record)
        detail = f"{_words(value)}, but {_words(first)} in {records[0].name}"
        report.expect(rule, value == first, Place(record.name), detail)


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={item.text}" for name, item in value.items()) or "none"
    return str(value) if value != "" else "none"


def _shared(first: Record, second: Record) -> list[tuple[int, SegmentRecord, SegmentRecord]]:
    both = sorted(first.segments.keys() & second.segments.keys())
    return [(msn, first.segments[msn], second.segments[msn]) for msn in both]


def _start_s(record: SegmentRecord) -> float | None:
    main = record.facts.main
    return main.start_s if main is not None else None


def _check_pair(first: Record, second: Record, report: Report) -> None:
    place = Place(second.name)
    for msn, one, other in _shared(first, second):
        starts = _start_s(one), _start_s(other)
        if starts[0] is None or starts[1] is None:
            continue
        off_s = starts[1] - starts[0]
        detail = f"segment {msn} starts {off_s:+.4f} s off the one of {first.name}"
        report.expect(STARTS, abs(off_s) <= _SAME_S, place, detail)
        if abs(off_s) < _NEAR_S:
            was, is_ = one.discontinuity_sequence, other.discontinuity_sequence
            detail = f"segment {msn} is of {is_}, in {first.name} of {was}"
            report.expect(DISCONTINUITIES, was == is_, place, detail)
        _check_dates(msn, (first, one), (second, other), report)


def _check_audio(video: Record, audio: Record, report: Report) -> None:
    for msn, picture, sound in _shared(video, audio):
        track, shown_s = sound.facts.tracks.get("audio"), _start_s(picture)
        if track is None or shown_s is None:
            continue
        off_s = track.start_s - shown_s
        report.keep_largest("largest_audio_distance_s", abs(off_s))
        detail = f"segment {msn} starts {off_s:+.4f} s off {video.name}, a frame has {track.frame_s:.4f} s"
        report.expect(AUDIO, abs(off_s) <= 1.5 * track.frame_s + _SAME_S, Place(audio.name), detail)
        _check_dates(msn, (video, picture), (audio, sound), report)


def _check_dates(
    msn: int, first: tuple[Record, SegmentRecord], second: tuple[Record, SegmentRecord], report: Report
) -> None:
    one, other = first[1], second[1]
    starts = _start_s(one), _start_s(other)
    if (
        None in (*starts, one.date_s, other.date_s)
        or one.discontinuity_sequence != other.discontinuity_sequence
    ):
        return
    off_s = (float(other.date_s or 0) - float(starts[1] or 0)) - (
        float(one.date_s or 0) - float(starts[0] or 0)
    )
    frames_s = [record.facts.main.frame_s for record in (one, other) if record.facts.main is not None]
    detail = f"segment {msn} is dated {off_s:+.3f} s off {first[0].name}, against its media time"
    report.expect(DATE_MAP, abs(off_s) <= max(_DATE_S, 1.5 * max(frames_s)), Place(second[0].name), detail)
