"""Rules of a media playlist with parts (4.4.3.7, 4.4.3.8, 4.4.4.9, 4.4.5; Appendix B)."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from .finding import Place, Report, Rule, Severity
from .line import Line
from .media_playlist import MediaPlaylist, Part, Segment

MIN_PART_SHARE = 0.85
_TICK_S = 0.000_01
"""What five decimals cannot tell apart."""

PART_INF = Rule("ll-part-inf", "4.4.3.7", Severity.ERROR, "parts come with EXT-X-PART-INF")
PART_MAX = Rule("ll-part-max", "4.4.4.9", Severity.ERROR, "no part is longer than PART-TARGET")
PART_MIN = Rule(
    "ll-part-min",
    "4.4.4.9",
    Severity.ERROR,
    "a part has 85 % of PART-TARGET, unless it is INDEPENDENT, GAP, before a GAP or the last of its segment",
)
PART_SUM = Rule("ll-part-sum", "4.4.4.9", Severity.ERROR, "the parts of a segment sum up to its EXTINF")
PART_TAGS = Rule(
    "ll-part-tags",
    "4.4.4.9",
    Severity.ERROR,
    "discontinuity, key, map and date of a segment stand before its first part",
)
PART_HOLD_BACK = Rule("ll-part-hold-back", "4.4.3.8", Severity.ERROR, "PART-HOLD-BACK is there with parts")
PART_HOLD_BACK_MIN = Rule(
    "ll-part-hold-back-min", "4.4.3.8", Severity.ERROR, "PART-HOLD-BACK is at least twice PART-TARGET"
)
PART_HOLD_BACK_RECOMMENDED = Rule(
    "ll-part-hold-back-recommended",
    "4.4.3.8, Apple 14.3",
    Severity.WARNING,
    "PART-HOLD-BACK is at least three times PART-TARGET",
)
HOLD_BACK = Rule(
    "ll-hold-back", "4.4.3.8", Severity.ERROR, "HOLD-BACK is at least three times the target duration"
)
SKIP_BOUNDARY = Rule(
    "ll-skip-boundary", "4.4.3.8", Severity.ERROR, "CAN-SKIP-UNTIL is at least six times the target duration"
)
SKIP_DATES = Rule(
    "ll-skip-dateranges", "4.4.3.8", Severity.ERROR, "CAN-SKIP-DATERANGES comes with CAN-SKIP-UNTIL"
)
BLOCK_RELOAD = Rule(
    "ll-block-reload", "B.1", Severity.ERROR, "a live playlist with parts has CAN-BLOCK-RELOAD=YES"
)
DATES = Rule("ll-date", "B.1", Severity.ERROR, "a live playlist with parts has EXT-X-PROGRAM-DATE-TIME")
EDGE_PARTS = Rule(
    "ll-edge-parts",
    "4.4.4.9",
    Severity.ERROR,
    "the newest segment of a live playlist with parts has them too",
)
OLD_PARTS = Rule(
    "ll-old-parts",
    "6.2.2",
    Severity.WARNING,
    "no EXT-X-PART is farther than three target durations (and a segment) from the end",
)
HINT_KINDS = Rule("ll-hint-kinds", "6.2.6", Severity.WARNING, "there is one EXT-X-PRELOAD-HINT of a type")
HINT_TYPE = Rule("ll-hint-type", "4.4.5.3", Severity.ERROR, "the type of a hint is PART or MAP")
REPORT_RELATIVE = Rule(
    "ll-report-relative", "4.4.5.4", Severity.ERROR, "the address in EXT-X-RENDITION-REPORT is relative"
)
REPORT_OTHERS = Rule(
    "ll-report-others",
    "B.1",
    Severity.WARNING,
    "there is an EXT-X-RENDITION-REPORT for every other rendition",
)


def check_low_latency(playlist: MediaPlaylist, name: str, report: Report) -> None:
    """Apply the rules to one version of a media playlist."""
    place = Place(name)
    _check_control(playlist, place, report)
    parts = playlist.lines("EXT-X-PART")
    if parts:
        at = parts[0].place(name)
        report.expect(PART_INF, playlist.part_target_s is not None, at, "there is no PART-TARGET")
    if playlist.part_target_s is None:
        return
    for segment in playlist.all_segments:
        _check_parts(segment, playlist.part_target_s, name, report)
    _check_hold_back(playlist, playlist.part_target_s, place, report)
    if not playlist.is_ended:
        _check_live(playlist, place, report)


def check_reports(
    playlist: MediaPlaylist, name: str, address: str, others: dict[str, str], report: Report
) -> None:
    """Check that each other rendition is reported on.

    Args:
        playlist: a live one with parts.
        name: of it.
        address: of it.
        others: name of every other rendition with parts by its absolute address without query.
        report: where findings go.
    """
    reported = {
        resolve_path(address, line.attributes["URI"].text)
        for line in playlist.lines("EXT-X-RENDITION-REPORT")
        if "URI" in line.attributes
    }
    missing = sorted(other for target, other in others.items() if target not in reported)
    report.expect(REPORT_OTHERS, not missing, Place(name), f"none for {', '.join(missing)}")


def resolve_path(base: str, uri: str) -> str:
    """Resolve an address and drop its query."""
    return urljoin(base, uri).partition("?")[0]


def _number(line: Line | None, playlist: MediaPlaylist, name: str) -> float | None:
    value = playlist.control.get(name)
    return value.number if value is not None and line is not None else None


def _check_control(playlist: MediaPlaylist, place: Place, report: Report) -> None:
    line = playlist.document.find("EXT-X-SERVER-CONTROL")
    if line is None or playlist.target_s is None:
        return
    at = line.place(place.name)
    for rule, attribute, factor in ((HOLD_BACK, "HOLD-BACK", 3), (SKIP_BOUNDARY, "CAN-SKIP-UNTIL", 6)):
        value = _number(line, playlist, attribute)
        if value is not None:
            least = factor * playlist.target_s
            report.expect(rule, value >= least - _TICK_S, at, f"{attribute} is {value:g}, not {least:g}")
    if "CAN-SKIP-DATERANGES" in playlist.control:
        report.expect(SKIP_DATES, "CAN-SKIP-UNTIL" in playlist.control, at, "there is no CAN-SKIP-UNTIL")


def _check_parts(segment: Segment, target_s: float, name: str, report: Report) -> None:
    for index, part in enumerate(segment.parts):
        at = part.line.place(name)
        label = f"part {segment.msn}.{index} of {part.duration_s:g} s"
        report.expect(PART_MAX, part.duration_s <= target_s, at, f"{label}, PART-TARGET is {target_s:g} s")
        if not _may_be_short(segment, index):
            least = MIN_PART_SHARE * target_s
            report.expect(PART_MIN, part.duration_s >= least - _TICK_S, at, f"{label}, {least:g} s wanted")
    if not segment.parts:
        return
    late = segment.late_tags[:1]
    at = late[0].place(name) if late else Place(name)
    report.expect(PART_TAGS, not late, at, f"it stands behind a part of its segment ({segment.msn})")
    if segment.duration_s is not None:
        total_s = sum(part.duration_s for part in segment.parts)
        detail = (
            f"parts of segment {segment.msn} sum up to {total_s:.5f} s, EXTINF is {segment.duration_text}"
        )
        holds = abs(total_s - segment.duration_s) <= 0.001 * (len(segment.parts) + 1)
        report.expect(PART_SUM, holds, segment.line.place(name), detail)


def _may_be_short(segment: Segment, index: int) -> bool:
    part, following = segment.parts[index], segment.parts[index + 1 : index + 2]
    is_final = not following
    return part.is_independent or part.is_gap or is_final or following[0].is_gap


def _check_hold_back(playlist: MediaPlaylist, target_s: float, place: Place, report: Report) -> None:
    line = playlist.document.find("EXT-X-SERVER-CONTROL")
    at = line.place(place.name) if line is not None else place
    value = _number(line, playlist, "PART-HOLD-BACK")
    if not report.expect(PART_HOLD_BACK, value is not None, at, "there is none") or value is None:
        return
    detail = f"PART-HOLD-BACK is {value:g}, PART-TARGET {target_s:g}"
    report.expect(PART_HOLD_BACK_MIN, value >= 2 * target_s - _TICK_S, at, detail)
    report.expect(PART_HOLD_BACK_RECOMMENDED, value >= 3 * target_s - _TICK_S, at, detail)


def _check_live(playlist: MediaPlaylist, place: Place, report: Report) -> None:
    block = playlist.control.get("CAN-BLOCK-RELOAD")
    report.expect(BLOCK_RELOAD, block is not None and block.is_yes, place, "it is not there")
    has_date = any(segment.date_s is not None for segment in playlist.all_segments)
    report.expect(DATES, has_date or not playlist.all_segments, place, "there is no date")
    if playlist.segments and not playlist.segments[-1].is_gap:
        segment = playlist.segments[-1]
        at = segment.line.place(place.name)
        report.expect(EDGE_PARTS, bool(segment.parts), at, f"segment {segment.msn} has none")
    _check_old_parts(playlist, place, report)
    hints = playlist.lines("EXT-X-PRELOAD-HINT")
    kinds = [line.attributes["TYPE"].text for line in hints if "TYPE" in line.attributes]
    for line, kind in zip(hints, kinds, strict=False):
        report.expect(HINT_TYPE, kind in ("PART", "MAP"), line.place(place.name), f"{kind!r} is no type")
    if hints:
        at = hints[-1].place(place.name)
        report.expect(HINT_KINDS, len(set(kinds)) == len(kinds), at, "there are several of one type")
    for line in playlist.lines("EXT-X-RENDITION-REPORT"):
        uri = line.attributes.get("URI")
        if uri is not None:
            is_relative = not urlsplit(uri.text).netloc
            report.expect(REPORT_RELATIVE, is_relative, line.place(place.name), "it names a host")


def _check_old_parts(playlist: MediaPlaylist, place: Place, report: Report) -> None:
    if playlist.target_s is None:
        return
    distance_s, oldest = 0.0, None
    for segment in reversed(playlist.all_segments):
        if segment.parts and distance_s > 4 * playlist.target_s:
            oldest = segment
        distance_s += segment.length_s
    at = oldest.line.place(place.name) if oldest is not None else place
    report.expect(OLD_PARTS, oldest is None, at, "its parts are still listed")


def parts_by_address(playlist: MediaPlaylist) -> dict[tuple[int, int], Part]:
    """List the parts by number of the segment and index."""
    return {
        (segment.msn, index): part
        for segment in playlist.all_segments
        for index, part in enumerate(segment.parts)
    }
