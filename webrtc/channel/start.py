"""Which rung a viewer begins with, and which one stands in for it. Pure policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from webrtc.port import Rung

START_BPS = 3_000_000
"""Nearly every path carries this; the estimate finds out in a few seconds whether it carries more."""


def choose_start(rungs: Sequence[Rung]) -> Rung | None:
    """Choose from a ladder, best first: what is made already is there sooner than what has to wake up."""
    made = [rung for rung in rungs if rung.is_made]
    return (
        _best_below(made, START_BPS)
        or (made[-1] if made else None)
        or _best_below(rungs, START_BPS)
        or (rungs[-1] if rungs else None)
    )


def choose_stand_in(rungs: Sequence[Rung], rung: Rung, is_ready: Callable[[Rung], bool]) -> Rung | None:
    """Choose what to show while a keyframe of `rung` is not to be had.

    Args:
        rungs: the ladder, best first.
        rung: that cannot be shown now.
        is_ready: whether a keyframe of a rung is there.

    Returns:
        A rung that has or makes a keyframe: rather a smaller one than a larger, rather one that is made already.
    """
    others = [other for other in rungs if other.name != rung.name and (is_ready(other) or other.can_force)]
    smaller = [other for other in others if other.bitrate_bps <= rung.bitrate_bps]
    larger = [other for other in others if rung.bitrate_bps < other.bitrate_bps <= START_BPS]
    for candidates in (smaller, larger[::-1]):
        for candidate in candidates:
            if candidate.is_made or is_ready(candidate):
                return candidate
    return smaller[0] if smaller else None


def _best_below(rungs: Sequence[Rung], bitrate_bps: int) -> Rung | None:
    return next((rung for rung in rungs if rung.bitrate_bps <= bitrate_bps), None)
