"""Where the chat was far livelier than around it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple

MAX_HIGHLIGHTS = 20

MAX_STEPS = 1000
"""That a stream is cut into: ten seconds each up to three hours, longer ones beyond. Some 10 ms of work."""

LEAST_STEP_S = 10.0

AROUND = 30
"""Steps on each side that usual is measured by: five minutes of those of 10 s. A median does not rise with the peak
itself, nor with another one nearby."""

MIN_EVENTS = 5
"""Comments and reactions of a step; fewer are no peak, however quiet it is around."""

MIN_SCORE = 3.0

QUIET_PER_S = 0.1
"""Usual is at least this: where nobody writes, a peak is measured by six events a minute, and not by none."""

LEAD_S = 20.0
"""What people write about has happened before they write: their delay behind live, and the typing."""


class Events(NamedTuple):
    """What came in one step."""

    comments: int = 0
    reactions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """A highlight, perhaps."""

    at: datetime
    from_s: float
    to_s: float
    comments: int
    reactions: int
    score: float


@dataclass(frozen=True, slots=True)
class _Run:
    """Lively steps next to each other."""

    steps: Sequence[int]
    score: float


def step_length_s(length_s: float) -> float:
    """Choose the steps that a stream is cut into, by its length."""
    return max(LEAST_STEP_S, length_s / MAX_STEPS)


def peaks(started_at: datetime, step_s: float, events: Mapping[int, Events]) -> list[Peak]:
    """Find the peaks of a stream, in the order of time; of more than 20 the highest.

    Args:
        started_at: when it began.
        step_s: how long a step is, as `step_length_s` has it.
        events: what came in which step, counted from 0; steps without any may be missing. What lies outside of the
            stream, by a clock that was set, is passed over.
    """
    count = min(MAX_STEPS, max(events, default=-1)) + 1
    totals = [sum(events.get(step, Events())) for step in range(count)]
    runs = _runs(totals, step_s)
    best = sorted(runs, key=lambda run: run.score, reverse=True)[:MAX_HIGHLIGHTS]
    found = []
    for run in sorted(best, key=lambda run: run.steps[0]):
        highest = max(run.steps, key=lambda step: totals[step])
        part = [events[step] for step in run.steps]
        found.append(
            Peak(
                at=started_at + timedelta(seconds=(highest + 0.5) * step_s),
                from_s=round(max(0.0, run.steps[0] * step_s - LEAD_S), 3),
                to_s=round((run.steps[-1] + 1) * step_s, 3),
                comments=sum(one.comments for one in part),
                reactions=sum(one.reactions for one in part),
                score=round(run.score, 2),
            )
        )
    return found


def _runs(totals: Sequence[int], step_s: float) -> list[_Run]:
    runs: list[_Run] = []
    for step, total in enumerate(totals):
        if total < MIN_EVENTS:
            continue
        usual = max(QUIET_PER_S * step_s, median(totals[max(0, step - AROUND) : step + AROUND + 1]))
        score = total / usual
        if score < MIN_SCORE:
            continue
        if runs and runs[-1].steps[-1] == step - 1:
            runs[-1] = _Run([*runs[-1].steps, step], max(runs[-1].score, score))
        else:
            runs.append(_Run([step], score))
    return runs
