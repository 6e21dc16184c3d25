from __future__ import annotations

import pytest
from aiortc.codecs.h264 import h264_depayload
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from media.nal import START_CODE, join_length_prefixed
from webrtc.rtp.packetiser import MAX_PAYLOAD, packetise_h264

SPS, PPS = b"\x67\x42\xe0\x1f", b"\x68\xce\x38\x80"
IDR, SLICE = b"\x65", b"\x41"

CASES = [
    ("nothing", [], []),
    ("an empty NAL unit", [b""], []),
    ("a small slice", [b"\x41abc"], [b"\x41abc"]),
    ("no delimiter", [b"\x09\xf0", b"\x41abc"], [b"\x41abc"]),
    ("no SEI", [b"\x06\x05\x01", b"\x41abc"], [b"\x41abc"]),
    ("no filler, no ends", [b"\x41abc", b"\x0c\xff", b"\x0a", b"\x0b"], [b"\x41abc"]),
    ("no types of RTP's", [b"\x78\0\1a", b"\x7c\x80a", b"\x60", b"\x41abc"], [b"\x41abc"]),
    ("small ones share", [SPS, PPS], [b"\x78\0\4" + SPS + b"\0\4" + PPS]),
    ("importance is the greatest one", [b"\x01a", b"\x21b"], [b"\x38\0\2\x01a\0\2\x21b"]),
    ("one is marked as broken", [b"\xc1a", b"\x21b"], [b"\xd8\0\2\xc1a\0\2\x21b"]),
    ("as large as may be", [SLICE * 10], [SLICE * 10]),
    ("two pieces", [IDR + b"0123456789"], [b"\x7c\x8501234", b"\x7c\x4556789"]),
    (
        "three pieces",
        [IDR + b"0123456789abcdefgh"],
        [b"\x7c\x85012345", b"\x7c\x056789ab", b"\x7c\x45cdefgh"],
    ),
    ("the last is shorter", [b"\x21" + b"0123456789a"], [b"\x3c\x81012345", b"\x3c\x416789a"]),
    (
        "parameter sets before a keyframe",
        [b"\x67a", b"\x68b", IDR + b"0123456789"],
        [b"\x78\0\2\x67a\0\2\x68b", b"\x7c\x8501234", b"\x7c\x4556789"],
    ),
    ("too much to share", [b"\x67abcd", b"\x68b"], [b"\x67abcd", b"\x68b"]),
]


@pytest.mark.parametrize(("nals", "payloads"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_wire(nals: list[bytes], payloads: list[bytes]) -> None:
    # A share of SPS and PPS as long as real ones does not fit into ten bytes.
    limit = 13 if nals == [SPS, PPS] else 10
    assert packetise_h264(join_length_prefixed([nal for nal in nals if nal]), limit) == payloads


def test_empty_nal_units_are_left_out() -> None:
    assert packetise_h264(b"\0\0\0\0\0\0\0\1\x41\0\0\0\0") == [b"\x41"]


@pytest.mark.parametrize("size", [1159, 1160, 1161, 1162, 2316, 2317, 2318, 2319, 60_000, 1_000_000])
def test_pieces_are_of_one_size(size: int) -> None:
    sizes = [len(payload) for payload in packetise_h264(join_length_prefixed([IDR * size]))]
    assert max(sizes) <= MAX_PAYLOAD
    assert len(set(sizes[:-1])) <= 1
    assert sizes[0] - len(sizes) < sizes[-1] <= sizes[0]


def test_a_length_past_the_end_is_refused() -> None:
    with pytest.raises(PeerError, match="cut short"):
        packetise_h264(b"\0\0\0\x05\x41")


nal_units = st.tuples(
    st.sampled_from([0x01, 0x21, 0x41, 0x65, 0x67, 0x68]), st.one_of(st.integers(1, 40), st.integers(1, 4000))
).map(lambda nal: bytes([nal[0]]) + bytes(i % 250 + 1 for i in range(nal[1])))


@given(st.lists(nal_units, min_size=1, max_size=8), st.integers(12, MAX_PAYLOAD))
def test_a_depacketiser_gets_the_same_back(nals: list[bytes], limit: int) -> None:
    payloads = packetise_h264(join_length_prefixed(nals), limit)
    assert all(0 < len(payload) <= limit for payload in payloads)
    assert b"".join(map(h264_depayload, payloads)) == b"".join(START_CODE + nal for nal in nals)
