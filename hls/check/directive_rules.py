"""Rules of what a server does when asked: blocking reload, delta updates, hints (6.2.5, 6.2.6)."""

from __future__ import annotations

import re

from .exchange import Exchange
from .finding import Place, Report, Rule, Severity
from .media_playlist import MediaPlaylist, Segment

WANTED = Rule(
    "block-wanted", "6.2.5.2", Severity.ERROR, "a blocking reload answers with what it named, or an error"
)
HELD = Rule(
    "block-limit",
    "6.2.5.2",
    Severity.WARNING,
    "a blocking reload is answered within three target durations, with 503 if need be",
)
PART_ALONE = Rule(
    "block-part-alone", "6.2.5.2", Severity.ERROR, "_HLS_part without _HLS_msn is answered with 400"
)
TOO_FAR = Rule(
    "block-too-far",
    "6.2.5.2",
    Severity.WARNING,
    "_HLS_msn beyond the last segment plus two is answered with 400 at once",
)
PART_TOO_FAR = Rule(
    "block-part-too-far",
    "6.2.5.2",
    Severity.WARNING,
    "_HLS_part beyond the Advance Part Limit is answered with 400 at once",
)
MALFORMED = Rule(
    "block-malformed", "6.2.5.2", Severity.NOTE, "_HLS_msn that is no number is answered with 400"
)
OLD = Rule(
    "block-old", "6.2.5.2", Severity.ERROR, "_HLS_msn that is past is answered with the entire playlist"
)
AFTER_END = Rule(
    "block-after-end", "6.2.5.2", Severity.ERROR, "directives are ignored once there is EXT-X-ENDLIST"
)
SKIPPED = Rule(
    "skip-boundary",
    "6.2.5.1",
    Severity.ERROR,
    "a delta update skips only what is farther from the end than CAN-SKIP-UNTIL",
)
REBUILT = Rule(
    "skip-rebuilt", "6.2.5.1", Severity.ERROR, "a delta update has all that is not skipped, unchanged"
)
SKIP_DONE = Rule(
    "skip-done", "6.2.5.1", Severity.ERROR, "_HLS_skip=YES is answered with a delta update where it can be"
)
HINT_SERVED = Rule("hint-served", "6.2.6", Severity.ERROR, "what is hinted at can be requested, and comes")
HINT_BYTES = Rule(
    "hint-bytes", "6.2.6", Severity.ERROR, "the bytes of a hint are those of the part that it becomes"
)
HINT_SPEED = Rule(
    "hint-speed",
    "6.2.6",
    Severity.WARNING,
    "no byte of a hint comes before all of it can, at the full speed of the link",
)
UNHINTED = Rule(
    "hint-other",
    "6.2.6",
    Severity.WARNING,
    "a future part that is not hinted at is answered with 404 at once",
)

_SLOW_SHARE = 0.5
"""Of a part's duration: a body that takes longer was sent while it was being made."""
_NUMBER = re.compile(r"\d+")


def check_blocking(
    exchange: Exchange,
    playlist: MediaPlaylist | None,
    wanted: tuple[int, int | None],
    name: str,
    report: Report,
) -> None:
    """Judge the answer to a blocking reload.

    Args:
        exchange: request and answer.
        playlist: what came; None when it was an error.
        wanted: number of the segment, and index of the part or None for the whole segment.
        name: of the playlist.
        report: where findings go.
    """
    place = Place(name)
    msn, part = wanted
    label = f"{msn}" if part is None else f"{msn}.{part}"
    if playlist is not None:
        has_it = playlist.is_ended or (
            playlist.next_msn > msn if part is None else playlist.last >= (msn, part)
        )
        detail = f"{label} was asked for, the last that is listed is {playlist.last}"
        report.expect(WANTED, has_it, place, detail)
        if playlist.target_s is not None:
            detail = f"it took {exchange.waited_s:.1f} s"
            report.expect(HELD, exchange.waited_s <= 3 * playlist.target_s + 1, place, detail)
    else:
        detail = f"{label} was asked for and answered with {exchange.status}"
        report.expect(WANTED, exchange.status == 503, place, detail)


def check_refusal(rule: Rule, exchange: Exchange, place: Place, report: Report, *, hold_s: float) -> None:
    """Judge whether a request that is wrong was refused with 400, at once."""
    is_at_once = exchange.waited_s <= hold_s
    detail = f"{exchange.url.rpartition('?')[2]} is answered with {exchange.status}"
    report.expect(rule, exchange.status == 400 and is_at_once, place, detail)


def check_delta(full: MediaPlaylist, delta: MediaPlaylist, name: str, report: Report) -> None:
    """Compare a delta update with a full version of the same playlist.

    Args:
        full: a full version that was fetched before.
        delta: what `_HLS_skip=YES` was answered with, later.
        name: of the playlist.
        report: where findings go.
    """
    place = Place(name)
    boundary = full.control.get("CAN-SKIP-UNTIL")
    limit_s = boundary.number if boundary is not None else None
    if limit_s is None or delta.is_ended or full.is_ended:
        return
    can_skip = _count_skippable(full, limit_s)
    if can_skip and delta.media_sequence == full.media_sequence:
        report.expect(SKIP_DONE, delta.skipped > 0, place, f"{can_skip} segments could be skipped")
    if not delta.skipped:
        return
    line = delta.document.find("EXT-X-SKIP")
    at = line.place(name) if line is not None else place
    first = delta.media_sequence + delta.skipped
    skipped = [segment for segment in full.segments if delta.media_sequence <= segment.msn < first]
    # The end of a playlist is that of its last part: 4.4.3.8 measures the boundary like the hold-backs from there.
    behind_s = delta.duration_s
    closest_s = behind_s + (skipped[-1].length_s if skipped else 0.0)
    detail = f"{delta.skipped} are skipped, and {behind_s:.3f} s remain behind them"
    report.expect(SKIPPED, behind_s >= limit_s - 0.001 or closest_s > limit_s, at, detail)
    known = {segment.msn: segment for segment in full.segments}
    report.expect(REBUILT, len(skipped) == delta.skipped, at, f"{len(skipped)} of them were listed before")
    for segment in delta.segments:
        old = known.get(segment.msn)
        if old is not None:
            same = _repeated(segment) == _repeated(old)
            detail = f"segment {segment.msn} differs from the full playlist"
            report.expect(REBUILT, same, segment.line.place(name), detail)


def _count_skippable(playlist: MediaPlaylist, limit_s: float) -> int:
    distance_s, count = 0.0, 0
    for segment in reversed(playlist.segments):
        count += distance_s >= limit_s + segment.length_s
        distance_s += segment.length_s
    return count


def _repeated(segment: Segment) -> tuple[object, ...]:
    """Return what a delta update repeats; a map from before the skipped ones is not."""
    return segment.resource, segment.duration_s, segment.date_s, segment.is_discontinuity, segment.is_gap


def check_hint(
    exchange: Exchange, part_bytes: bytes | None, duration_s: float, name: str, report: Report
) -> None:
    """Judge the answer to the request for a hint that has become a part.

    Args:
        exchange: request and answer.
        part_bytes: bytes of the part, fetched on their own; None when they are not known.
        duration_s: of the part.
        name: of the playlist.
        report: where findings go.
    """
    place = Place(name)
    detail = f"{exchange.url} is answered with {exchange.status}"
    if not report.expect(HINT_SERVED, exchange.is_ok, place, detail):
        return
    if part_bytes is not None:
        detail = f"{len(exchange.body)} bytes, the part has {len(part_bytes)}"
        report.expect(HINT_BYTES, exchange.body == part_bytes, place, detail)
    detail = f"{len(exchange.body)} bytes came over {exchange.transfer_s:.2f} s"
    report.expect(HINT_SPEED, exchange.transfer_s <= max(_SLOW_SHARE * duration_s, 0.1), place, detail)


def guess_future(part_uri: str, next_uri: str, ahead: int) -> str | None:
    """Guess the address of a part that comes later, when addresses of parts count up.

    Args:
        part_uri: of a part.
        next_uri: of the part behind it.
        ahead: how many parts behind that one.

    Returns:
        None when the addresses do not differ in one number alone.
    """
    numbers, following = _NUMBER.findall(part_uri), _NUMBER.findall(next_uri)
    if _NUMBER.split(part_uri) != _NUMBER.split(next_uri):
        return None
    differing = [
        index for index, pair in enumerate(zip(numbers, following, strict=True)) if pair[0] != pair[1]
    ]
    if len(differing) != 1 or len(following[differing[0]]) > 18:
        return None
    index = differing[0]
    step = int(following[index]) - int(numbers[index])
    matches = list(_NUMBER.finditer(next_uri))
    start, end = matches[index].span()
    value = int(following[index]) + ahead * step
    return f"{next_uri[:start]}{value:0{end - start}d}{next_uri[end:]}" if value >= 0 else None
