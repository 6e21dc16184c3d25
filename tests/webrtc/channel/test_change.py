"""Viewers change from rung to rung: without a hole, without going back, with no more of a pause than needed."""

from __future__ import annotations

from itertools import pairwise

import pytest

from webrtc.channel.event import KeyframeWanted, Wanted
from webrtc.port import Rung

from .stage import AUDIO, FPS, FakeRung, Picture, Receiver, Stage, rung


def copied(**how: object) -> FakeRung:
    return FakeRung(rung("source", 5_000_000, can_force=False), 0, **how)  # type: ignore[arg-type]


def encoded(name: str, index: int, bitrate_bps: int, **how: object) -> FakeRung:
    return FakeRung(rung(name, bitrate_bps), index, **{"lag_s": 0.12, **how})  # type: ignore[arg-type]


def longest_pause(pictures: list[Picture], since: float = 0.0) -> float:
    times = [picture.at for picture in pictures if picture.at >= since]
    return max(b - a for a, b in pairwise(times))


def watch(stage: Stage, rung_name: str) -> Receiver:
    """Let somebody watch a rung for a while."""
    stage.run(0.5)
    receiver = stage.join("ann", audio=AUDIO)
    stage.choose("ann", rung_name)
    stage.run(4.5)
    assert stage.changes("ann")[-1] == rung_name
    return receiver


def test_up_to_a_rung_that_is_ahead() -> None:
    stage = Stage(copied(), encoded("720p", 1, 2_500_000))
    receiver = watch(stage, "720p")
    stage.choose("ann", "source")
    stage.run(3.0)
    assert stage.changes("ann") == ["720p", "source"]
    assert longest_pause(receiver.check(), 2.0) < 0.1


def test_down_to_a_rung_that_is_behind_costs_what_it_is_behind() -> None:
    stage = Stage(copied(), encoded("720p", 1, 2_500_000))
    receiver = watch(stage, "source")
    stage.choose("ann", "720p")
    stage.run(3.0)
    assert stage.changes("ann")[-2:] == ["source", "720p"]
    assert 0.1 < longest_pause(receiver.check(), 4.0) < 0.25
    assert not any(isinstance(event, KeyframeWanted) for event in stage.events)


@pytest.mark.parametrize("down", [False, True])
def test_between_rungs_that_are_made_together(down: bool) -> None:
    stage = Stage(encoded("720p", 1, 2_500_000), encoded("480p", 2, 1_200_000))
    start, end = ("720p", "480p") if down else ("480p", "720p")
    receiver = watch(stage, start)
    stage.choose("ann", end)
    stage.run(3.0)
    assert stage.changes("ann")[-1] == end
    assert longest_pause(receiver.check(), 4.0) < 0.1
    assert not stage.keyframes_wanted("720p") + stage.keyframes_wanted("480p")


def test_rung_that_does_not_come_costs_half_a_second_and_nothing_is_missed() -> None:
    stage = Stage(copied(), encoded("720p", 1, 2_500_000))
    receiver = watch(stage, "source")
    stage.choose("ann", "720p")
    stage.run(0.5)
    while (stage.rungs["source"].next_number - 300) % 60 != 58:
        stage.run(0.01)
    stage.rungs["720p"].is_stalled = True
    stage.run(3.0)
    assert stage.changes("ann")[-1] == "source"
    pictures = receiver.check()
    assert 0.4 < longest_pause(pictures, 4.0) <= 0.6
    shown = [picture.number for picture in pictures if picture.rung == 0]
    assert shown == list(range(shown[0], shown[0] + len(shown)))


def test_sleeping_rung_is_woken_first_and_the_old_one_goes_on() -> None:
    small = FakeRung(rung("360p", 700_000, is_made=False), 2, lag_s=0.12, wake_s=0.6)
    stage = Stage(copied(), encoded("720p", 1, 2_500_000), small)
    receiver = watch(stage, "720p")
    stage.choose("ann", "360p")
    assert Wanted({"720p": 1, "360p": 1}, audio=True) in stage.events
    stage.run(5.0)
    assert stage.changes("ann")[-1] == "360p"
    assert [event for event in stage.events if isinstance(event, Wanted)][-1].rungs == {"360p": 1}
    assert longest_pause(receiver.check(), 4.0) < 0.2


def test_all_change_at_the_same_keyframe() -> None:
    stage = Stage(copied(), encoded("720p", 1, 2_500_000))
    receivers = [stage.join(f"viewer-{number}") for number in range(10)]
    stage.run(4.5)
    for number in range(10):
        stage.choose(f"viewer-{number}", "source")
        stage.run(0.05)
    stage.run(3.0)
    for receiver in receivers:
        pictures = receiver.check()
        assert [p.number for p in pictures if p.rung == 0 and p.is_keyframe][:1] == [300 + 180]


def test_change_in_the_middle_of_a_large_frame_waits_for_its_end() -> None:
    large = encoded("720p", 1, 2_500_000, size_bytes=60_000, keyframe_bytes=300_000)
    stage = Stage(copied(), large)
    receiver = watch(stage, "720p")
    stage.choose("ann", "source")
    stage.run(3.0)
    receiver.check()
    assert stage.changes("ann")[-1] == "source"


def test_viewers_leave_a_rung_that_has_stopped() -> None:
    stage = Stage(encoded("720p", 1, 2_500_000), encoded("480p", 2, 1_200_000), has_audio=True)
    receiver = watch(stage, "720p")
    stage.rungs["720p"].is_stalled = True
    stage.run(4.0)
    assert stage.changes("ann")[-1] == "480p"
    stage.rungs["720p"].is_stalled = False
    stage.run(6.0)
    assert stage.changes("ann")[-1] == "720p"
    receiver.check()


def test_nobody_leaves_when_everything_has_stopped() -> None:
    stage = Stage(encoded("720p", 1, 2_500_000), encoded("480p", 2, 1_200_000))
    watch(stage, "720p")
    for item in stage.rungs.values():
        item.is_stalled = True
    stage.run(4.0)
    assert [event for event in stage.events if isinstance(event, Wanted)][-1].rungs == {"720p": 1}


def test_rung_that_is_taken_away_is_replaced() -> None:
    stage = Stage(encoded("720p", 1, 2_500_000), encoded("480p", 2, 1_200_000))
    receiver = watch(stage, "720p")
    del stage.rungs["720p"]
    stage.channel.declare([item.rung for item in stage.rungs.values()], stage.now)
    stage.listen()
    stage.run(3.0)
    assert stage.changes("ann")[-1] == "480p"
    receiver.check()


def test_rungs_that_come_later_are_watched() -> None:
    stage = Stage()
    receiver = stage.join("ann")
    late = encoded("720p", 1, 2_500_000)
    stage.rungs["720p"] = late
    stage.channel.declare([late.rung], stage.now)
    stage.listen()
    stage.run(2.0)
    assert len(receiver.check()) > FPS


def test_fixed_rung_that_is_unknown_is_no_choice() -> None:
    stage = Stage(copied(), encoded("720p", 1, 2_500_000))
    stage.run(0.5)
    stage.join("ann")
    stage.choose("ann", "4320p")
    stage.run(1.0)
    assert stage.changes("ann") == ["720p"]
    assert not stage.names["ann"].place.is_fixed


def test_choice_before_the_connection_counts() -> None:
    stage = Stage(copied(), encoded("720p", 1, 2_500_000))
    stage.run(0.5)
    stage.add("ann")
    stage.choose("ann", "source")
    assert stage.events[-1] == Wanted({"source": 1}, audio=False)
    stage.connect("ann")
    stage.run(1.0)
    assert stage.changes("ann") == ["source"]


def test_ladder_is_read_again_when_a_rung_changes() -> None:
    stage = Stage(copied(), encoded("720p", 1, 2_500_000))
    watch(stage, "720p")
    changed = [Rung("source", 1, 1, 5_000_000, False, False), stage.rungs["720p"].rung]
    stage.channel.declare(changed, stage.now)
    stage.run(1.0)
    assert stage.changes("ann") == ["720p"]
