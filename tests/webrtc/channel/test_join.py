"""Viewers come: how soon they see something, and what is asked for."""

from __future__ import annotations

from webrtc.channel.event import KeyframeWanted, Wanted
from webrtc.channel.viewer import CodecChoice

from .stage import AUDIO, FPS, FakeRung, Stage, rung


def ladder(**copied: object) -> tuple[FakeRung, ...]:
    return (
        FakeRung(rung("1080p", 5_000_000, can_force=False), 0, **copied),  # type: ignore[arg-type]
        FakeRung(rung("720p", 2_500_000), 1, lag_s=0.1),
        FakeRung(rung("360p", 800_000, is_made=False), 2, lag_s=0.1, size_bytes=2000, keyframe_bytes=15000),
    )


def test_first_joiner_gets_what_was_kept_and_is_level_soon() -> None:
    stage = Stage(*ladder())
    stage.run(1.5)
    receiver = stage.join("ann")
    assert stage.events[0] == Wanted({"720p": 1}, audio=False)
    began_at = stage.now
    stage.run(1.5)
    pictures = receiver.check()
    assert pictures[0].is_keyframe
    assert pictures[0].at - began_at < 0.05
    assert len(pictures) == 2.9 * 30 + 1
    assert stage.changes("ann") == ["720p"]
    assert not any(isinstance(event, KeyframeWanted) for event in stage.events)


def test_kept_frames_come_at_three_times_their_rate() -> None:
    stage = Stage(*ladder())
    stage.run(1.9)
    receiver = stage.join("ann")
    stage.run(0.2)
    assert 0.55 * 30 <= len(receiver.check()) <= 0.65 * 30 + 1


def test_second_joiner_gets_the_same_packets() -> None:
    stage = Stage(*ladder())
    stage.run(0.5)
    first = stage.join("ann")
    stage.run(1.0)
    second = stage.join("ben")
    stage.run(2.0)
    pictures = second.check()
    assert pictures[0].number == 300
    assert [item.number for item in pictures] == [item.number for item in first.check()]
    assert not stage.keyframes_wanted("720p")


def test_long_gop_of_an_encoder_is_cut_short_for_joiners() -> None:
    stage = Stage(FakeRung(rung("720p", 2_500_000), 1, lag_s=0.1, gop=300, keeps=False))
    stage.run(4.0)
    receiver = stage.join("ann")
    began_at = stage.now
    stage.run(1.0)
    assert receiver.check()[0].at - began_at < 0.35
    assert stage.keyframes_wanted("720p") == 1


def test_many_joiners_share_one_keyframe() -> None:
    stage = Stage(FakeRung(rung("720p", 2_500_000), 1, lag_s=0.1, gop=300, keeps=False))
    stage.run(4.0)
    for number in range(20):
        stage.join(f"viewer-{number}")
    stage.run(1.0)
    assert stage.keyframes_wanted("720p") == 1
    assert all(receiver.check() for receiver in stage.receivers.values())


def test_nobody_waits_for_a_long_gop_that_is_copied() -> None:
    copied = FakeRung(rung("source", 2_800_000, can_force=False), 0, gop=250, keeps=False)
    stage = Stage(copied, FakeRung(rung("480p", 1_200_000), 1, lag_s=0.1))
    stage.run(4.0)
    receiver = stage.join("ann")
    began_at = stage.now
    stage.run(7.0)
    assert stage.changes("ann") == ["480p", "source"]
    assert receiver.check()[0].at - began_at < 0.35


def test_rung_that_sleeps_wakes_up() -> None:
    stage = Stage(FakeRung(rung("720p", 2_500_000, is_made=False), 0, wake_s=0.2))
    stage.run(1.0)
    receiver = stage.join("ann")
    stage.run(1.0)
    assert receiver.check()[0].at < 1.3


def test_viewer_without_picture_hears_at_once() -> None:
    stage = Stage(*ladder(), has_audio=True)
    stage.run(1.0)
    receiver = stage.join("ann", None, AUDIO)
    assert stage.events == [Wanted({}, audio=True)]
    stage.run(1.0)
    assert len(receiver.sequences(stage.channel.ssrcs.audio)) == 50


def test_first_sequence_numbers_leave_room_below_the_wrap() -> None:
    stage = Stage(*ladder(), has_audio=True)
    for number in range(50):
        stage.join(f"viewer-{number}", audio=AUDIO)
    stage.run(0.5)
    for receiver in stage.receivers.values():
        for ssrc in (stage.channel.ssrcs.video, stage.channel.ssrcs.audio):
            assert receiver.sequences(ssrc)[0] < 0x8000


def test_viewers_of_different_forms_get_their_own() -> None:
    stage = Stage(*ladder())
    one = stage.join("ann", CodecChoice(96, None, 0))
    other = stage.join("ben", CodecChoice(125, None, 7))
    stage.run(1.0)
    assert one.arrivals[0][2][1] & 0x7F == 96
    assert other.arrivals[0][2][1] & 0x7F == 125
    assert len(one.check()) == len(other.check())


def test_what_nobody_wants_is_not_wanted() -> None:
    stage = Stage(*ladder())
    stage.join("ann")
    stage.run(0.5)
    stage.channel.remove(stage.names["ann"], stage.now)
    stage.listen()
    assert stage.events[-1] == Wanted({}, audio=False)
    stage.run(1.5)
    assert stage.channel.get_timer() is None


def test_what_is_wanted_is_said_again() -> None:
    stage = Stage(*ladder())
    stage.join("ann")
    stage.run(11.0)
    wanted = [event for event in stage.events if isinstance(event, Wanted)]
    assert wanted == [Wanted({"720p": 1}, audio=False)] * 3


def test_rung_that_was_left_is_not_joined_where_it_was() -> None:
    stage = Stage(*ladder())
    stage.run(0.5)
    stage.join("ann")
    stage.run(1.0)
    stage.channel.remove(stage.names["ann"], stage.now)
    stage.listen()
    stage.rungs["720p"].keeps = False
    stage.run(0.2)
    receiver = stage.join("ben")
    stage.run(2.0)
    assert receiver.check()


def test_joiner_waits_for_a_keyframe_that_waits_itself() -> None:
    large = FakeRung(rung("720p", 2_500_000), 1, size_bytes=100_000, keyframe_bytes=300_000, gop=30)
    stage = Stage(large)
    stage.join("ann")
    stage.run(1.9)
    while len(large.kept) != 29:
        stage.run(0.01)
    before, keyframe = large.make(stage.now + 2 / FPS + 0.001)[-2:]
    assert keyframe.is_keyframe
    for frame in (before, keyframe):
        stage.channel.receive_video("720p", frame, stage.now)
    receiver = stage.join("ben")
    stage.run(1.0)
    pictures = receiver.check()
    assert pictures[0].timestamp == next(
        p.timestamp for p in stage.receivers["ann"].check()[::-1] if p.is_keyframe
    )
