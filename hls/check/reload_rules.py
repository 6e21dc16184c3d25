"""Rules of a live playlist over time: what one version may change of the one before (6.2.1, 6.2.2)."""

from __future__ import annotations

from .finding import Place, Report, Rule, Severity
from .low_latency_rules import parts_by_address
from .media_playlist import MediaPlaylist, Segment

SEQUENCE_BACK = Rule("reload-sequence", "6.2.2", Severity.ERROR, "EXT-X-MEDIA-SEQUENCE never decreases")
SHIFTED = Rule(
    "reload-sequence-count",
    "6.2.2",
    Severity.ERROR,
    "EXT-X-MEDIA-SEQUENCE rises by one for each removed segment, so a segment keeps its number",
)
CHANGED = Rule(
    "reload-segment-changed", "6.2.1", Severity.ERROR, "a listed segment keeps its address, duration and tags"
)
PART_CHANGED = Rule("reload-part-changed", "6.2.1", Severity.ERROR, "a listed part stays as it is")
BACKWARDS = Rule("reload-backwards", "6.2.1", Severity.ERROR, "a later version reaches at least as far")
DISCONTINUITY = Rule(
    "reload-discontinuity-sequence",
    "6.2.2",
    Severity.ERROR,
    "a segment keeps its discontinuity sequence number when others are removed",
)
REMOVED_EARLY = Rule(
    "reload-removed-early",
    "6.2.2",
    Severity.ERROR,
    "segments are removed only while three target durations remain",
)
PART_REMOVED = Rule(
    "reload-part-removed",
    "6.2.2",
    Severity.WARNING,
    "EXT-X-PART is removed only when it is three target durations from the end",
)
TYPE_KEPT = Rule("reload-type", "6.2.1", Severity.ERROR, "with EXT-X-PLAYLIST-TYPE no segment is removed")
FINAL = Rule("reload-final", "6.2.1", Severity.ERROR, "nothing changes after EXT-X-ENDLIST")
TARGET = Rule("reload-target-duration", "6.2.1", Severity.ERROR, "EXT-X-TARGETDURATION never changes")
PART_TARGET = Rule("reload-part-target", "4.4.3.7", Severity.ERROR, "PART-TARGET never changes")
CONTROL = Rule("reload-server-control", "4.4.3.8", Severity.ERROR, "EXT-X-SERVER-CONTROL never changes")
HINT = Rule(
    "reload-hint", "4.4.5.3", Severity.ERROR, "the part that follows has the address that was hinted at"
)


def check_reload(before: MediaPlaylist, now: MediaPlaylist, name: str, report: Report) -> None:
    """Compare two full versions of a playlist, the second one later."""
    place = Place(name)
    if before.is_ended:
        same = [(s.msn, s.resource) for s in before.segments] == [(s.msn, s.resource) for s in now.segments]
        report.expect(FINAL, now.is_ended and same, place, "the playlist changed after its end")
        return
    _check_constants(before, now, place, report)
    line = now.document.find("EXT-X-MEDIA-SEQUENCE")
    at = line.place(name) if line is not None else place
    is_rising = now.media_sequence >= before.media_sequence
    detail = f"it was {before.media_sequence}, it is {now.media_sequence}"
    if not report.expect(SEQUENCE_BACK, is_rising, at, detail):
        return
    report.expect(
        BACKWARDS, now.last >= before.last, place, f"the last part was {before.last}, it is {now.last}"
    )
    _check_numbers(before, now, place, report)
    _check_segments(before, now, name, report)
    _check_parts(before, now, name, report)
    _check_hint(before, now, name, report)
    if now.playlist_type:
        detail = f"it is {now.playlist_type}, and {now.media_sequence - before.media_sequence} went"
        report.expect(TYPE_KEPT, now.media_sequence == before.media_sequence, at, detail)
    if now.media_sequence > before.media_sequence and not now.is_ended and now.target_s is not None:
        listed_s = sum(segment.length_s for segment in now.segments)
        detail = f"{listed_s:.3f} s remain, the target duration is {now.target_s} s"
        report.expect(REMOVED_EARLY, listed_s >= 3 * now.target_s - 0.001, at, detail)


def _check_constants(before: MediaPlaylist, now: MediaPlaylist, place: Place, report: Report) -> None:
    for rule, tag in (
        (TARGET, "EXT-X-TARGETDURATION"),
        (PART_TARGET, "EXT-X-PART-INF"),
        (CONTROL, "EXT-X-SERVER-CONTROL"),
    ):
        lines = before.document.find(tag), now.document.find(tag)
        if lines != (None, None):
            # As attributes, whose order does not matter.
            values = [(line.attributes or line.value) if line is not None else None for line in lines]
            at = lines[1].place(place.name) if lines[1] is not None else place
            detail = f"it was {lines[0].value if lines[0] is not None else 'not there'}"
            # What blocks and skips belongs to a live playlist; the end may take it away.
            holds = values[0] == values[1] or (now.is_ended and values[1] is None)
            report.expect(rule, holds, at, detail)


def _check_numbers(before: MediaPlaylist, now: MediaPlaylist, place: Place, report: Report) -> None:
    # Segments that a delta update skipped are the same ones as before.
    old, new = {id(segment) for segment in before.segments}, {id(segment) for segment in now.segments}
    numbers = {
        segment.resource: segment.msn
        for segment in before.segments
        if segment.resource is not None and id(segment) not in new
    }
    for segment in now.segments:
        if id(segment) in old:
            continue
        known = numbers.get(segment.resource) if segment.resource is not None else None
        if known is not None:
            detail = f"the segment had number {known}, now {segment.msn}"
            at = segment.line.place(place.name)
            report.expect(SHIFTED, known == segment.msn, at, detail)


def _constant(segment: Segment) -> tuple[object, ...]:
    """Return what a later version must repeat of a segment."""
    return (
        segment.resource,
        segment.duration_s,
        segment.init,
        segment.date_s,
        segment.is_discontinuity,
        segment.is_gap,
        segment.is_encrypted,
    )


_NAMES = ("address", "duration", "map", "date", "discontinuity", "gap", "key")


def _check_segments(before: MediaPlaylist, now: MediaPlaylist, name: str, report: Report) -> None:
    known = {segment.msn: segment for segment in before.segments}
    for segment in now.segments:
        old = known.get(segment.msn)
        if old is None or old is segment:
            continue
        pairs = zip(_NAMES, _constant(old), _constant(segment), strict=True)
        changed = [f"{what}: {was} is now {is_}" for what, was, is_ in pairs if was != is_]
        at = segment.line.place(name)
        report.expect(CHANGED, not changed, at, f"segment {segment.msn}: {'; '.join(changed)}")
        was, is_ = old.discontinuity_sequence, segment.discontinuity_sequence
        report.expect(DISCONTINUITY, was == is_, at, f"segment {segment.msn} was of {was} and is of {is_}")


def _check_parts(before: MediaPlaylist, now: MediaPlaylist, name: str, report: Report) -> None:
    old, new = parts_by_address(before), parts_by_address(now)
    numbers = {segment.msn for segment in now.all_segments}
    distances_s = _distances_s(now)
    lost = []
    for where, part in old.items():
        kept = new.get(where)
        if kept is not None:
            detail = f"part {where[0]}.{where[1]} was {part.line.text}"
            report.expect(PART_CHANGED, kept == part, kept.line.place(name), detail)
        elif where[0] in numbers and now.target_s is not None:
            lost += [where] if distances_s[where[0]] <= 3 * now.target_s - 0.001 else []
    if old and not now.is_ended:
        detail = f"part {lost[0][0]}.{lost[0][1]} is {distances_s[lost[0][0]]:.2f} s from it" if lost else ""
        report.expect(PART_REMOVED, not lost, Place(name), detail)


def _distances_s(playlist: MediaPlaylist) -> dict[int, float]:
    """Return how far the end of each segment is from the end of the playlist, by number."""
    distance_s, found = 0.0, {}
    for segment in reversed(playlist.all_segments):
        found[segment.msn] = distance_s
        distance_s += segment.length_s
    return found


def _check_hint(before: MediaPlaylist, now: MediaPlaylist, name: str, report: Report) -> None:
    hints = [
        line.attributes["URI"].text
        for line in before.lines("EXT-X-PRELOAD-HINT")
        if "URI" in line.attributes
        and line.attributes.get("TYPE") is not None
        and line.attributes["TYPE"].text == "PART"
    ]
    if not hints:
        return
    new = parts_by_address(now)
    last = before.last
    following = new.get((last[0], last[1] + 1)) or new.get((last[0] + 1, 0))
    if following is not None:
        detail = f"hinted at was {hints[0]!r}"
        # Behind a discontinuity other media may come than was planned (6.2.6).
        moved = any(s.is_discontinuity for s in now.all_segments if s.msn > last[0])
        holds = following.resource.uri == hints[0] or moved
        report.expect(HINT, holds, following.line.place(name), detail)
