"""Intake: which tracks a source has."""

from __future__ import annotations

from dataclasses import replace

from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack
from mediaserver.live.intake import (
    AUDIO_WAIT,
    MAX_HELD,
    MAX_HELD_BYTES,
    MAX_TRACKS,
    TRACKS_WAIT,
    VIDEO_WAIT,
    Intake,
)
from mediaserver.live.plan import Tracks

VIDEO = VideoTrack("h264", b"", "avc1.64001f", 1280, 720)
AUDIO = AudioTrack("aac", b"\x11\x90", "mp4a.40.2", 48000, 2)


def video(dts: int, *, key: bool = False) -> Packet:
    return Packet(VIDEO, dts, dts, b"v", key)


def decided(intake: Intake) -> bool:
    return intake.is_decided


def audio(pts: int) -> Packet:
    return Packet(AUDIO, pts, pts, b"a", True)


def test_audio_before_the_keyframe_decides_at_the_keyframe() -> None:
    intake = Intake(tracks=1)
    intake.receive(audio(0))
    assert not decided(intake)
    intake.receive(video(10, key=True))
    assert decided(intake)
    tracks, held = intake.release()
    assert tracks == Tracks(VIDEO, AUDIO)
    assert [packet.data for packet in held] == [b"v"]


def test_frames_before_the_first_keyframe_are_left_out() -> None:
    intake = Intake()
    intake.receive(video(0))
    intake.receive(video(3600, key=True))
    intake.receive(audio(3700))
    assert [packet.dts for packet in intake.release()[1]] == [3600, 3700]
    assert intake.audio == AUDIO


def test_a_silent_source_waits_no_longer_than_it_must() -> None:
    intake = Intake()
    intake.receive(video(0, key=True))
    intake.receive(video(AUDIO_WAIT - 1))
    assert not decided(intake)
    intake.receive(video(AUDIO_WAIT))
    assert decided(intake)
    assert intake.audio is None


def test_audio_alone_is_a_source_after_a_while() -> None:
    intake = Intake()
    intake.receive(audio(0))
    intake.receive(audio(VIDEO_WAIT - 1))
    assert not decided(intake)
    intake.receive(audio(VIDEO_WAIT))
    assert decided(intake)
    assert intake.waited == VIDEO_WAIT
    tracks, held = intake.release()
    assert tracks == Tracks(None, AUDIO)
    assert [packet.dts for packet in held] == [0, VIDEO_WAIT - 1, VIDEO_WAIT]


def test_audio_alone_whose_timestamps_stand_still_does_not_pile_up() -> None:
    intake = Intake()
    for _ in range(MAX_HELD):
        assert not decided(intake)
        intake.receive(audio(0))
    assert decided(intake)


def test_large_packets_do_not_pile_up() -> None:
    intake = Intake()
    intake.receive(video(0, key=True))
    for _ in range(8):
        assert not decided(intake)
        intake.receive(Packet(VIDEO, 0, 0, bytes(MAX_HELD_BYTES // 8)))
    assert decided(intake)


def test_audio_alone_that_changes_begins_with_its_new_track() -> None:
    intake = Intake()
    intake.receive(audio(0))
    other = replace(AUDIO, sample_rate=44_100)
    intake.receive(replace(audio(CLOCK_HZ), track=other))
    intake.receive(replace(audio(CLOCK_HZ + VIDEO_WAIT), track=other))
    assert decided(intake)
    tracks, held = intake.release()
    assert tracks == Tracks(None, other)
    assert {packet.track for packet in held} == {other}


def test_audio_alone_decides_nothing_where_there_are_rungs_to_fill() -> None:
    intake = Intake(needs_video=True)
    for n in range(10):
        intake.receive(audio(n * CLOCK_HZ))
    assert not decided(intake)
    assert intake.has_seen_audio


def test_video_without_a_keyframe_is_waited_for() -> None:
    intake = Intake()
    intake.receive(video(0))
    for n in range(10):
        intake.receive(audio(n * CLOCK_HZ))
    assert not decided(intake)


def test_other_audio_tracks_are_left_out() -> None:
    intake = Intake()
    intake.receive(replace(audio(0), track_id=1))
    assert intake.audio is None


def test_known_audio_starts_at_the_keyframe() -> None:
    intake = Intake(AUDIO, tracks=1)
    intake.receive(video(0, key=True))
    assert decided(intake)


def test_second_frame_tells_that_there_is_no_other_track() -> None:
    intake = Intake(AUDIO)
    intake.receive(video(0, key=True))
    assert not decided(intake)
    intake.receive(rendition(1, 640, 360))
    assert not decided(intake)
    intake.receive(video(3600))
    assert decided(intake)
    tracks, held = intake.release()
    assert list(tracks.companions) == [1]
    assert len(held) == 3


def rendition(number: int, width: int, height: int, dts: int = 0, *, key: bool = True) -> Packet:
    track = replace(VIDEO, width=width, height=height)
    return Packet(track, dts, dts, f"{number}@{dts}".encode(), key, number)


def test_renditions_that_were_announced_are_waited_for() -> None:
    intake = Intake(AUDIO, tracks=3)
    intake.receive(rendition(0, 640, 360))
    intake.receive(rendition(1, 1280, 720))
    assert not decided(intake)
    intake.receive(rendition(2, 320, 180))
    assert decided(intake)
    tracks, held = intake.release()
    assert tracks.main_id == 1, "the largest one drives the timeline"
    assert tracks.video is not None
    assert tracks.video.height == 720
    assert {number: track.height for number, track in tracks.companions.items()} == {0: 360, 2: 180}
    assert [packet.data for packet in held] == [b"1@0", b"0@0", b"2@0"]


def test_renditions_that_do_not_come_are_not_waited_for_long() -> None:
    intake = Intake(AUDIO, tracks=MAX_TRACKS)
    intake.receive(video(0, key=True))
    intake.receive(video(TRACKS_WAIT - 1))
    assert not decided(intake)
    intake.receive(video(TRACKS_WAIT))
    assert decided(intake)


def test_more_renditions_than_there_are_qualities_are_left_out() -> None:
    intake = Intake(AUDIO)
    for number in range(MAX_TRACKS + 3):
        intake.receive(rendition(number, 640, 360))
    tracks, held = intake.release()
    assert len(tracks.companions) == MAX_TRACKS - 1
    assert len(held) == MAX_TRACKS


def test_frames_of_renditions_before_the_main_keyframe_are_left_out() -> None:
    intake = Intake(AUDIO, tracks=2)
    intake.receive(rendition(1, 320, 180))
    intake.receive(rendition(1, 320, 180, 3600, key=False))
    intake.receive(rendition(0, 640, 360, 180_000))
    intake.receive(rendition(1, 320, 180, 180_000))
    assert [packet.data for packet in intake.release()[1]] == [b"0@180000", b"1@180000"]
