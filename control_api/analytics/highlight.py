"""Where the chat was far livelier than around it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

MAX_HIGHLIGHTS = 20

AROUND = 30
"""Points on each side that usual is measured by: five minutes of those that are 10 s apart. A median does not rise with
the peak itself, nor with another one nearby."""

MIN_EVENTS = 5
"""Comments and reactions of a point; fewer are no peak, however quiet it is around."""

MIN_SCORE = 3.0

QUIET_PER_S = 0.1
"""Usual is at least this: where nobody writes, a peak is measured by six events a minute, and not by none."""

LEAD_S = 20.0
"""What people write about has happened before they write: their delay behind live, and the typing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The totals of a stream at a moment."""

    at: datetime
    comments: int
    reactions: int


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
class _Step:
    start_s: float
    end_s: float
    at: datetime
    comments: int
    reactions: int

    @property
    def per_s(self) -> float:
        return (self.comments + self.reactions) / (self.end_s - self.start_s)


def peaks(started_at: datetime, moments: Sequence[Moment]) -> list[Peak]:
    """Find the peaks of a stream, in the order of time; of more than 20 the highest.

    Args:
        started_at: when it began, with no comment and no reaction.
        moments: its totals, the oldest first.
    """
    steps = _steps(started_at, moments)
    rates = [step.per_s for step in steps]
    found: list[tuple[list[_Step], float]] = []
    last = -1
    for index, step in enumerate(steps):
        usual = max(QUIET_PER_S, median(rates[max(0, index - AROUND) : index + AROUND + 1]))
        score = rates[index] / usual
        if score < MIN_SCORE or step.comments + step.reactions < MIN_EVENTS:
            continue
        if found and last == index - 1:
            run, highest = found[-1]
            run.append(step)
            found[-1] = (run, max(highest, score))
        else:
            found.append(([step], score))
        last = index
    best = sorted(found, key=lambda one: one[1], reverse=True)[:MAX_HIGHLIGHTS]
    return sorted((_peak(run, score) for run, score in best), key=lambda peak: peak.at)


def _steps(started_at: datetime, moments: Sequence[Moment]) -> list[_Step]:
    steps = []
    before = Moment(at=started_at, comments=0, reactions=0)
    for moment in moments:
        start_s, end_s = ((one.at - started_at).total_seconds() for one in (before, moment))
        if end_s <= start_s:
            continue
        # Totals fall when a comment is deleted.
        comments, reactions = moment.comments - before.comments, moment.reactions - before.reactions
        steps.append(_Step(start_s, end_s, moment.at, max(0, comments), max(0, reactions)))
        before = moment
    return steps


def _peak(run: Sequence[_Step], score: float) -> Peak:
    return Peak(
        at=max(run, key=lambda step: step.per_s).at,
        from_s=round(max(0.0, run[0].start_s - LEAD_S), 3),
        to_s=round(run[-1].end_s, 3),
        comments=sum(step.comments for step in run),
        reactions=sum(step.reactions for step in run),
        score=round(score, 2),
    )
