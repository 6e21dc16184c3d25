"""How viewers fare, added up: reports of players become counts, and counts of any two are joined by adding them. Pure.

Times go into buckets that are 10 % wide, so a median or a 95th percentile is right to 5 %, of however many reports, and
that of two nodes, or of an hour of ten-second pieces, is that of all their reports together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import floor, log

from media.rendition import LADDER

Counts = Mapping[str, int]
"""How often each thing was reported, by name."""

GROWTH = 1.1
"""From one bucket to the next."""

LEAST_STARTUP_MS, MOST_STARTUP_MS = 10.0, 60_000.0
LEAST_LATENCY_S, MOST_LATENCY_S = 0.1, 3600.0
MOST_STALLS, MOST_STALLED_S = 20, 60.0
"""Of one report: what lies outside is taken for the nearest of these. Reports come every 10 s, so more stalls are a
player that lies, and it shall not be the only one that counts."""

STARTUP, LATENCY, RUNG = "startup:", "latency:", "rung:"
REPORTS, STALLS, STALLED_MS = "reports", "stalls", "stalled_ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a player tells of the time since its last report."""

    startup_ms: float | None = None
    """From the wish to watch to the first picture; told once."""
    latency_s: float | None = None
    """Behind the live edge; None when somebody has rewound, or the player does not know."""
    rung: str | None = None
    """What is shown."""
    stalls: int = 0
    """How often playback ran dry."""
    stalled_s: float = 0.0
    """For how long in sum."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Where values lie."""

    median: float
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """What counts come to."""

    reports: int
    startup_ms: Spread | None
    latency_s: Spread | None
    stalls: int
    stalled_s: float
    rungs: Mapping[str, float]
    """The share of the reports that named each rung, of those that named one; the best rung first."""


class Digest:
    """Counts that reports are added to. Grows to some 220 names, whatever is reported."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    @property
    def counts(self) -> Counts:
        """What has been counted."""
        return self._counts

    def add(self, report: Report) -> None:
        """Count a report; values out of range are taken for the nearest that is in it."""
        self._count(REPORTS, 1)
        if report.startup_ms is not None:
            self._count(STARTUP + str(_bucket(report.startup_ms, LEAST_STARTUP_MS, MOST_STARTUP_MS)), 1)
        if report.latency_s is not None:
            self._count(LATENCY + str(_bucket(report.latency_s, LEAST_LATENCY_S, MOST_LATENCY_S)), 1)
        name = (report.rung or "").partition("-")[0]
        if name in LADDER:
            self._count(RUNG + name, 1)
        self._count(STALLS, min(max(0, report.stalls), MOST_STALLS))
        self._count(STALLED_MS, round(min(max(0.0, report.stalled_s), MOST_STALLED_S) * 1000))

    def join(self, counts: Counts) -> None:
        """Add what was counted elsewhere."""
        for name, count in counts.items():
            self._count(name, count)

    def _count(self, name: str, by: int) -> None:
        if by:
            self._counts[name] = self._counts.get(name, 0) + by


def joined(many: Iterable[Counts]) -> Counts:
    """Add counts up."""
    digest = Digest()
    for counts in many:
        digest.join(counts)
    return digest.counts


def summed_up(counts: Counts) -> Experience:
    """Work out what counts come to."""
    rungs = {name: counts[RUNG + name] for name in LADDER if counts.get(RUNG + name)}
    named = sum(rungs.values())
    return Experience(
        reports=counts.get(REPORTS, 0),
        startup_ms=_spread(counts, STARTUP, LEAST_STARTUP_MS, MOST_STARTUP_MS),
        latency_s=_spread(counts, LATENCY, LEAST_LATENCY_S, MOST_LATENCY_S),
        stalls=counts.get(STALLS, 0),
        stalled_s=round(counts.get(STALLED_MS, 0) / 1000, 3),
        rungs={name: round(count / named, 4) for name, count in rungs.items()},
    )


def _bucket(value: float, least: float, most: float) -> int:
    return floor(log(min(max(value, least), most) / least) / log(GROWTH))


def _spread(counts: Counts, prefix: str, least: float, most: float) -> Spread | None:
    buckets = sorted(
        (int(name.removeprefix(prefix)), count) for name, count in counts.items() if name.startswith(prefix)
    )
    if not buckets:
        return None
    return Spread(*(_value(_reached(buckets, share), least, most) for share in (0.5, 0.95)))


def _reached(buckets: list[tuple[int, int]], share: float) -> int:
    """Find the first bucket by which such a share of all values has been seen."""
    wanted = share * sum(count for _, count in buckets)
    seen = 0
    for bucket, count in buckets:
        seen += count
        if seen >= wanted:
            return bucket
    return buckets[-1][0]


def _value(bucket: int, least: float, most: float) -> float:
    """Give the middle of a bucket."""
    return float(f"{min(most, least * GROWTH ** (bucket + 0.5)):.3g}")
