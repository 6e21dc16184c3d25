"""Rules of one media playlist, live or not (4.4.3, 4.4.4; Apple 7 and 8)."""

from __future__ import annotations

from .finding import Place, Report, Rule, Severity
from .line import Line
from .media_playlist import MediaPlaylist
from .media_reader import parse_byte_range, parse_date

APPLE_LIVE_SEGMENTS = 6
_DATE_TOLERANCE_S = 0.1
"""Dates have milliseconds and EXTINF may be rounded as well; a step that viewers could notice is larger."""

VERSION = Rule("media-version", "8", Severity.ERROR, "EXT-X-VERSION is high enough for what is used")
TARGET = Rule("media-target-duration", "4.4.3.1", Severity.ERROR, "EXT-X-TARGETDURATION is there, at least 1")
ROUNDED = Rule(
    "media-duration-rounded", "4.4.3.1", Severity.ERROR, "EXTINF, rounded, is at most the target duration"
)
DURATION = Rule("media-duration", "4.4.4.1", Severity.ERROR, "each segment has a duration in EXTINF")
DECIMALS = Rule(
    "media-duration-decimals", "4.4.4.1", Severity.WARNING, "EXTINF is a decimal-floating-point number"
)
ORDER = Rule(
    "media-tag-order",
    "4.4.3.2",
    Severity.ERROR,
    "EXT-X-MEDIA-SEQUENCE and EXT-X-DISCONTINUITY-SEQUENCE stand before segments and discontinuities",
)
DATE_PRESENT = Rule(
    "media-date", "Apple 8.4", Severity.WARNING, "a live playlist has EXT-X-PROGRAM-DATE-TIME"
)
DATE_FORM = Rule("media-date-form", "4.4.4.6", Severity.ERROR, "dates are ISO 8601")
DATE_SUMS = Rule(
    "media-date-sums", "4.4.4.6", Severity.WARNING, "dates go on as EXTINF does, up to a discontinuity"
)
WINDOW = Rule(
    "media-live-window", "Apple 8.11", Severity.WARNING, "a live playlist has six segments, once it slides"
)
DISCONTINUITY_SEQUENCE = Rule(
    "media-discontinuity-sequence",
    "Apple 8.17",
    Severity.WARNING,
    "a live playlist with a discontinuity has EXT-X-DISCONTINUITY-SEQUENCE",
)
HINT_END = Rule("media-hint-at-end", "4.4.5.3", Severity.ERROR, "no EXT-X-PRELOAD-HINT beside EXT-X-ENDLIST")
TYPE_VALUE = Rule("media-type", "4.4.3.5", Severity.ERROR, "EXT-X-PLAYLIST-TYPE is VOD or EVENT")
VOD_END = Rule(
    "media-vod-end", "6.2.1", Severity.ERROR, "a playlist of type VOD, which cannot change, has EXT-X-ENDLIST"
)
VOD_TYPE = Rule(
    "media-vod-type", "Apple 8.6", Severity.NOTE, "a playlist that has ended says EXT-X-PLAYLIST-TYPE"
)
DATERANGE = Rule(
    "media-daterange-date", "4.4.5.1", Severity.ERROR, "with EXT-X-DATERANGE there is a program date"
)
BYTE_RANGE = Rule("media-byte-range", "4.4.4.2", Severity.ERROR, "byte ranges are <n>[@<o>]")
KEY_URI = Rule("media-key-uri", "4.4.4.4", Severity.ERROR, "EXT-X-KEY names a key unless its method is NONE")
GAP = Rule("media-gap", "4.4.4.7", Severity.NOTE, "no segment is lost")
SEGMENTS = Rule("media-segments", "6.2.1", Severity.WARNING, "the playlist lists segments")
INDEPENDENT = Rule(
    "media-independent-segments",
    "Apple 9.12",
    Severity.WARNING,
    "EXT-X-INDEPENDENT-SEGMENTS is in the multivariant playlist or in each media playlist with video",
)

_VERSIONS = {
    "EXT-X-BYTERANGE": 4,
    "EXT-X-I-FRAMES-ONLY": 4,
    "EXT-X-DEFINE": 8,
    "EXT-X-SKIP": 9,
}
"""Lowest EXT-X-VERSION by tag (8)."""


def check_media(playlist: MediaPlaylist, name: str, report: Report) -> None:
    """Apply the rules to one version of a media playlist."""
    place = Place(name)
    is_live = not playlist.is_ended
    _check_version(playlist, place, report)
    _check_durations(playlist, place, report)
    _check_order(playlist, name, report)
    _check_dates(playlist, place, report, is_live=is_live)
    _check_tags(playlist, name, report)
    _check_type(playlist, place, report)
    report.expect(SEGMENTS, bool(playlist.all_segments or playlist.skipped), place, "it lists nothing")
    if is_live:
        _check_window(playlist, place, report)
    for segment in playlist.segments:
        at = segment.line.place(name)
        report.expect(GAP, not segment.is_gap, at, f"segment {segment.msn} is a gap")


def _check_version(playlist: MediaPlaylist, place: Place, report: Report) -> None:
    needed, reason = 1, ""
    tags = {line.tag for line in playlist.document.lines}
    needs = [(version, tag) for tag, version in _VERSIONS.items() if tag in tags]
    if "EXT-X-MAP" in tags:
        needs.append((5 if "EXT-X-I-FRAMES-ONLY" in tags else 6, "EXT-X-MAP"))
    if any("." in segment.duration_text for segment in playlist.segments):
        needs.append((3, "EXTINF with a fraction"))
    for key in playlist.lines("EXT-X-KEY"):
        needs += [(5, name) for name in ("KEYFORMAT", "KEYFORMATVERSIONS") if name in key.attributes]
        needs += [(2, "IV")] if "IV" in key.attributes else []
    needs += [
        (11, "QUERYPARAM") for line in playlist.lines("EXT-X-DEFINE") if "QUERYPARAM" in line.attributes
    ]
    needs += [
        (10, "RECENTLY-REMOVED-DATERANGES")
        for line in playlist.lines("EXT-X-SKIP")
        if "RECENTLY-REMOVED-DATERANGES" in line.attributes
    ]
    if needs:
        needed, reason = max(needs)
    stated = 1 if playlist.version is None else playlist.version
    detail = f"version {stated}, but {reason} needs {needed}"
    line = playlist.document.find("EXT-X-VERSION")
    report.expect(VERSION, stated >= needed, line.place(place.name) if line is not None else place, detail)


def _check_durations(playlist: MediaPlaylist, place: Place, report: Report) -> None:
    target_s = playlist.target_s
    report.expect(TARGET, target_s is not None and target_s >= 1, place, "there is no usable target duration")
    for segment in playlist.segments:
        at = segment.line.place(place.name)
        if not report.expect(DURATION, segment.duration_s is not None, at, "there is no number in EXTINF"):
            continue
        duration_s = segment.length_s
        if target_s is not None:
            detail = f"segment {segment.msn} of {segment.duration_text} s, target duration {target_s} s"
            report.expect(ROUNDED, int(duration_s + 0.5) <= target_s, at, detail)
        report.expect(
            DECIMALS,
            "." in segment.duration_text or playlist.version in (None, 1, 2),
            at,
            f"{segment.duration_text!r} has no fraction",
        )


def _check_order(playlist: MediaPlaylist, name: str, report: Report) -> None:
    first_segment: Line | None = None
    first_discontinuity: Line | None = None
    for line in playlist.document.lines:
        if line.tag == "EXT-X-DISCONTINUITY":
            first_discontinuity = first_discontinuity or line
        if not line.tag or line.tag in ("EXTINF", "EXT-X-PART"):
            first_segment = first_segment or line
        if line.tag == "EXT-X-MEDIA-SEQUENCE":
            report.expect(ORDER, first_segment is None, line.place(name), "it stands behind a segment")
        if line.tag == "EXT-X-DISCONTINUITY-SEQUENCE":
            is_first = first_segment is None and first_discontinuity is None
            report.expect(ORDER, is_first, line.place(name), "it stands behind a segment or discontinuity")


def _check_dates(playlist: MediaPlaylist, place: Place, report: Report, *, is_live: bool) -> None:
    dates = playlist.lines("EXT-X-PROGRAM-DATE-TIME")
    if is_live and playlist.all_segments:
        report.expect(DATE_PRESENT, bool(dates), place, "there is no EXT-X-PROGRAM-DATE-TIME")
    for line in dates:
        is_date = parse_date(line.value) is not None
        report.expect(DATE_FORM, is_date, line.place(place.name), "it is no ISO 8601 date and time")
    expected_s: float | None = None
    for segment in playlist.all_segments:
        if segment.is_discontinuity:
            expected_s = None
        if segment.date_s is not None:
            if expected_s is not None:
                off_s = segment.date_s - expected_s
                detail = f"segment {segment.msn} is dated {off_s:+.3f} s off what EXTINF sums up to"
                holds = abs(off_s) <= _DATE_TOLERANCE_S
                report.expect(DATE_SUMS, holds, segment.line.place(place.name), detail)
            expected_s = segment.date_s
        if expected_s is not None:
            expected_s += segment.length_s


def _check_tags(playlist: MediaPlaylist, name: str, report: Report) -> None:
    for line in playlist.lines("EXT-X-PRELOAD-HINT"):
        report.expect(HINT_END, not playlist.is_ended, line.place(name), "the playlist has ended")
    for line in playlist.lines("EXT-X-KEY"):
        method = line.attributes.get("METHOD")
        holds = method is None or method.text == "NONE" or "URI" in line.attributes
        report.expect(KEY_URI, holds, line.place(name), "there is no URI")
    for line in playlist.lines("EXT-X-BYTERANGE"):
        is_range = parse_byte_range(line.value) is not None
        report.expect(BYTE_RANGE, is_range, line.place(name), "it is no byte range")
    ranges = playlist.lines("EXT-X-DATERANGE")
    if ranges:
        has_date = bool(playlist.lines("EXT-X-PROGRAM-DATE-TIME"))
        report.expect(DATERANGE, has_date, ranges[0].place(name), "there is no EXT-X-PROGRAM-DATE-TIME")


def _check_type(playlist: MediaPlaylist, place: Place, report: Report) -> None:
    kind = playlist.playlist_type
    line = playlist.document.find("EXT-X-PLAYLIST-TYPE")
    if line is not None:
        at = line.place(place.name)
        report.expect(TYPE_VALUE, kind in ("VOD", "EVENT"), at, f"{kind!r} is no type")
        report.expect(VOD_END, kind != "VOD" or playlist.is_ended, at, "there is no EXT-X-ENDLIST")
    if playlist.is_ended:
        report.expect(VOD_TYPE, bool(kind), place, "it has ended and names no type")


def _check_window(playlist: MediaPlaylist, place: Place, report: Report) -> None:
    listed = playlist.skipped + len(playlist.segments)
    if playlist.media_sequence > 0 and not playlist.playlist_type:
        detail = f"it lists {listed} segments"
        report.expect(WINDOW, listed >= APPLE_LIVE_SEGMENTS, place, detail)
    discontinuities = playlist.lines("EXT-X-DISCONTINUITY")
    if discontinuities and not playlist.playlist_type:
        has_sequence = playlist.document.find("EXT-X-DISCONTINUITY-SEQUENCE") is not None
        at = discontinuities[0].place(place.name)
        report.expect(DISCONTINUITY_SEQUENCE, has_sequence, at, "there is no EXT-X-DISCONTINUITY-SEQUENCE")
