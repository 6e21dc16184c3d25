"""Small policies: what a viewer starts with, what he may have again, how often keyframes are asked for."""

from __future__ import annotations

from random import Random

import pytest

from webrtc.channel.event import KeyframeWanted
from webrtc.channel.keyframe_request import KeyframeRequests, Patience
from webrtc.channel.rate import Rate
from webrtc.channel.retransmission import Retransmission
from webrtc.channel.ssrc import draw_ssrcs
from webrtc.channel.start import choose_stand_in, choose_start
from webrtc.port import Rung

from .stage import rung

SOURCE = rung("source", 6_000_000, can_force=False)
HD = rung("720p", 2_500_000)
SD = rung("480p", 1_200_000)
LOW = rung("240p", 300_000)


def asleep(item: Rung) -> Rung:
    return rung(item.name, item.bitrate_bps, is_made=False, can_force=item.can_force)


@pytest.mark.parametrize(
    ("rungs", "expected"),
    [
        ([SOURCE, HD, SD], "720p"),
        ([SOURCE, asleep(HD), SD], "480p"),
        ([SOURCE, asleep(HD), asleep(SD)], "source"),
        ([asleep(SOURCE), asleep(HD), asleep(SD)], "720p"),
        ([asleep(SOURCE)], "source"),
        ([SOURCE], "source"),
        ([], None),
    ],
    ids=["fits", "is made", "is made though large", "none is made", "only one asleep", "only one", "none"],
)
def test_start(rungs: list[Rung], expected: str | None) -> None:
    chosen = choose_start(rungs)
    assert (chosen.name if chosen else None) == expected


@pytest.mark.parametrize(
    ("rungs", "instead_of", "expected"),
    [
        ([SOURCE, HD, SD], SOURCE, "720p"),
        ([SOURCE, asleep(HD), SD], SOURCE, "480p"),
        ([SOURCE, asleep(HD), asleep(SD)], SOURCE, "720p"),
        ([SOURCE, HD, SD], SD, "720p"),
        ([SOURCE, asleep(HD), LOW], LOW, None),
        ([SOURCE], SOURCE, None),
    ],
    ids=["next smaller", "is made", "has to wake", "larger", "no larger one asleep", "none"],
)
def test_stand_in(rungs: list[Rung], instead_of: Rung, expected: str | None) -> None:
    chosen = choose_stand_in(rungs, instead_of, lambda _: False)
    assert (chosen.name if chosen else None) == expected


def test_stand_in_that_has_a_keyframe_need_not_make_one() -> None:
    copied = rung("copied", 2_000_000, can_force=False)
    assert choose_stand_in([SOURCE, copied], SOURCE, lambda item: item is copied) is copied


def test_keyframes_are_asked_for_once_a_second() -> None:
    requests = KeyframeRequests()
    requests.ask("720p", 100, 0.0)
    requests.ask("720p", 50, 0.0)
    assert requests.get_timer() == 0.0
    assert requests.take_due(0.0) == [KeyframeWanted("720p", 100)]
    requests.ask("720p", 200, 0.3)
    requests.ask("480p", 7, 0.3)
    assert requests.take_due(0.3) == [KeyframeWanted("480p", 7)]
    assert requests.get_timer() == 1.0
    assert requests.pause_s("720p", 0.4) == pytest.approx(0.6)
    assert requests.take_due(1.0) == [KeyframeWanted("720p", 200)]
    assert requests.get_timer() is None


def test_keyframe_that_comes_by_itself_is_not_asked_for() -> None:
    requests = KeyframeRequests()
    requests.ask("720p", 100, 0.0, wait_s=0.2)
    requests.note_keyframe("720p", 100)
    assert requests.get_timer() == 0.2
    requests.note_keyframe("720p", 101)
    assert requests.take_due(1.0) == []
    requests.ask("720p", 100, 2.0)
    requests.forget("720p")
    assert requests.take_due(3.0) == []


def test_patience_comes_back() -> None:
    patience = Patience(0.0)
    assert [patience.allows(0.0) for _ in range(6)] == [True] * 5 + [False]
    assert not patience.allows(3.9)
    assert patience.allows(4.1)


def test_retransmissions_stay_within_their_share() -> None:
    budget = Retransmission()
    taken = sum(budget.takes(number, 1000, 4_000_000, 10.0) for number in range(1000))
    assert taken == 300  # 0.6 s of 500 kB a second
    later = sum(budget.takes(number, 1000, 4_000_000, 10.4) for number in range(1000))
    assert later == 60  # a third of the bitrate for 0.4 s, nearly
    full = sum(budget.takes(number, 1000, 4_000_000, 12.0, is_full=True) for number in range(1000))
    assert full == 50


def test_packet_is_not_repeated_before_it_can_have_come() -> None:
    budget = Retransmission()
    assert not budget.is_repeated(7, 0.1, 1.0)
    assert budget.takes(7, 1000, 4_000_000, 1.0)
    assert budget.is_repeated(7, None, 1.01)
    assert not budget.is_repeated(7, None, 1.03)
    assert budget.is_repeated(7, 0.1, 1.04)
    assert not budget.is_repeated(7, 0.1, 1.06)


def test_what_was_sent_again_is_not_remembered_without_bound() -> None:
    budget = Retransmission()
    for number in range(5000):
        budget.takes(number, 1, 4_000_000, 1.0)
    assert not budget.is_repeated(0, 1.0, 1.0)
    assert budget.is_repeated(4999, 1.0, 1.0)


def test_rate_is_of_media_time() -> None:
    rate = Rate()
    rate.add(10_000, 0)
    assert rate.bitrate_bps is None
    for number in range(1, 300):
        rate.add(10_000, number * 3000)
    assert rate.bitrate_bps == pytest.approx(10_000 * 8 * 30, rel=0.02)


def test_ssrcs_differ() -> None:
    for seed in range(100):
        ssrcs = draw_ssrcs(Random(seed))  # noqa: S311
        assert len(set(ssrcs)) == 3
        assert all(ssrcs)
