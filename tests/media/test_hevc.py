from __future__ import annotations

import contextlib
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from media.h264 import AvcConfig, split_annexb
from media.hevc import (
    MAX_RECORD_SETS,
    NAL_SEI,
    NAL_SPS,
    HevcConfig,
    hevc_track,
    is_hevc_config,
    nal_type,
    parse_hevc_config,
)
from media.hevc_sps import HevcSps, parse_hevc_sps
from tests.media.encode import bits, video_config

SEI = b"\x4e\x01\x05\x01x\x80"


def nals(parameters: str = "", *, pix_fmt: str = "yuv420p", rate: Fraction = Fraction(25), sar: Fraction | None = None,
         size: tuple[int, int] = (320, 240)) -> tuple[bytes, ...]:  # fmt: skip
    """Return video, sequence and picture parameter set of libx265."""
    options = {"x265-params": "log-level=none:pools=1" + parameters}
    config = video_config("libx265", *size, rate=rate, pix_fmt=pix_fmt, sar=sar, options=options)
    return tuple(nal for nal in split_annexb(config) if nal_type(nal) in (32, 33, 34))


def sps_of(sets: tuple[bytes, ...]) -> HevcSps:
    return parse_hevc_sps(next(nal for nal in sets if nal_type(nal) == NAL_SPS))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("plain", ""),
        ("scaling lists of the standard", ":scaling-list=default"),
        ("long-term tools", ":ref=5:bframes=8:b-pyramid=1"),
        ("temporal layers", ":temporal-layers=3"),
        (
            "colours and display window",
            ":colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:overscan=show",
        ),
        ("hypothetical reference decoder", ":hrd=1:vbv-maxrate=1000:vbv-bufsize=1000"),
        ("asymmetric partitions", ":amp=1:rect=1"),
    ],
)
def test_frame_rate_and_aspect_are_found_behind_any_tools(name: str, parameters: str) -> None:
    sps = sps_of(nals(parameters, rate=Fraction(30_000, 1001), sar=Fraction(4, 3), size=(320, 180)))
    assert (sps.width, sps.height, sps.bit_depth, sps.chroma_format_idc) == (320, 180, 8, 1)
    assert (sps.frame_rate, sps.sample_aspect_ratio) == (Fraction(30_000, 1001), Fraction(4, 3))


@pytest.mark.parametrize(
    ("pix_fmt", "chroma", "depth"),
    [("yuv422p", 2, 8), ("yuv444p10le", 3, 10), ("gray", 0, 8), ("yuv420p12le", 1, 12)],
)
def test_formats(pix_fmt: str, chroma: int, depth: int) -> None:
    sps = sps_of(nals(pix_fmt=pix_fmt, size=(318, 238)))
    assert (sps.width, sps.height, sps.chroma_format_idc, sps.bit_depth) == (318, 238, chroma, depth)
    assert sps.frame_rate == 25


def sps_nal(text: str) -> bytes:
    """Put bits behind a NAL header, with emulation prevention."""
    nal = b"\x42\x01"
    for byte in bits(text):
        nal += b"\x03" * (byte <= 3 and nal.endswith(b"\x00\x00")) + bytes([byte])
    return nal


def ue(value: int) -> str:
    code = f"{value + 1:b}"
    return "0" * (len(code) - 1) + code


HEAD = "0000 000 1" + f"{1:096b}" + ue(0) + ue(1) + ue(320) + ue(240) + "0" + ue(0) + ue(0)
TIMING = "1" + "0000" + "000 0" + "1" + f"{1:032b}" + f"{50:032b}"


@pytest.mark.parametrize(
    ("name", "sets"),
    [
        ("none", ue(0)),
        ("one picture before", ue(1) + ue(1) + ue(0) + ue(0) + "1"),
        # The second set is the first one shifted: -1 becomes -2 and the first picture itself -1.
        ("told by the difference", ue(2) + ue(1) + ue(0) + ue(0) + "1" + "1 1" + ue(0) + "1 1"),
        # Shifted by +1, -1 becomes 0, which is no reference: one picture stays, so the third set has two flags.
        (
            "difference to a difference",
            ue(3) + ue(1) + ue(0) + ue(0) + "1" + "1 0" + ue(0) + "1 1" + "1 0" + ue(0) + "01 00",
        ),
    ],
)
def test_reference_sets_are_passed_over(name: str, sets: str) -> None:
    tools = ue(0) + "0" + ue(0) * 3 + ue(0) * 6 + "0" + "00" + "0" + sets + "0" + "00"
    sps = parse_hevc_sps(sps_nal(HEAD + tools + TIMING))
    assert sps.frame_rate == 50


@pytest.mark.parametrize(
    "tail",
    [
        ue(0) + "0" + ue(0) * 9 + "0" + "00" + "0" + ue(65),  # reference sets
        ue(0) + "0" + ue(0) * 9 + "0" + "00" + "0" + ue(1) + ue(17) + ue(0),  # pictures in one
        ue(0) + "0" + ue(0) * 9 + "0" + "00" + "0" + ue(0) + "1" + ue(33),  # long-term pictures
        "",
    ],
)
def test_set_that_cannot_be_followed_has_no_frame_rate(tail: str) -> None:
    sps = parse_hevc_sps(sps_nal(HEAD + tail + "1" * 8))
    assert (sps.width, sps.height, sps.frame_rate) == (320, 240, None)


@pytest.mark.parametrize(
    ("size", "words"),
    [((1 << 15, 16), "up to 16384"), ((0, 16), "0x16"), ((16_384, 16_384), "larger than any level")],
)
def test_sizes_are_bounded(size: tuple[int, int], words: str) -> None:
    head = "0000 000 1" + f"{1:096b}" + ue(0) + ue(1) + ue(size[0]) + ue(size[1]) + "0" + ue(0) + ue(0)
    with pytest.raises(PeerError, match=words):
        parse_hevc_sps(sps_nal(head))


@pytest.mark.parametrize(("chroma", "depth", "words"), [(4, 0, "chroma format 4"), (1, 8, "bit depth 16")])
def test_formats_that_do_not_exist_are_refused(chroma: int, depth: int, words: str) -> None:
    head = "0000 000 1" + f"{1:096b}" + ue(0) + ue(chroma) + ue(320) + ue(240) + "0" + ue(depth) + ue(0)
    with pytest.raises(PeerError, match=words):
        parse_hevc_sps(sps_nal(head))


@pytest.mark.parametrize("length_size", [1, 2, 4])
def test_record_round_trip(length_size: int) -> None:
    config = HevcConfig((*nals(), SEI), length_size)
    assert parse_hevc_config(config.serialize()) == config
    assert [nal_type(nal) for nal in config.nals] == [32, 33, 34, NAL_SEI]


def test_track_says_lengths_of_four_bytes_and_keeps_the_rest() -> None:
    config = HevcConfig((*nals(), SEI), 2)
    track = hevc_track(config.serialize(), bitrate_bps=1)
    assert parse_hevc_config(track.config) == replace(config, length_size=4)
    assert (track.codec, track.width, track.height, track.bitrate_bps) == ("hevc", 320, 240, 1)
    assert track.frame_rate == 25


def test_record_is_told_from_that_of_h264() -> None:
    avc = video_config("libx264", 320, 240)
    sps, pps = (nal for nal in split_annexb(avc) if nal[0] & 0x1F in (7, 8))
    assert is_hevc_config(HevcConfig(nals()).serialize())
    assert not is_hevc_config(AvcConfig((sps,), (pps,)).serialize())
    assert not is_hevc_config(HevcConfig(nals()).serialize()[:23])


def test_units_in_a_record_are_bounded() -> None:
    head = HevcConfig(nals()).serialize()[:22] + b"\x01\xa2"
    assert (
        len(parse_hevc_config(head + MAX_RECORD_SETS.to_bytes(2, "big") + b"\0\1\x44" * MAX_RECORD_SETS).nals)
        == 64
    )
    with pytest.raises(PeerError, match="more than 64"):
        parse_hevc_config(head + b"\xff\xff" + bytes(2 * 0xFFFF))


def test_record_without_a_sequence_parameter_set_makes_no_track() -> None:
    record = HevcConfig(nals()).serialize()[:22] + b"\x00"
    assert parse_hevc_config(record).nals == ()
    with pytest.raises(PeerError, match="no sequence parameter set"):
        hevc_track(record)


@given(st.binary(max_size=80))
def test_any_parameter_set_parses_or_is_the_peers_error(data: bytes) -> None:
    with contextlib.suppress(PeerError):
        parse_hevc_sps(b"\x42\x01" + data)
    with contextlib.suppress(PeerError):
        parse_hevc_sps(b"\x42\x01" + bits(HEAD) + data)
