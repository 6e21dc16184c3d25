"""Which reports count."""

from __future__ import annotations

from control_api.analytics.experience import Report
from control_api.analytics.intake import EVERY_S, MAX_UNPROVEN, Intake

REPORT = Report(stalls=1)


def test_one_of_a_viewer_in_five_seconds() -> None:
    intake = Intake()
    times = [0, 1, EVERY_S - 0.1, EVERY_S, EVERY_S + 1]
    assert [intake.add("one", REPORT, "ann", now) for now in times] == [True, False, False, True, False]
    assert intake.add("one", REPORT, "bob", 5)
    assert intake.add("two", REPORT, "ann", 5)
    assert {name: counts["reports"] for name, counts in intake.take().items()} == {"one": 3, "two": 1}
    assert intake.take() == {}


def test_those_who_prove_nothing_are_so_many_of_an_address() -> None:
    intake = Intake()
    counted = [intake.add("one", REPORT, n, 1, unproven_from="192.0.2.1") for n in range(MAX_UNPROVEN + 50)]
    assert sum(counted) == MAX_UNPROVEN
    assert intake.add("one", REPORT, "proven", 1)
    assert intake.add("one", REPORT, "other", 1, unproven_from="192.0.2.2")
    assert intake.add("one", REPORT, "again", 1 + EVERY_S, unproven_from="192.0.2.1")


def test_what_could_not_be_stored_goes_with_the_next() -> None:
    intake = Intake()
    intake.add("one", REPORT, "ann", 0)
    taken = intake.take()
    intake.add("one", REPORT, "ann", 10)
    intake.give_back(taken)
    assert intake.take() == {"one": {"reports": 2, "stalls": 2}}
