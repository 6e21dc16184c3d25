"""Rules of a live playlist on when things come, and how long they stay after they have been removed (6.2.1, 6.2.2)."""

from __future__ import annotations

from .finding import Place, Report, Rule, Severity
from .low_latency_rules import parts_by_address
from .media_playlist import MediaPlaylist, Resource

SEGMENT_KEPT = Rule(
    "reload-segment-kept",
    "6.2.2",
    Severity.ERROR,
    "a removed segment can be fetched for as long as it and the playlist last, from its first appearance on",
)
PART_KEPT = Rule(
    "reload-part-kept",
    "6.2.2",
    Severity.ERROR,
    "a part can be fetched for three target durations after its EXT-X-PART is removed",
)
UPDATE = Rule(
    "reload-update", "6.2.1", Severity.WARNING, "a segment is added within 1.5 target durations of the last"
)
PART_UPDATE = Rule(
    "reload-part-update",
    "6.2.1",
    Severity.WARNING,
    "parts are added within one PART-TARGET of the last, save for what the network may add",
)

_JITTER = 1.5
"""Of the part target: what a gap between two arrivals may have without saying that the server is late."""
_LATE_SHARE = 0.1
"""Of the gaps that may be longer still: one stall of the network is no rule of the server."""
_UPDATE_JITTER_S = 1.0
"""How often a playlist without blocking reload is asked for, at least."""


def find_removed(before: MediaPlaylist, now: MediaPlaylist) -> list[tuple[Rule, Resource]]:
    """Find the last segment, and the last part, that a version lacks and the one before had.

    Returns:
        What can be fetched still, with the rule that says so.
    """
    found: list[tuple[Rule, Resource]] = []
    segments = [segment for segment in before.segments if segment.msn < now.media_sequence]
    if segments and segments[-1].resource is not None and not segments[-1].is_gap:
        found.append((SEGMENT_KEPT, segments[-1].resource))
    numbers, new = {segment.msn for segment in now.all_segments}, parts_by_address(now)
    parts = [
        part
        for where, part in parts_by_address(before).items()
        if where not in new and where[0] in numbers and not part.is_gap
    ]
    if parts:
        found.append((PART_KEPT, parts[-1].resource))
    return found


def check_arrivals(
    segment_gaps_s: list[float], part_gaps_s: list[float], playlist: MediaPlaylist, name: str, report: Report
) -> None:
    """Judge how long after each other segments and parts appeared in a live playlist.

    Args:
        segment_gaps_s: between versions with a new segment.
        part_gaps_s: between versions that had one new part each.
        playlist: the last version.
        name: of it.
        report: where findings go.
    """
    place = Place(name)
    if segment_gaps_s and playlist.target_s is not None:
        longest_s = max(segment_gaps_s)
        report.keep_largest("longest_update_gap_s", longest_s)
        detail = f"{longest_s:.2f} s passed, the target duration is {playlist.target_s} s"
        report.expect(UPDATE, longest_s <= 1.5 * playlist.target_s + _UPDATE_JITTER_S, place, detail)
    if part_gaps_s and playlist.part_target_s is not None:
        report.keep_largest("longest_part_gap_s", max(part_gaps_s))
        late = sum(gap > _JITTER * playlist.part_target_s for gap in part_gaps_s)
        detail = f"{late} of {len(part_gaps_s)} came later, at most {max(part_gaps_s):.2f} s after the last"
        report.expect(PART_UPDATE, late <= max(1, _LATE_SHARE * len(part_gaps_s)), place, detail)
