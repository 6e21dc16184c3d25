from __future__ import annotations

import contextlib
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from media.h264 import (
    AvcConfig,
    contains_idr,
    h264_track,
    join_annexb,
    join_length_prefixed,
    nal_type,
    parse_avc_config,
    parse_sps,
    split_annexb,
    split_length_prefixed,
)
from tests.media.encode import video_config

# Constrained Baseline, 64x48, 30 fps.
BASELINE = bytes.fromhex("6742c00add104ef0110000030001000003003cf12264c0")


def config_of(nals: list[bytes]) -> AvcConfig:
    return AvcConfig(
        tuple(nal for nal in nals if nal_type(nal) == 7), tuple(nal for nal in nals if nal_type(nal) == 8)
    )


@pytest.mark.parametrize(
    ("width", "height", "rate"),
    [
        (1920, 1080, 30),
        (1280, 720, 25),
        (1088, 1920, Fraction(60000, 1001)),
        (854, 480, 50),
        (426, 240, Fraction(24000, 1001)),
        (3840, 2160, 60),
        (2, 2, 15),
        (250, 130, 300),
    ],
)
def test_sps_of_libx264(width: int, height: int, rate: Fraction | int) -> None:
    nals = split_annexb(video_config("libx264", width, height, rate=rate))
    sps = parse_sps(nals[0])
    assert (sps.width, sps.height, sps.frame_rate) == (width, height, rate)
    assert (sps.profile_idc, sps.bit_depth, sps.chroma_format_idc) == (100, 8, 1)
    assert sps.sample_aspect_ratio == 1
    assert not sps.is_interlaced


@pytest.mark.parametrize(
    ("profile", "codec_string"),
    [("baseline", "avc1.42c028"), ("main", "avc1.4d4028"), ("high", "avc1.640028")],
)
def test_config_record_round_trip(profile: str, codec_string: str) -> None:
    config = config_of(split_annexb(video_config("libx264", 1920, 1080, options={"profile": profile})))
    wire = config.serialize()
    assert parse_avc_config(wire) == config
    assert len(config.sps) == len(config.pps) == 1
    assert wire.endswith(b"\xfd\xf8\xf8\x00") == (profile == "high")
    track = h264_track(replace(config, length_size=2).serialize(), bitrate_bps=5_000_000)
    assert (track.codec, track.config, track.width, track.height) == ("h264", wire, 1920, 1080)
    assert (track.codec_string, track.bitrate_bps, track.frame_rate) == (
        codec_string,
        5_000_000,
        Fraction(25),
    )


@pytest.mark.parametrize(
    ("pix_fmt", "depth", "chroma"),
    [("yuv420p10le", 10, 1), ("yuv422p", 8, 2), ("yuv444p", 8, 3), ("gray", 8, 0)],
)
def test_picture_formats(pix_fmt: str, depth: int, chroma: int) -> None:
    nals = split_annexb(video_config("libx264", 638, 358, pix_fmt=pix_fmt))
    track = h264_track(config_of(nals).serialize())
    assert (track.bit_depth, track.chroma_format_idc, track.width, track.height) == (depth, chroma, 638, 358)


def test_scaling_lists_are_passed_over() -> None:
    nals = split_annexb(video_config("libx264", 1280, 720, options={"x264-params": "cqm=jvt"}))
    assert parse_sps(nals[0]).width == 1280


@pytest.mark.parametrize("ratio", [Fraction(4, 3), Fraction(12, 11), Fraction(37, 36)])
def test_sample_aspect_ratio(ratio: Fraction) -> None:
    assert (
        parse_sps(split_annexb(video_config("libx264", 720, 576, sar=ratio))[0]).sample_aspect_ratio == ratio
    )


def test_interlaced_1080_lines_are_cropped_from_1088() -> None:
    nals = split_annexb(video_config("libx264", 1920, 1080, options={"x264-params": "interlaced=1"}))
    sps = parse_sps(nals[0])
    assert (sps.height, sps.is_interlaced) == (1080, True)


def test_rate_of_a_millisecond_clock_says_nothing() -> None:
    nals = split_annexb(video_config("libx264", 640, 360, rate=1000))
    assert parse_sps(nals[0]).frame_rate is None


@pytest.mark.parametrize(
    ("units_in_tick", "time_scale", "rate"),
    [
        (1, 50, 25),
        (1001, 60_000, Fraction(30_000, 1001)),
        (0xFFFFFFFF, 0xFFFFFFFE, Fraction(1, 2)),
        (0x04000001, 0xFFFFFFFF, 32),
        (0xFFFFFFFF, 1, None),
        (1, 0xFFFFFFFF, None),
        (0, 25, None),
    ],
)
def test_rates_that_no_codec_takes(units_in_tick: int, time_scale: int, rate: Fraction | int | None) -> None:
    # Baseline, 64x48, picture order type 2; a VUI of nothing but the timing.
    fields = "0100001000000000000010101101110001000111101"
    timing = f"00001{units_in_tick:032b}{time_scale:032b}1"
    bits = f"{fields}{timing}0000001".ljust(160, "0")
    nal = b"\x67" + int(bits, 2).to_bytes(20, "big").replace(b"\x00\x00", b"\x00\x00\x03")
    sps = parse_sps(nal)
    assert (sps.width, sps.height, sps.frame_rate) == (64, 48, rate)


@pytest.mark.parametrize(
    ("columns", "rows", "is_fine"), [(1020, 136, True), (1020, 137, False), (1020, 1020, False)]
)
def test_size_that_no_level_allows(columns: int, rows: int, is_fine: bool) -> None:
    size = "".join(f"{n:b}".zfill(2 * n.bit_length() - 1) for n in (columns, rows))
    bits = f"0100001000000000001111101101110{size}11001"
    nal = b"\x67" + int(bits.ljust(96, "0"), 2).to_bytes(12, "big").replace(b"\x00\x00", b"\x00\x00\x03")
    if is_fine:
        assert (parse_sps(nal).width, parse_sps(nal).height) == (columns * 16, rows * 16)
    else:
        with pytest.raises(PeerError, match="larger than any level allows"):
            parse_sps(nal)


def test_annexb_and_length_prefixes() -> None:
    nals = [b"\x67abc", b"\x68d", b"\x65\x00\x00\x03\x01ef"]
    assert split_annexb(join_annexb(nals)) == nals
    assert split_annexb(b"\x00\x00\x01" + b"\x00\x00\x00\x01".join([*nals, b""])) == nals
    assert split_annexb(b"no start code") == []
    assert split_length_prefixed(join_length_prefixed(nals)) == nals
    assert split_length_prefixed(b"\x00\x00\x03abc\x00\x01d"[1:], 2) == [b"abc", b"d"]
    assert split_length_prefixed(b"\x01a\x00\x02bc", 1) == [b"a", b"bc"]
    assert split_length_prefixed(b"") == []


@pytest.mark.parametrize(
    "data", [b"\x00\x00\x00\x02a", b"\x00\x00\x00", b"\x00\x00\x00\x01a\x00", b"\xff" * 9]
)
def test_cut_access_unit_is_the_peers_error(data: bytes) -> None:
    with pytest.raises(PeerError):
        split_length_prefixed(data)


def test_contains_idr() -> None:
    assert contains_idr(join_length_prefixed([b"\x09\xf0", b"\x06x", b"\x65slice"]))
    assert not contains_idr(join_length_prefixed([b"\x09\xf0", b"\x41slice"]))
    assert not contains_idr(b"")
    assert not contains_idr(b"\x00\x00\x00\x00")


def test_length_size_is_read_and_three_is_refused() -> None:
    config = config_of(split_annexb(video_config("libx264", 640, 360)))
    for size in (1, 2, 4):
        assert parse_avc_config(replace(config, length_size=size).serialize()).length_size == size
    with pytest.raises(PeerError, match="3 bytes"):
        parse_avc_config(replace(config, length_size=3).serialize())


def test_record_cut_anywhere_is_the_peers_error() -> None:
    wire = config_of(split_annexb(video_config("libx264", 640, 360, options={"profile": "main"}))).serialize()
    for end in range(len(wire)):
        with pytest.raises(PeerError):
            h264_track(wire[:end])


@given(st.binary(max_size=80))
def test_any_bytes_parse_or_are_the_peers_error(data: bytes) -> None:
    for parse in (lambda: parse_sps(b"\x67" + data), lambda: h264_track(b"\x01" + data)):
        with contextlib.suppress(PeerError):
            parse()
    contains_idr(data)
    split_annexb(data)


@given(st.integers(0, len(BASELINE) * 8 - 1), st.integers(4, len(BASELINE)))
def test_damaged_sps_parses_or_is_the_peers_error(bit: int, end: int) -> None:
    damaged = bytearray(BASELINE)
    damaged[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(PeerError):
        parse_sps(bytes(damaged[:end]))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"bf": "0"}, 0),
        ({"bf": "2"}, 2),
        ({"bf": "3", "x264-params": "b-pyramid=none"}, 1),
        ({"bf": "3", "x264-params": "nal-hrd=cbr", "maxrate": "1M", "bufsize": "1M", "b": "1M"}, 2),
        ({"profile": "baseline"}, 0),
        ({"tune": "zerolatency"}, 0),
    ],
)
def test_sps_says_how_many_pictures_are_reordered(options: dict[str, str], expected: int) -> None:
    sps = parse_sps(split_annexb(video_config("libx264", 640, 360, options=options))[0])
    assert sps.max_reordered == expected


def test_sps_without_words_on_reordering() -> None:
    whole = split_annexb(video_config("libx264", 640, 360, options={"bf": "2"}))[0]
    shortest = next(end for end in range(4, len(whole)) if _parses(whole[:end]))
    assert parse_sps(whole[:shortest]).max_reordered is None
    assert parse_sps(whole[:shortest]).frame_rate == parse_sps(whole).frame_rate


def _parses(nal: bytes) -> bool:
    try:
        return parse_sps(nal).frame_rate is not None
    except PeerError:
        return False
