from __future__ import annotations

import contextlib
import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.ac3 import ac3_track, eac3_track
from media.av1 import av1_config, av1_track, sequence_header_of
from media.error import PeerError
from media.flac import flac_track
from media.hevc import hevc_track
from media.mp3 import mp3_track
from media.obu import SEQUENCE_HEADER, TEMPORAL_DELIMITER, split_obus, write_obu
from media.opus import opus_track, packet_samples, parse_opus_head, with_packet_duration
from media.packet import AudioTrack
from media.vp9 import Vp9Keyframe, parse_vp9_keyframe
from tests.media.encode import bits

POINT = "0" * 12 + "00101"
"""An AV1 operating point of level 5."""
AC3_HEAD = f"{0x0B77:016b}" + "0" * 16


@pytest.mark.parametrize(
    ("pix_fmt", "config", "codec_string", "chroma"),
    [
        ("yuv420p", "81000c000a0b000000043cf7b4daf90040", "av01.0.00M.08", 1),
        ("yuv420p10le", "81004c000a0b000000043cf7b4daf94040", "av01.0.00M.10", 1),
        ("yuv420p12le", "81406c000a0b400000043cf7b4daf96308", "av01.2.00M.12", 1),
        ("yuv422p", "814008000a0a400000043cf7b4daf901", "av01.2.00M.08", 2),
        ("yuv422p12le", "814068000a0b400000043cf7b4daf96220", "av01.2.00M.12", 2),
        ("yuv444p", "812000000a0a200000043cf7b4daf902", "av01.1.00M.08", 3),
        ("gray10le", "81005c000a0a000000043cf7b4daf96a", "av01.0.00M.10", 0),
        ("gbrp", "812000000a0d200000043cf7b4daf92021a004", "av01.1.00M.08", 3),
    ],
)
def test_av1_record_follows_from_its_sequence_header(
    pix_fmt: str, config: str, codec_string: str, chroma: int
) -> None:
    """Records written by FFmpeg for 318x238 of libaom: ours of the same header has to be the same."""
    record = bytes.fromhex(config)
    assert av1_config(sequence_header_of(record)) == record
    track = av1_track(record, bitrate_bps=1)
    assert (track.codec, track.width, track.height, track.bitrate_bps) == ("av1", 318, 238, 1)
    assert (track.codec_string, track.chroma_format_idc) == (codec_string, chroma)


def av1_header(operation: str, size: str = "0001 0001 10 11") -> bytes:
    return bits("000 0 0" + operation + size + "0" * 40)


@pytest.mark.parametrize(
    ("name", "operation", "rate", "string"),
    [
        ("no timing", "0 0 00000" + POINT, None, "av01.0.05M.08"),
        ("high tier", "0 0 00000" + "0" * 12 + "01000 1", None, "av01.0.08H.08"),
        (
            "frame rate, display delay, two points",
            f"1{1001:032b}{60_000:032b}1 010 0 1 00001" + (POINT + "1 0101") * 2,
            Fraction(30_000, 1001),
            "av01.0.05M.08",
        ),
        (
            "decoder model",
            f"1{1:032b}{25:032b}1 1 1 00011{1:032b}0000000000 0 00000" + POINT + "1 0000 0000 0",
            Fraction(25),
            "av01.0.05M.08",
        ),
        ("no equal intervals", f"1{1:032b}{25:032b}0 0 0 00000" + POINT, None, "av01.0.05M.08"),
    ],
)
def test_av1_operating_points(name: str, operation: str, rate: Fraction | None, string: str) -> None:
    track = av1_track(av1_config(av1_header(operation)))
    assert (track.width, track.height, track.frame_rate, track.codec_string) == (3, 4, rate, string)


def test_av1_still_picture_header() -> None:
    track = av1_track(av1_config(bits("000 1 1 00101 0001 0001 10 11" + "0" * 16)))
    assert (track.width, track.height, track.codec_string) == (3, 4, "av01.0.05M.08")


def test_av1_size_is_bounded() -> None:
    with pytest.raises(PeerError, match="AV1 picture of 65536x65536"):
        av1_config(av1_header("0 0 00000" + POINT, "1111 1111" + "1" * 32))


def test_units_are_split_and_written() -> None:
    large = write_obu(SEQUENCE_HEADER, bytes(300))
    assert large[:3] == b"\x0a\xac\x02"
    extended, bare = b"\x36\x08\x01x", b"\x30rest"
    units = split_obus(b"\x12\x00" + large + extended + bare)
    assert [unit.kind for unit in units] == [TEMPORAL_DELIMITER, SEQUENCE_HEADER, 6, 6]
    assert [unit.payload for unit in units] == [b"", bytes(300), b"x", b"rest"]
    assert [unit.data for unit in units] == [b"\x12\x00", large, extended, bare]


@pytest.mark.parametrize(
    "data", [b"\x0a\x02x", b"\x0a\x80", b"\x0a" + b"\xff" * 9, b"\x34", b"\x36\x08\x02x"]
)
def test_units_that_are_cut_short_are_refused(data: bytes) -> None:
    with pytest.raises(PeerError, match="cut short"):
        split_obus(data)


@pytest.mark.parametrize(
    ("pix_fmt", "frame", "facts"),
    [
        ("yuv420p", "824983420013d00ed606", (0, 8, 1)),
        ("yuv420p10le", "924983420009e8076b03", (2, 10, 1)),
        ("yuv422p", "a249834208027a01dac0c7", (1, 8, 2)),
        ("yuv422p12le", "b124c1a142009e8076b031", (3, 12, 2)),
        ("yuv444p", "a249834200027a01dac0c7", (1, 8, 3)),
        ("gbrp", "a2498342e013d00ed60638", (1, 8, 3)),
        ("gbrp10le", "b124c1a13804f403b5818e", (3, 10, 3)),
    ],
)
def test_vp9_key_frames_of_libvpx(pix_fmt: str, frame: str, facts: tuple[int, int, int]) -> None:
    keyframe = parse_vp9_keyframe(bytes.fromhex(frame))
    assert keyframe == Vp9Keyframe(*facts, width=318, height=238)


@pytest.mark.parametrize("frame", [b"\x86frame", b"\x88", b"\xb4frame"])
def test_vp9_frame_that_is_no_key_frame(frame: bytes) -> None:
    assert parse_vp9_keyframe(frame) is None


def test_vp9_size_is_bounded() -> None:
    with pytest.raises(PeerError, match="VP9 picture of 65536x65536"):
        parse_vp9_keyframe(bytes.fromhex("824983420ffffffff0"))


@pytest.mark.parametrize("channels", [1, 2])
def test_opus_track_configures_a_decoder(channels: int) -> None:
    track = opus_track(channels)
    assert (track.sample_rate, track.channels, track.frame_samples) == (48_000, channels, 960)
    assert struct.unpack(">BBHIhB", track.config) == (0, channels, 312, 48_000, 0, 0)


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        (b"", 0),
        (b"\x00", 480),
        (b"\x18", 2880),
        (b"\x60", 480),
        (b"\x68", 960),
        (b"\x80", 120),
        (b"\xf8", 960),
        (b"\xf9", 1920),
        (b"\xfa", 1920),
        (b"\xfb\x03", 2880),
        (b"\xfb", 0),
    ],
)
def test_opus_packet_samples(packet: bytes, samples: int) -> None:
    assert packet_samples(packet) == samples


def test_opus_packet_of_impossible_length_changes_nothing() -> None:
    track = opus_track(2)
    assert with_packet_duration(track, b"\x1b\x3f") is track


@pytest.mark.parametrize(
    ("frame", "rate", "channels", "samples"),
    [
        ("fffb9064", 44_100, 2, 1152),
        ("fffa94c4", 48_000, 1, 1152),
        ("fffb9864", 32_000, 2, 1152),
        ("fff39464", 24_000, 2, 576),
        ("ffe398c4", 8_000, 1, 576),
    ],
)
def test_mp3_frame_headers(frame: str, rate: int, channels: int, samples: int) -> None:
    assert mp3_track(bytes.fromhex(frame)) == AudioTrack("mp3", b"", "mp3", rate, channels, samples)


@pytest.mark.parametrize("frame", ["", "fffb90", "ffcb9064", "ffeb9064", "fffd9064", "fffb9c64"])
def test_what_is_no_mp3_frame_is_refused(frame: str) -> None:
    with pytest.raises(PeerError, match="MP3"):
        mp3_track(bytes.fromhex(frame))


@pytest.mark.parametrize(
    ("mode", "mix_bits", "channels"),
    [(0, 0, 2), (1, 0, 1), (2, 2, 2), (3, 2, 3), (4, 2, 3), (5, 4, 4), (6, 2, 4), (7, 4, 5)],
)
@pytest.mark.parametrize("bass", [0, 1])
def test_ac3_channels_are_found_behind_mix_levels(mode: int, mix_bits: int, channels: int, bass: int) -> None:
    frame = AC3_HEAD + f"01 000000 01000 000 {mode:03b}" + "0" * mix_bits + f"{bass}" + "0" * 16
    track = ac3_track(bits(frame))
    assert (track.sample_rate, track.channels, track.frame_samples) == (44_100, channels + bass, 1536)


def test_ac3_of_half_the_rate() -> None:
    assert ac3_track(bits(AC3_HEAD + "00 000000 01001 000 001 0" + "0" * 16)).sample_rate == 24_000


@pytest.mark.parametrize(
    ("code", "rate"), [("00 11", 48_000), ("10 11", 32_000), ("11 00", 24_000), ("11 10", 16_000)]
)
def test_eac3_rates(code: str, rate: int) -> None:
    track = eac3_track(bits(AC3_HEAD + code + "111 1 10000" + "0" * 32))
    assert (track.codec, track.sample_rate, track.channels) == ("eac3", rate, 6)


@given(st.binary(max_size=60))
def test_any_bytes_parse_or_are_the_peers_error(data: bytes) -> None:
    with contextlib.suppress(PeerError):
        hevc_track(b"\x01" + data)
    with contextlib.suppress(PeerError):
        av1_track(b"\x81" + data)
    with contextlib.suppress(PeerError):
        av1_config(data)
    with contextlib.suppress(PeerError):
        parse_vp9_keyframe(data)
    for parse in (ac3_track, eac3_track):
        with contextlib.suppress(PeerError):
            parse(b"\x0b\x77" + data)
    with contextlib.suppress(PeerError):
        mp3_track(b"\xff" + data)
    with contextlib.suppress(PeerError):
        flac_track(data)
    with contextlib.suppress(PeerError):
        parse_opus_head(b"OpusHead" + data)
