"""A path that gets full: rather no picture for a moment than more of the old rung."""

from __future__ import annotations

from aiortc import rtp

from webrtc.channel.event import KeyframeWanted
from webrtc.channel.place import Mode
from webrtc.port import VideoFrame

from .stage import AUDIO, VIDEO, FakeRoute, FakeRung, Receiver, Stage, rung
from .test_change import longest_pause
from .test_loss import nack


def make_stage(*, is_small_made: bool = True, size_bytes: int = 10_000) -> tuple[Stage, Receiver]:
    """Return a stage where a viewer watches the source, and somebody else what is smaller."""
    stage = Stage(
        FakeRung(rung("source", 5_000_000, can_force=False), 0, size_bytes=size_bytes, keyframe_bytes=60_000),
        FakeRung(rung("480p", 1_000_000, is_made=is_small_made), 1, lag_s=0.12, size_bytes=3_000),
    )
    stage.run(0.5)
    receiver = stage.join("ann")
    if is_small_made:
        stage.join("ben")
    stage.choose("ann", "source")
    stage.run(4.8)
    stage.choose("ann", None)
    assert stage.changes("ann")[-1] == "source"
    return stage, receiver


def is_held(stage: Stage) -> bool:
    return stage.names["ann"].place.hold is not None


def fill(stage: Stage) -> None:
    """Let the path be full: it takes long, and carries half of what it gets."""
    path = stage.names["ann"].estimate.path
    for rtt_s in (0.05, 0.5, 0.5):
        path.note_round_trip(rtt_s, stage.now)
    fci = rtp.pack_remb_fci(900_000, [stage.channel.ssrcs.video])
    stage.tell("ann", rtp.RtcpPsfbPacket(rtp.RTCP_PSFB_APP, 1, 0, fci))


def test_held_at_once_until_a_keyframe_is_made() -> None:
    stage, receiver = make_stage()
    before = len(receiver.arrivals)
    fill(stage)
    place = stage.names["ann"].place
    assert place.hold is not None
    [wanted] = [event for event in stage.events if isinstance(event, KeyframeWanted)]
    assert wanted == KeyframeWanted("480p", place.last_pts)
    full_at = stage.now
    stage.run(0.1)
    assert len(receiver.arrivals) == before
    stage.run(1.0)
    assert stage.changes("ann")[-1] == "480p"
    pictures = receiver.check()
    assert (
        next(picture.at for picture in pictures if picture.rung == 1 and picture.at > full_at) - full_at < 0.2
    )


def test_others_are_not_asked_again_and_again() -> None:
    stage, _ = make_stage()
    stage.tell("ben", rtp.RtcpPsfbPacket(1, 1, stage.channel.ssrcs.video))
    fill(stage)
    place = stage.names["ann"].place
    assert place.mode is Mode.LIVE
    assert place.is_urgent
    stage.run(3.0)
    assert stage.changes("ann")[-1] == "480p"
    assert stage.keyframes_wanted("480p") <= 2


def test_frame_that_is_on_its_way_is_sent_to_its_end() -> None:
    stage, receiver = make_stage(size_bytes=80_000)
    flow = stage.names["ann"].place.flow
    assert flow is not None
    while flow.is_between:
        stage.run(0.01)
    fill(stage)
    assert not is_held(stage)
    stage.run(0.03)
    assert is_held(stage)
    stage.run(1.0)
    assert stage.changes("ann")[-1] == "480p"
    receiver.check()


def test_who_goes_back_meanwhile_has_missed_nothing() -> None:
    stage, receiver = make_stage()
    fill(stage)
    stage.run(0.1)
    stage.choose("ann", "source")
    stage.run(1.0)
    assert stage.names["ann"].place.mode is Mode.LIVE
    numbers = [picture.number for picture in receiver.check() if picture.rung == 0]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert longest_pause(receiver.check(), 3.0) < 0.2


def test_rung_that_sleeps_is_waited_for_with_a_picture() -> None:
    stage, receiver = make_stage(is_small_made=False)
    fill(stage)
    assert stage.names["ann"].place.mode is Mode.LIVE
    stage.run(1.5)
    assert stage.changes("ann")[-1] == "480p"
    assert longest_pause(receiver.check(), 4.0) < 0.4


def test_rung_that_does_not_come_leaves_the_old_one() -> None:
    stage, receiver = make_stage()
    stage.rungs["480p"].rung = rung("480p", 1_000_000, can_force=False)
    fill(stage)
    stage.run(0.7)
    place = stage.names["ann"].place
    assert stage.changes("ann")[-1] == "source"
    assert place.no_hold_before > stage.now, "he is not held again at once"
    stage.run(0.3)
    numbers = [picture.number for picture in receiver.check() if picture.rung == 0]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_sound_comes_again_too() -> None:
    stage = Stage(FakeRung(rung("720p", 2_500_000), 0), has_audio=True)
    receiver = stage.join("ann", VIDEO, AUDIO)
    stage.run(1.0)
    ssrc = stage.channel.ssrcs.audio
    number = receiver.sequences(ssrc)[-3]
    before = len(receiver.arrivals)
    packet = bytearray(nack(stage, number & 0xFFFF))
    packet[8:12] = ssrc.to_bytes(4, "big")
    stage.tell("ann", bytes(packet))
    assert [item[1] for item in receiver.arrivals[before:]] == [number & 0xFFFF]


def test_viewer_who_moves_is_followed() -> None:
    stage = Stage(FakeRung(rung("720p", 2_500_000), 0), has_audio=True)
    old = stage.join("ann", VIDEO, AUDIO)
    stage.run(1.0)
    route = FakeRoute(("elsewhere", 1))
    new = stage.fanout.receivers[route] = Receiver(stage)
    stage.names["ann"].move(route)
    before = len(old.arrivals)
    stage.run(1.5)
    assert len(old.arrivals) == before
    assert new.arrivals
    assert new.rtcp


def test_frame_that_is_none_is_left_out() -> None:
    stage = Stage(FakeRung(rung("720p", 2_500_000), 0))
    receiver = stage.join("ann")
    stage.run(1.0)
    newest = stage.rungs["720p"].kept[-1].pts
    for data in (b"", b"\0\0\0\x09\x41", b"\0\0\0\x02\x09\x10"):
        stage.channel.receive_video("720p", VideoFrame(newest + 10, is_keyframe=False, data=data), stage.now)
    stage.channel.receive_video(
        "720p", VideoFrame(newest, is_keyframe=True, data=b"\0\0\0\x01\x65"), stage.now
    )
    stage.channel.receive_video("4320p", stage.rungs["720p"].kept[-1], stage.now)
    stage.run(1.0)
    receiver.check()


def test_channel_takes_no_more_of_who_has_left() -> None:
    stage = Stage(FakeRung(rung("720p", 2_500_000), 0))
    receiver = stage.join("ann")
    stage.run(1.0)
    viewer = stage.names["ann"]
    number = receiver.arrivals[-1][1]
    stage.channel.remove(viewer, stage.now)
    stage.channel.remove(viewer, stage.now)
    before = len(receiver.arrivals)
    stage.tell("ann", nack(stage, number))
    stage.run(1.0)
    assert len(receiver.arrivals) == before
