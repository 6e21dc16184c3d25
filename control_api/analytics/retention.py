"""How many viewers watched for how long. Pure.

What is stored of a viewer is when it came first and how long it watched in all, so this is not who was there at minute
ten of the show, but who watched ten minutes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from control_api.postgres.analytics_table import Stay

STEPS = 20
LEAST_STEP_S = 60.0


@dataclass(frozen=True, slots=True)
class Kept:
    """How many watched for at least so long."""

    after_s: float
    share: float
    share_of_early: float | None


def thresholds(length_s: float) -> list[float]:
    """Choose watch times to ask about: every minute of a stream, or every twentieth of a longer one."""
    step_s = max(LEAST_STEP_S, length_s / STEPS)
    return [round(n * step_s, 3) for n in range(STEPS + 1) if n == 0 or n * step_s <= length_s]


def curve(thresholds_s: Sequence[float], stays: Sequence[Stay]) -> list[Kept]:
    """Make the curve of counted viewers; empty without any.

    Args:
        thresholds_s: what `watched` and `possible` of the stays count.
        stays: viewers by how long they watched, and could have.
    """
    everybody = sum(stay.viewers for stay in stays)
    if not everybody:
        return []
    found = []
    for reached, after_s in enumerate(thresholds_s, start=1):
        watched = [stay for stay in stays if stay.watched >= reached]
        early = sum(stay.viewers for stay in stays if stay.possible >= reached)
        early_watched = sum(stay.viewers for stay in watched if stay.possible >= reached)
        share = sum(stay.viewers for stay in watched) / everybody
        found.append(Kept(after_s, round(share, 4), round(early_watched / early, 4) if early else None))
    return found
