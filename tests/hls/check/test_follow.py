"""The shell, from end to end, on an origin in virtual time: quiet when all is right, and not when it is not."""

from __future__ import annotations

import pytest

from hls.check.conformance import check_address
from hls.check.finding import Report, Severity
from hls.check.follow import Options

from .origin import Origin

URL = "https://example.com/live/index.m3u8"
PART_SECONDS = 12.0


async def follow(*faults: str) -> tuple[Report, Origin]:
    """Follow the origin for some seconds of its own time."""
    origin = Origin(*faults)
    report = Report()
    await check_address(URL, origin, Options(PART_SECONDS), report)
    return report, origin


async def test_an_origin_that_does_all_right_breaks_no_rule() -> None:
    report, origin = await follow()
    assert report.findings == []
    assert report.seen["parts"] >= PART_SECONDS / 0.5
    assert report.seen["hints"] >= PART_SECONDS / 0.5 - 1
    assert report.seen["segments inspected"] >= PART_SECONDS / 2
    needed = {
        "block-wanted", "block-part-alone", "block-too-far", "block-part-too-far", "block-malformed", "block-old",
        "skip-boundary", "skip-rebuilt", "skip-done", "hint-served", "hint-bytes", "hint-speed", "hint-other",
        "reload-hint", "reload-segment-kept", "reload-part-kept", "reload-part-update", "fmp4-part-bytes",
        "fmp4-continuous", "fmp4-independent", "http-range", "http-head", "http-preflight",
    }  # fmt: skip
    assert needed <= set(report.applied)
    # Four requests for a part: playlist, hint or part, segment, now and then more.
    assert origin.requests < 8 * PART_SECONDS / 0.5


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        ("no-block", {"block-wanted"}),
        ("late-hint", {"hint-speed"}),
        ("other-hint", {"reload-hint"}),
        ("other-bytes", {"fmp4-part-bytes"}),
        ("forgets", {"reload-segment-kept", "reload-part-kept"}),
        ("skips-all", {"skip-boundary"}),
        ("stalls", {"reload-update", "block-wanted"}),
    ],
)
async def test_what_an_origin_does_wrong_is_found(fault: str, rules: set[str]) -> None:
    report, _ = await follow(fault)
    assert rules <= set(report.broken), report.findings
    assert report.count(Severity.ERROR) + report.count(Severity.WARNING) > 0


async def test_an_origin_that_does_not_block_is_not_hammered() -> None:
    _, origin = await follow("no-block")
    assert origin.requests < 8 * PART_SECONDS / 0.5
