"""Reports added up: whatever the parts, the whole is the same, and no report makes it large."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_api.analytics.experience import Counts, Digest, Report, Spread, joined, summed_up
from media.rendition import LADDER

NUMBERS = st.floats(min_value=0, max_value=1e9)
REPORTS = st.builds(
    Report,
    startup_ms=st.none() | NUMBERS,
    latency_s=st.none() | NUMBERS,
    rung=st.none() | st.sampled_from(LADDER) | st.text(max_size=20),
    stalls=st.integers(0, 1_000_000),
    stalled_s=NUMBERS,
)


def counted(*reports: Report) -> Counts:
    digest = Digest()
    for report in reports:
        digest.add(report)
    return digest.counts


@given(st.lists(st.lists(REPORTS, max_size=8), max_size=5))
def test_parts_joined_are_the_whole(parts: list[list[Report]]) -> None:
    whole = counted(*(report for part in parts for report in part))
    assert joined(counted(*part) for part in parts) == whole
    assert joined(counted(*part) for part in reversed(parts)) == whole


@given(st.lists(REPORTS, max_size=50))
def test_counts_stay_small_and_survive_json(reports: list[Report]) -> None:
    counts = counted(*reports)
    assert json.loads(json.dumps(counts)) == counts
    assert all(isinstance(count, int) and count > 0 for count in counts.values())
    assert summed_up(counts).reports == len(reports)


def test_no_report_makes_more_than_so_many_names() -> None:
    digest = Digest()
    for n in range(4000):
        digest.add(Report(startup_ms=n * 20.0, latency_s=n * 1.0, rung=f"{n}p", stalls=n, stalled_s=n))
        digest.add(Report(startup_ms=1.01**n, latency_s=1.01 ** min(n, 2000), rung=LADDER[n % 8]))
    assert len(digest.counts) <= 225


@given(st.lists(st.floats(10, 60_000), min_size=1, max_size=60))
def test_medians_are_right_to_five_percent(values: list[float]) -> None:
    spread = summed_up(counted(*(Report(startup_ms=value) for value in values))).startup_ms
    assert spread is not None
    ordered = sorted(values)
    median, p95 = (ordered[max(0, -(-len(ordered) * n // 100) - 1)] for n in (50, 95))
    assert spread.median == pytest.approx(median, rel=0.06)
    assert spread.p95 == pytest.approx(p95, rel=0.06)


def test_what_is_out_of_range_is_taken_for_the_nearest() -> None:
    told = summed_up(counted(Report(startup_ms=1e9, latency_s=0, stalls=10**6, stalled_s=1e9)))
    assert told.startup_ms is not None
    assert told.startup_ms.median == pytest.approx(60_000, rel=0.06)
    assert told.latency_s == Spread(0.105, 0.105)
    assert (told.stalls, told.stalled_s) == (20, 60.0)


def test_shares_of_rungs() -> None:
    told = summed_up(
        counted(*(Report(rung=name) for name in ("480p", "720p-av1", "720p", "720p", "odd", None)))
    )
    assert list(told.rungs.items()) == [("720p", 0.75), ("480p", 0.25)]
    assert (told.reports, told.startup_ms, told.latency_s) == (6, None, None)
