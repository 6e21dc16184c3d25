import pytest

from hls.config import HlsConfig
from hls.directive import Directives, Target, find_target, parse_directives
from hls.view import PartView, RenditionView, SegmentView
from media.error import PeerError

CONFIG = HlsConfig()
PART = PartView(0.5, is_independent=True, is_gap=False)


def segment(msn: int, parts: int, *, is_complete: bool) -> SegmentView:
    return SegmentView(
        msn=msn,
        generation=1,
        has_init=True,
        program_date_time=0.0,
        start=0,
        is_discontinuity=False,
        is_complete=is_complete,
        parts=(PART,) * parts,
    )


def view(*segments: SegmentView, newest_msn: int = 0, is_ended: bool = False) -> RenditionView:
    return RenditionView(
        name="720p",
        version=1,
        media_sequence=segments[0].msn if segments else 0,
        discontinuity_sequence=0,
        past=(),
        segments=segments,
        hint=None,
        reports=(),
        is_ended=is_ended,
        newest_msn=newest_msn,
    )


LIVE = view(segment(10, 4, is_complete=True), segment(11, 2, is_complete=False), newest_msn=11)
BETWEEN = view(segment(10, 4, is_complete=True), newest_msn=10)
BEHIND = view(segment(10, 2, is_complete=False), newest_msn=13)
EMPTY = view(newest_msn=5)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, Directives()),
        ({"_HLS_msn": "12"}, Directives(12)),
        ({"_HLS_msn": "12", "_HLS_part": "0"}, Directives(12, 0)),
        ({"_HLS_skip": "YES"}, Directives(skip=True)),
        ({"_HLS_skip": "v2", "_HLS_msn": "007"}, Directives(7, skip=True)),
        ({"_HLS_unknown": "x", "token": "y"}, Directives()),
    ],
)
def test_directives_are_read(query: dict[str, str], expected: Directives) -> None:
    assert parse_directives(query) == expected


@pytest.mark.parametrize(
    "query",
    [
        {"_HLS_part": "1"},
        {"_HLS_msn": "-1"},
        {"_HLS_msn": ""},
        {"_HLS_msn": "1.5"},
        {"_HLS_msn": "0x10"},
        {"_HLS_msn": "²"},
        {"_HLS_msn": "٣"},
        {"_HLS_msn": "9" * 5000},
        {"_HLS_msn": "1", "_HLS_part": "one"},
        {"_HLS_skip": "NO"},
    ],
)
def test_malformed_directives_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(PeerError):
        parse_directives(query)


@pytest.mark.parametrize(
    ("rendition", "directives", "expected"),
    [
        (LIVE, Directives(), None),
        (EMPTY, Directives(), Target(0, 0)),
        (LIVE, Directives(3), Target(3, None)),  # old: satisfied at once
        (LIVE, Directives(3, 9), Target(3, 9)),
        (LIVE, Directives(10, 4), Target(10, 4)),  # past the end of a finished segment
        (LIVE, Directives(11, 2), Target(11, 2)),
        (LIVE, Directives(11, 7), Target(11, 7)),  # the last part plus the limit of six
        (LIVE, Directives(11), Target(11, None)),  # has seen parts of it: the whole segment
        (LIVE, Directives(12), Target(12, 0)),  # Safari: the first part of a new segment
        (LIVE, Directives(13), Target(13, 0)),
        (LIVE, Directives(13, 0), Target(13, 0)),
        (BETWEEN, Directives(11, 0), Target(11, 0)),
        (BETWEEN, Directives(12), Target(12, 0)),
        (BEHIND, Directives(15, 0), Target(15, 0)),  # measured from the broadcast, not from a rung that lags
        (BEHIND, Directives(10, 20), Target(10, 20)),
        (EMPTY, Directives(5, 1), Target(5, 1)),
    ],
)
def test_what_a_request_waits_for(
    rendition: RenditionView, directives: Directives, expected: Target | None
) -> None:
    assert find_target(directives, rendition, CONFIG) == expected


@pytest.mark.parametrize(
    ("rendition", "directives"),
    [
        (LIVE, Directives(14)),
        (LIVE, Directives(14, 0)),
        (LIVE, Directives(10**17)),
        (LIVE, Directives(11, 8)),
        (LIVE, Directives(12, 6)),
        (BETWEEN, Directives(13)),
        (BEHIND, Directives(16, 0)),
    ],
)
def test_what_is_too_far_ahead_is_refused(rendition: RenditionView, directives: Directives) -> None:
    with pytest.raises(PeerError, match="too far ahead"):
        find_target(directives, rendition, CONFIG)


def test_a_long_part_has_a_limit_of_three() -> None:
    config = HlsConfig(part_s=1.0)
    assert find_target(Directives(11, 4), LIVE, config) == Target(11, 4)
    with pytest.raises(PeerError):
        find_target(Directives(11, 5), LIVE, config)


def test_directives_mean_nothing_after_the_end() -> None:
    ended = view(segment(10, 4, is_complete=True), newest_msn=10, is_ended=True)
    assert find_target(Directives(99, 99), ended, CONFIG) is None
