"""Intake: which tracks a source has."""

from __future__ import annotations

from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack
from mediaserver.live.intake import AUDIO_WAIT, Intake

VIDEO = VideoTrack("h264", b"", "avc1.64001f", 1280, 720)
AUDIO = AudioTrack("aac", b"\x11\x90", "mp4a.40.2", 48000, 2)


def video(dts: int, *, key: bool = False) -> Packet:
    return Packet(VIDEO, dts, dts, b"v", key)


def decided(intake: Intake) -> bool:
    return intake.is_decided


def audio(pts: int) -> Packet:
    return Packet(AUDIO, pts, pts, b"a", True)


def test_audio_before_the_keyframe_decides_at_the_keyframe() -> None:
    intake = Intake()
    intake.receive(audio(0))
    assert not decided(intake)
    intake.receive(video(10, key=True))
    assert decided(intake)
    assert [packet.data for packet in intake.release()] == [b"v"]


def test_frames_before_the_first_keyframe_are_left_out() -> None:
    intake = Intake()
    intake.receive(video(0))
    intake.receive(video(3600, key=True))
    intake.receive(audio(3700))
    assert [packet.dts for packet in intake.release()] == [3600, 3700]
    assert intake.audio == AUDIO


def test_a_silent_source_waits_no_longer_than_it_must() -> None:
    intake = Intake()
    intake.receive(video(0, key=True))
    intake.receive(video(AUDIO_WAIT - 1))
    assert not decided(intake)
    intake.receive(video(AUDIO_WAIT))
    assert decided(intake)
    assert intake.audio is None


def test_audio_alone_decides_nothing() -> None:
    intake = Intake()
    for n in range(10):
        intake.receive(audio(n * CLOCK_HZ))
    assert not decided(intake)


def test_known_audio_starts_at_the_keyframe() -> None:
    intake = Intake(AUDIO)
    intake.receive(video(0, key=True))
    assert decided(intake)
