"""What a DASH manifest is to say of a broadcast: periods, and the segment that is being made: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from media.packet import CLOCK_HZ

from .dash_listing import Row, list_rows, list_spans
from .dash_period import Period, Periods
from .view import MultivariantView, RenditionView

REGULAR_TICKS = CLOCK_HZ // 100
"""Durations that differ by more do not foretell the next one. dash.js asks 10 ms behind where a segment should end."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a manifest says."""

    periods: Sequence[Period]
    view: MultivariantView
    is_ended: bool
    open_s: float
    """Length of the segment that is being made and listed already; 0 when none is."""


def list_broadcast(
    view: MultivariantView, renditions: Mapping[str, RenditionView], periods: Periods
) -> Listing:
    """Find out what is to be listed.

    Args:
        view: the renditions that players are told of.
        renditions: what each of them has published.
        periods: of this broadcast, with what players have been told before.
    """
    names = [variant.name for variant in view.variants] or ([view.audio.name] if view.audio else [])
    paces = [renditions[name] for name in names if name in renditions]
    if not paces:
        return Listing((), view, False, 0.0)
    pace = min(paces, key=lambda found: (found.media_sequence, found.hint is None))
    rows = list_rows(pace)
    if pace.is_ended:
        rows = _shortened(rows, renditions.values())
    coming = _coming(pace, rows)
    found = periods.update(
        [*rows, coming] if coming else rows, {name: list_spans(each) for name, each in renditions.items()}
    )
    open_s = coming.duration / CLOCK_HZ if coming and found and found[-1].end_msn == coming.end_msn else 0.0
    return Listing(_with_same_kinds(found, view), view, pace.is_ended, open_s)


def _coming(pace: RenditionView, rows: Sequence[Row]) -> Row | None:
    """Foretell the segment that is made now, where segments are regular."""
    if pace.hint is None or not rows or rows[-1].end_msn != pace.hint.msn:
        return None
    last = rows[-1]
    begins_run = last.is_discontinuity and last.count == 1
    before = rows[-2] if last.count == 1 and len(rows) > 1 and not begins_run else last
    if (before is last and last.count == 1) or abs(before.duration - last.duration) > REGULAR_TICKS:
        return None
    return last.part(last.end_msn, last.end_msn + 1)


def _shortened(rows: list[Row], renditions: Iterable[RenditionView]) -> list[Row]:
    """Have the last segment end where the first rendition does: dash.js waits for what is announced, for ever."""
    if not rows:
        return rows
    msn = rows[-1].end_msn - 1
    newest = [each.segments[-1] for each in renditions if each.segments and each.segments[-1].msn == msn]
    shortest = min((int(each.duration_s * CLOCK_HZ) for each in newest if not each.is_gap), default=0)
    last = rows[-1].part(msn, msn + 1)
    if not 0 < shortest < last.duration:
        return rows
    before = [rows[-1].part(rows[-1].msn, msn)] if rows[-1].count > 1 else []
    return [*rows[:-1], *before, replace(last, duration=shortest)]


def _with_same_kinds(periods: Sequence[Period], view: MultivariantView) -> list[Period]:
    """Leave out periods that lack what the newest one has, video or audio: players do not switch that on and off."""
    if not periods:
        return []
    audio = view.audio.name if view.audio else ""
    has_audio = audio in periods[-1].generations
    has_video = any(name != audio for name in periods[-1].generations)
    kept = []
    for period in periods:
        names = [name for name in period.generations if name != audio] if has_video else []
        names += [audio] if has_audio and audio in period.generations else []
        if (bool(names) and names != [audio]) == has_video and (audio in names) == has_audio:
            kept.append(replace(period, generations={name: period.generations[name] for name in names}))
    return kept
