"""Where periods begin, who is in them, and what does not change once players know it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hls.dash_listing import Row, Span
from hls.dash_period import Period, Periods

S = 90_000
NOW = 1_790_000_000.0


def row(msn: int, count: int = 1, *, pause_s: float = 0.0, is_discontinuity: bool = False) -> Row:
    return Row(msn, msn * 2 * S, 2 * S, NOW + 2 * msn + pause_s, is_discontinuity, count)


def told(periods: list[Period]) -> list[tuple[int, int, int, list[str]]]:
    return [(each.id, each.rows[0].msn, each.end_msn, sorted(each.generations)) for each in periods]


def test_one_run_is_one_period_that_keeps_its_begin() -> None:
    periods = Periods()
    (first,) = periods.update([row(0, 5)], {"720p": [Span(0, 5, 1)]})
    (later,) = periods.update([row(3, 5)], {"720p": [Span(3, 8, 1)]})
    assert told([first, later]) == [(0, 0, 5, ["720p"]), (0, 3, 8, ["720p"])]
    assert (later.start_s, later.offset) == (first.start_s, first.offset) == (NOW, 0)


@pytest.mark.parametrize("pause_s", [0.0, 7.5])
def test_a_discontinuity_begins_another_one(pause_s: float) -> None:
    rows = [row(0, 3), row(3, 3, pause_s=pause_s, is_discontinuity=True)]
    found = Periods().update(rows, {"720p": [Span(0, 6, 1)]})
    assert told(found) == [(0, 0, 3, ["720p"]), (3, 3, 6, ["720p"])]
    assert (found[1].start_s, found[1].offset) == (NOW + 6 + pause_s, 6 * S)


def test_a_rendition_with_a_gap_is_not_in_that_period() -> None:
    spans = {"720p": [Span(0, 9, 1)], "480p": [Span(0, 3, 1), Span(6, 9, 1)]}
    found = Periods().update([row(0, 9)], spans)
    assert told(found) == [(0, 0, 3, ["480p", "720p"]), (3, 3, 6, ["720p"]), (6, 6, 9, ["480p", "720p"])]
    for before, after in pairwise(found):
        assert before.date_of(before.rows[-1].end) == pytest.approx(after.start_s)


def test_another_track_of_one_rendition_begins_another_one() -> None:
    found = Periods().update([row(0, 6)], {"720p": [Span(0, 6, 1)], "480p": [Span(0, 3, 1), Span(3, 6, 2)]})
    assert [dict(each.generations) for each in found] == [{"720p": 1, "480p": 1}, {"720p": 1, "480p": 2}]


def test_one_that_is_behind_stays() -> None:
    spans = {"720p": [Span(0, 6, 1)], "480p": [Span(0, 4, 1, is_growing=True)]}
    assert told(Periods().update([row(0, 6)], spans)) == [(0, 0, 6, ["480p", "720p"])]


def test_one_that_comes_later_joins_behind_what_players_know() -> None:
    periods = Periods()
    periods.update([row(0, 5)], {"720p": [Span(0, 5, 1)]})
    for end in (5, 6, 7):
        spans = {"720p": [Span(0, end, 1)], "480p": [Span(3, end, 1)]}
        found = periods.update([row(0, end)], spans)
        joined = [(5, 5, end, ["480p", "720p"])] if end > 5 else []
        assert told(found) == [(0, 0, 5, ["720p"]), *joined]


def test_a_new_run_is_announced_when_all_have_something_of_it() -> None:
    periods = Periods()
    before = {"720p": [Span(0, 3, 1, is_growing=True)], "480p": [Span(0, 3, 1, is_growing=True)]}
    ahead = before | {"720p": [Span(0, 4, 1, is_growing=True)]}
    all_have = {name: [Span(0, 4, 1, is_growing=True)] for name in before}
    for spans, count, expected in ((before, 1, 1), (ahead, 1, 1), (all_have, 1, 2)):
        found = periods.update([row(0, 3), row(3, count, is_discontinuity=True)], spans)
        assert len(found) == expected
    assert told(found)[1] == (3, 3, 4, ["480p", "720p"])


def test_a_new_run_does_not_wait_for_one_that_does_not_come() -> None:
    spans = {"720p": [Span(0, 5, 1, is_growing=True)], "480p": [Span(0, 3, 1, is_growing=True)]}
    found = Periods().update([row(0, 3), row(3, 2, is_discontinuity=True)], spans)
    assert told(found) == [(0, 0, 3, ["480p", "720p"]), (3, 3, 5, ["720p"])]


def test_nothing() -> None:
    assert Periods().update([], {"720p": []}) == []
    assert Periods().update([row(0, 3)], {"720p": []}) == []
