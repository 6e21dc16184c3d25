from __future__ import annotations

import pytest

from media.error import PeerError
from media.packet import AudioTrack
from media.timing import TimestampUnwrapper
from rtmp.audio import AudioTagReader
from rtmp.error import RefusedError
from tests.rtmp.client import AAC_HEADER, audio_frame


def test_frame_becomes_a_packet() -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    assert reader.read(audio_frame(), 0) is None
    assert reader.read(AAC_HEADER, 0, bitrate_bps=128_000) is None
    packet = reader.read(audio_frame(b"frame"), 23)
    assert packet is not None
    assert (packet.pts, packet.dts, packet.data, packet.is_keyframe) == (2070, 2070, b"frame", True)
    assert packet.track == AudioTrack("aac", b"\x11\x90", "mp4a.40.2", 48_000, 2, 1024, 128_000)


def test_repeated_header_changes_nothing_and_another_one_does() -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    reader.read(AAC_HEADER, 0)
    first = reader.read(audio_frame(), 0)
    reader.read(AAC_HEADER, 0, bitrate_bps=1)
    second = reader.read(audio_frame(), 0)
    reader.read(bytes.fromhex("af001208"), 0)
    third = reader.read(audio_frame(), 0)
    assert first is not None
    assert second is not None
    assert third is not None
    assert second.track is first.track
    assert isinstance(third.track, AudioTrack)
    assert (third.track.sample_rate, third.track.channels) == (44_100, 1)


def test_adts_header_inside_is_stripped() -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    reader.read(AAC_HEADER, 0)
    packet = reader.read(audio_frame(bytes.fromhex("fff14c80017ffc") + b"abcd"), 0)
    assert packet is not None
    assert packet.data == b"abcd"


@pytest.mark.parametrize("payload", [b"", b"\xaf", b"\xaf\x01", b"\xaf\x00", b"\xaf\x07abc"])
def test_what_carries_no_sound_is_passed_over(payload: bytes) -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    reader.read(AAC_HEADER, 0)
    assert reader.read(payload, 0) is None
    assert reader.read(audio_frame(), 0) is not None


@pytest.mark.parametrize(
    ("first", "name"), [(0x2F, "MP3"), (0x9F, "Enhanced RTMP"), (0xB2, "Speex"), (0xDF, "number 13")]
)
def test_other_codecs_are_refused_by_name(first: int, name: str) -> None:
    with pytest.raises(RefusedError, match=f"audio codec .*{name} is not supported: set the encoder to AAC"):
        AudioTagReader(TimestampUnwrapper()).read(bytes([first]) + b"abc", 0)


def test_damaged_header_is_refused() -> None:
    with pytest.raises(PeerError, match="AAC"):
        AudioTagReader(TimestampUnwrapper()).read(b"\xaf\x00\x0a\x10", 0)


def test_aac_of_enhanced_rtmp() -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    assert reader.read(b"\x94mp4a\x01\x06\x00\x00\x00\x3f", 0) is None
    assert reader.read(b"\x90mp4a" + bytes.fromhex("11b0"), 0) is None
    packet = reader.read(b"\x91mp4aframe", 23)
    assert packet is not None
    assert (packet.pts, packet.data) == (2070, b"frame")
    assert isinstance(packet.track, AudioTrack)
    assert (packet.track.codec, packet.track.channels) == ("aac", 6)
    assert reader.read(b"\x92mp4a", 46) is None


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"\x90Opusx", "audio codec Opus over Enhanced RTMP is not supported: set the encoder to AAC"),
        (b"\x91\xff\x00ab", "audio codec \\xff\\x00ab over Enhanced RTMP is not supported"),
        (b"\x95\x00mp4a\x00", "several audio tracks over Enhanced RTMP are not supported"),
        (b"\x90m", "audio codec m over Enhanced RTMP is not supported"),
    ],
)
def test_other_enhanced_audio_is_refused_by_name(payload: bytes, words: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        AudioTagReader(TimestampUnwrapper()).read(payload, 0)
    assert str(refusal.value).startswith(words)
