"""Every rule is kept by something that is right, and finds what is wrong: one that cannot fail is worthless."""

from __future__ import annotations

import pytest

from hls.check.catalogue import RULES
from hls.check.finding import Report

from . import case_delivery, case_media, case_multivariant, case_playlist, case_shell, case_time
from .playlists import Case

MODULES = (case_playlist, case_multivariant, case_time, case_media, case_delivery, case_shell)
ALL = {rule.id for rules in RULES.values() for rule in rules}
KEPT: list[Case] = [case for module in MODULES for case in module.KEPT]
BROKEN: list[tuple[str, Case]] = [
    (id_, case) for module in MODULES for id_, cases in module.BROKEN.items() for case in cases
]


def test_ids_are_unique() -> None:
    assert len(ALL) == sum(len(rules) for rules in RULES.values())


@pytest.mark.parametrize("case", KEPT, ids=range(len(KEPT)))
def test_what_is_right_breaks_no_rule(case: Case) -> None:
    report = Report()
    case(report)
    assert report.findings == []
    assert report.applied


@pytest.mark.parametrize(
    ("id_", "case"), BROKEN, ids=[f"{id_}-{index}" for index, (id_, _) in enumerate(BROKEN)]
)
def test_what_is_wrong_is_found(id_: str, case: Case) -> None:
    report = Report()
    case(report)
    assert report.broken[id_], report.findings
    first = next(finding for finding in report.findings if finding.rule.id == id_)
    assert first.detail


def test_every_rule_is_kept_somewhere() -> None:
    report = Report()
    for case in (*KEPT, *case_shell.MOSTLY_KEPT):
        case(report)
    assert set(report.applied) == ALL
    # A static site has neither delta updates nor ranges.
    assert set(report.broken) == {"skip-done", "http-range-offered"}


def test_every_rule_is_broken_somewhere() -> None:
    assert {id_ for id_, _ in BROKEN} == ALL
