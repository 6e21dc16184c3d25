from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.configuration import MAX_CONFIGURATION_BYTES
from media.error import PeerError
from media.packet import AudioTrack, Packet
from media.timing import TimestampUnwrapper
from rtmp.audio import AudioTagReader
from rtmp.enhanced import MAX_TRACKS
from rtmp.error import RefusedError
from tests.rtmp.client import AAC_HEADER, audio_frame


def test_frame_becomes_a_packet() -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    assert reader.read(audio_frame(), 0) == []
    assert reader.read(AAC_HEADER, 0, bitrates_bps={0: 128_000}) == []
    (packet,) = reader.read(audio_frame(b"frame"), 23)
    assert (packet.pts, packet.dts, packet.data, packet.is_keyframe) == (2070, 2070, b"frame", True)
    assert packet.track == AudioTrack("aac", b"\x11\x90", "mp4a.40.2", 48_000, 2, 1024, 128_000)


def test_repeated_header_changes_nothing_and_another_one_does() -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    reader.read(AAC_HEADER, 0)
    (first,) = reader.read(audio_frame(), 0)
    reader.read(AAC_HEADER, 0, bitrates_bps={0: 1})
    (second,) = reader.read(audio_frame(), 0)
    reader.read(bytes.fromhex("af001208"), 0)
    (third,) = reader.read(audio_frame(), 0)
    assert second.track is first.track
    assert isinstance(third.track, AudioTrack)
    assert (third.track.sample_rate, third.track.channels) == (44_100, 1)


def test_adts_header_inside_is_stripped() -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    reader.read(AAC_HEADER, 0)
    (packet,) = reader.read(audio_frame(bytes.fromhex("fff14c80017ffc") + b"abcd"), 0)
    assert packet.data == b"abcd"


@pytest.mark.parametrize("payload", [b"", b"\xaf", b"\xaf\x01", b"\xaf\x00", b"\xaf\x07abc"])
def test_what_carries_no_sound_is_passed_over(payload: bytes) -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    reader.read(AAC_HEADER, 0)
    assert reader.read(payload, 0) == []
    assert len(reader.read(audio_frame(), 0)) == 1


@pytest.mark.parametrize(("first", "name"), [(0x3F, "PCM"), (0xB2, "Speex"), (0xDF, "number 13")])
def test_other_codecs_are_refused_by_name(first: int, name: str) -> None:
    with pytest.raises(RefusedError, match=f"audio codec .*{name} is not supported: set the encoder to AAC"):
        AudioTagReader(TimestampUnwrapper()).read(bytes([first]) + b"abc", 0)


def test_damaged_header_is_refused() -> None:
    with pytest.raises(PeerError, match="AAC"):
        AudioTagReader(TimestampUnwrapper()).read(b"\xaf\x00\x0a\x10", 0)


@pytest.mark.parametrize("header", [b"\xaf\x00\x11\x90", b"\x90Opus" + b"OpusHead", b"\x90fLaC"])
def test_header_is_bounded(header: bytes) -> None:
    with pytest.raises(PeerError, match=r"configuration of \d+ bytes"):
        AudioTagReader(TimestampUnwrapper()).read(header + bytes(MAX_CONFIGURATION_BYTES + 1), 0)


def test_aac_of_enhanced_rtmp() -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    assert reader.read(b"\x94mp4a\x01\x06\x00\x00\x00\x3f", 0) == []
    assert reader.read(b"\x90mp4a" + bytes.fromhex("11b0"), 0) == []
    (packet,) = reader.read(b"\x91mp4aframe", 23)
    assert (packet.pts, packet.data) == (2070, b"frame")
    assert isinstance(packet.track, AudioTrack)
    assert (packet.track.codec, packet.track.channels) == ("aac", 6)
    assert reader.read(b"\x92mp4a", 46) == []


def track_of(packet: Packet) -> AudioTrack:
    assert isinstance(packet.track, AudioTrack)
    return packet.track


OPUS_HEAD = b"OpusHead" + bytes.fromhex("0101380180bb0000000000")
OPUS_SURROUND = b"OpusHead" + bytes.fromhex("0106380180bb00000000010402000401020305")
# Table: each configuration number stands for a mode and a frame of 2.5 to 60 ms; the lowest two bits for a count.
OPUS_20_MS, OPUS_40_MS, OPUS_STEREO = (
    bytes.fromhex("f87249"),
    bytes.fromhex("f97249"),
    bytes.fromhex("fc7249"),
)
STREAMINFO = bytes.fromhex("0400040000000000081515888170f000") + bytes(18)
MP3, MP3_MONO = bytes.fromhex("fffb50c40000"), bytes.fromhex("fff348c40000")
AC3 = bytes.fromhex("0b77480d0c402f842bc1")
AC3_SURROUND = bytes.fromhex("0b77480d1c40e1842bc1")
EAC3 = bytes.fromhex("0b7700bf3287c0002106")
OPUS_MONO_CONFIG = bytes.fromhex("000101380000bb80000000")


@pytest.mark.parametrize(
    ("name", "tags", "track", "frame"),
    [
        (
            "Opus of one channel",
            [b"\x90Opus" + OPUS_HEAD, b"\x94Opus\x01\x01\x00\x00\x00\x04", b"\x91Opus" + OPUS_20_MS],
            AudioTrack("opus", OPUS_MONO_CONFIG, "opus", 48_000, 1, 960),
            OPUS_20_MS,
        ),
        (
            "Opus in packets of 40 ms, comments behind the header",
            [b"\x90Opus" + OPUS_HEAD, b"\x90OpusOpusTags\x00", b"\x91Opus" + OPUS_40_MS],
            AudioTrack("opus", OPUS_MONO_CONFIG, "opus", 48_000, 1, 1920),
            OPUS_40_MS,
        ),
        (
            "Opus of six channels",
            [b"\x90Opus" + OPUS_SURROUND, b"\x91Opus" + OPUS_20_MS],
            AudioTrack(
                "opus", bytes.fromhex("000601380000bb80000001") + OPUS_SURROUND[19:], "opus", 48_000, 6, 960
            ),
            OPUS_20_MS,
        ),
        (
            "Opus without a header",
            [b"\x91Opus" + OPUS_STEREO],
            AudioTrack("opus", bytes.fromhex("000201380000bb80000000"), "opus", 48_000, 2, 960),
            OPUS_STEREO,
        ),
        (
            "Opus without a header, channels told beside it",
            [b"\x94Opus\x00\x01", b"\x91Opus" + OPUS_STEREO],
            AudioTrack("opus", OPUS_MONO_CONFIG, "opus", 48_000, 1, 960),
            OPUS_STEREO,
        ),
        (
            "FLAC",
            [b"\x90fLaC" + STREAMINFO, b"\x91fLaC\xff\xf8frame"],
            AudioTrack("flac", STREAMINFO, "fLaC", 88_200, 1, 1024),
            b"\xff\xf8frame",
        ),
        (
            "FLAC with the start of a file",
            [b"\x90fLaCfLaC\x80\x00\x00\x22" + STREAMINFO, b"\x91fLaC\xff\xf8frame"],
            AudioTrack("flac", STREAMINFO, "fLaC", 88_200, 1, 1024),
            b"\xff\xf8frame",
        ),
        ("MP3", [b"\x91.mp3" + MP3], AudioTrack("mp3", b"", "mp3", 44_100, 1, 1152), MP3),
        ("MP3 of old", [b"\x2e" + MP3], AudioTrack("mp3", b"", "mp3", 44_100, 1, 1152), MP3),
        (
            "MP3 of half the rate",
            [b"\xe2" + MP3_MONO],
            AudioTrack("mp3", b"", "mp3", 32_000 // 2, 1, 576),
            MP3_MONO,
        ),
        (
            "AC-3 behind an empty header",
            [b"\x90ac-3", b"\x91ac-3" + AC3],
            AudioTrack("ac3", b"", "ac-3", 48_000, 1, 1536),
            AC3,
        ),
        (
            "AC-3 of six channels",
            [b"\x91ac-3" + AC3_SURROUND],
            AudioTrack("ac3", b"", "ac-3", 48_000, 6, 1536),
            AC3_SURROUND,
        ),
        ("E-AC-3", [b"\x91ec-3" + EAC3], AudioTrack("eac3", b"", "ec-3", 48_000, 1, 1536), EAC3),
    ],
)
def test_codecs_of_enhanced_rtmp(name: str, tags: list[bytes], track: AudioTrack, frame: bytes) -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    packets = [packet for tag in tags for packet in reader.read(tag, 20)]
    assert packets == [Packet(track, 1800, 1800, frame, is_keyframe=True)]


def test_track_is_kept_while_frames_agree_and_changes_with_them() -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    (first,), (second,) = reader.read(b"\x2e" + MP3, 0), reader.read(b"\x2e" + MP3, 26)
    (third,) = reader.read(b"\x2e" + MP3_MONO, 52)
    assert second.track is first.track
    assert track_of(third).sample_rate == 16_000


def test_bitrates_go_to_their_tracks() -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    bitrates = {0: 128_000, 1: 64_000}
    reader.read(AAC_HEADER, 0, bitrates)
    reader.read(b"\x95\x00Opus\x01" + OPUS_HEAD, 0, bitrates)
    (main,) = reader.read(audio_frame(), 0, bitrates)
    (second,) = reader.read(b"\x95\x01Opus\x01" + OPUS_20_MS, 0, bitrates)
    assert (main.track_id, track_of(main).bitrate_bps) == (0, 128_000)
    assert (second.track_id, track_of(second).bitrate_bps) == (1, 64_000)


def test_several_tracks_with_codecs_of_their_own_in_one_tag() -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    reader.read(b"\x95\x20mp4a\x00\x00\x00\x02\x11\x90" + b"Opus\x05\x00\x00\x13" + OPUS_HEAD, 0)
    frames = b"mp4a\x00\x00\x00\x05frame" + b"Opus\x05\x00\x00\x03" + OPUS_20_MS
    packets = reader.read(b"\x95\x21" + frames, 10)
    assert [(packet.track_id, packet.data, packet.pts) for packet in packets] == [
        (0, b"frame", 900),
        (5, OPUS_20_MS, 900),
    ]
    assert [track_of(packet).codec for packet in packets] == ["aac", "opus"]


def test_more_tracks_than_a_publisher_may_send_are_refused() -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    for track_id in range(MAX_TRACKS):
        assert len(reader.read(b"\x95\x01.mp3" + bytes([3 * track_id]) + MP3, 0)) == 1
    with pytest.raises(
        RefusedError, match="more than 8 audio tracks are not supported: set the encoder to fewer"
    ):
        reader.read(b"\x95\x01.mp3\xff" + MP3, 0)


def test_nanoseconds_are_added_to_the_time() -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    (packet,) = reader.read(b"\x97\x02\x05\x16\x15\x01.mp3" + MP3, 1)
    assert (packet.pts, packet.dts) == (120, 120)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (
            b"\x91\xff\x00ab",
            "audio codec \\xff\\x00ab over Enhanced RTMP is not supported: set the encoder to AAC",
        ),
        (b"\x95\x01spex\x00", "audio codec spex over Enhanced RTMP is not supported: set the encoder to AAC"),
    ],
)
def test_other_enhanced_audio_is_refused_by_name(payload: bytes, words: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        AudioTagReader(TimestampUnwrapper()).read(payload, 0)
    assert str(refusal.value) == words


@pytest.mark.parametrize(
    ("name", "tags", "words"),
    [
        ("cut FourCC", [b"\x90m"], "cut short"),
        ("Opus header cut short", [b"\x90Opus" + OPUS_HEAD[:-1]], "OpusHead.* cut short"),
        ("Opus header of another version", [b"\x90OpusOpusHead\x10" + OPUS_HEAD[9:]], "version 16"),
        ("Opus mapping cut short", [b"\x90Opus" + OPUS_SURROUND[:-1]], "channel mapping"),
        (
            "Opus mapping missing",
            [b"\x90OpusOpusHead\x01\x03" + OPUS_HEAD[10:]],
            "no mapping for its 3 channels",
        ),
        (
            "Opus of many channels without header",
            [b"\x94Opus\x00\x06", b"\x91Opus\xfc"],
            "without its header",
        ),
        ("STREAMINFO cut short", [b"\x90fLaC" + STREAMINFO[:-1]], "STREAMINFO.* cut short"),
        ("STREAMINFO of zeros", [b"\x90fLaC" + bytes(34)], "0 Hz"),
        ("MP3 without header", [b"\x2eabcdef"], "without its header"),
        ("MP3 of layer II", [b"\x2e\xff\xfd\x50\xc4"], "does not exist"),
        ("AC-3 without header", [b"\x91ac-3abcdefgh"], "AC-3 frame without its header"),
        ("AC-3 of another version", [b"\x91ac-3\x0b\x77\x00\x00\x0c\xff\xff\xff"], "does not exist"),
        ("E-AC-3 that is AC-3", [b"\x91ec-3" + AC3], "does not exist"),
        ("no channels", [b"\x94mp4a\x00\x00"], "of 0 channels"),
        ("too many channels", [b"\x94mp4a\x00\x19"], "of 25 channels; up to 24"),
        ("cut channel mask", [b"\x94mp4a\x01\x02\x00\x00\x00"], "order of channels"),
        ("cut channel map", [b"\x94mp4a\x02\x03\x00\x01"], "order of channels"),
        ("cut channel count", [b"\x94mp4a\x02"], "cut short"),
    ],
)
def test_damaged_enhanced_audio_is_refused(name: str, tags: list[bytes], words: str) -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    for tag in tags[:-1]:
        reader.read(tag, 0)
    with pytest.raises(PeerError, match=words):
        reader.read(tags[-1], 0)


@given(st.lists(st.binary(max_size=40), max_size=3))
def test_any_tags_are_read_or_are_the_peers_error(bodies: list[bytes]) -> None:
    reader = AudioTagReader(TimestampUnwrapper())
    for head in (b"", b"\x90Opus", b"\x91ec-3", b"\x95\x21", b"\x97"):
        for body in bodies:
            with contextlib.suppress(PeerError):
                reader.read(head + body, 0)
