from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from rtmp import amf0
from rtmp.amf import MAX_DEPTH, MAX_VALUES, AmfValue
from rtmp.amf3 import parse_values

CASES: list[tuple[str, list[AmfValue], str]] = [
    ("nothing", [], ""),
    ("undefined, null, false, true", [None, None, False, True], "00 01 02 03"),
    ("integers", [0.0, 127.0, 128.0, 16384.0], "04 00  04 7f  04 8100  04 818000"),
    ("integers of four bytes", [2.0**21, 2.0**28 - 1], "04 80c08000  04 bfffffff"),
    ("negative integers", [-1.0, -(2.0**28)], "04 ffffffff  04 c0808000"),
    ("double", [-0.5], "05 bfe0000000000000"),
    ("strings", ["abc", "", "é"], "06 07 616263  06 01  06 05 c3a9"),
    ("string again", ["abc", "abc"], "06 07 616263  06 00"),
    ("empty string is not counted", ["", "a", "a"], "06 01  06 03 61  06 00"),
    ("XML of both kinds", ["<a/>", "<b/>"], "07 09 3c612f3e  0b 09 3c622f3e"),
    ("date", [1.0], "08 01 3ff0000000000000"),
    ("array", [[True, [None]]], "09 05 01 03  09 03 01 01"),
    ("array with names", [{"a": True, "0": False}], "09 03 03 61 03 01 02"),
    ("dynamic object", [{"app": "live"}], "0a 0b 01 07 617070 06 09 6c697665 01"),
    ("sealed object", [{"a": None, "b": True}], "0a 23 03 43 03 61 03 62 01 03"),
    ("sealed and dynamic", [{"a": None, "c": True}], "0a 1b 01 03 61 01 03 63 03 01"),
    ("traits again", [{"a": True}, {"a": False}], "0a 13 01 03 61 03  0a 01 02"),
    ("array collection", [[True]], "0a 07 43" + b"flex.messaging.io.ArrayCollection".hex() + "09 03 01 03"),
    ("bytes", [None], "0c 07 010203"),
    ("vector of integers", [[-1.0, 2.0]], "0d 05 00 ffffffff 00000002"),
    ("vector of unsigned integers", [[4294967295.0]], "0e 03 00 ffffffff"),
    ("vector of doubles", [[1.0]], "0f 03 01 3ff0000000000000"),
    ("vector of objects", [["a"]], "10 03 00 01 06 03 61"),
    ("dictionary", [{"a": True}], "11 05 00 06 03 61 03 03 02"),
    ("object again", [[True], [True]], "09 03 01 03  09 00"),
    ("date again", [1.0, 1.0], "08 01 3ff0000000000000  08 00"),
    ("array that holds itself", [[None]], "09 03 01 09 00"),
]


@pytest.mark.parametrize(("name", "values", "wire"), CASES, ids=[case[0] for case in CASES])
def test_parses(name: str, values: list[AmfValue], wire: str) -> None:
    assert parse_values(bytes.fromhex(wire)) == values


def array(count: int, item: bytes) -> bytes:
    """Write an array of up to 63 items."""
    return b"\x09" + bytes([count << 1 | 1]) + b"\x01" + item * count


DOUBLING = array(60, b"\x03") + b"".join(array(60, b"\x09" + bytes([index << 1])) for index in range(8))
"""Each array holds the one before it sixty times: 60**9 values in less than 1200 bytes."""


@pytest.mark.parametrize(
    ("name", "wire", "words"),
    [
        ("nothing behind the marker", b"\x04", "cut short"),
        ("integer cut", b"\x04\xff\xff\xff", "cut short"),
        ("string cut", b"\x06\x07ab", "cut short"),
        ("unknown", b"\x12", "unknown type 18"),
        ("no such string", b"\x06\x00", "never sent"),
        ("no such object", b"\x0a\x02", "never sent"),
        ("no such traits", b"\x0a\x01", "never sent"),
        ("class of its own", b"\x0a\x07\x03x", "its own program"),
        ("too deep", b"\x09\x03\x01" * (MAX_DEPTH + 1) + b"\x01", "deep"),
        (
            "too deep by a reference",
            b"\x09\x03\x01" * 9 + b"\x01" + b"\x09\x03\x01" * 9 + b"\x09\x00",
            "deep",
        ),
        ("too many", b"\x01" * (MAX_VALUES + 1), "more than"),
        ("too many by reference", DOUBLING, "more than"),
        ("too many in a vector", b"\x0d\xff\xff\xff\xff\x00", "more than"),
        ("too many names", b"\x0a\xff\xff\xff\xf3\x01" + b"\x01" * (MAX_VALUES + 1), "more than"),
        ("array of millions", b"\x09\xff\xff\xff\xff\x01", "cut short"),
    ],
)
def test_breach_is_refused(name: str, wire: bytes, words: str) -> None:
    with pytest.raises(PeerError, match=words):
        parse_values(wire)


def test_bounds_themselves_are_allowed() -> None:
    assert len(parse_values(b"\x01" * MAX_VALUES)) == MAX_VALUES
    assert len(parse_values(b"\x09\x03\x01" * MAX_DEPTH + b"\x01")) == 1


def test_both_formats_count_together() -> None:
    with pytest.raises(PeerError, match="more than"):
        amf0.parse_values(b"\x11\x01" * (MAX_VALUES // 2 + 1))


def test_each_switch_from_amf0_has_its_own_references() -> None:
    assert amf0.parse_values(bytes.fromhex("11 06 03 61  11 06 03 62")) == ["a", "b"]
    with pytest.raises(PeerError, match="never sent"):
        amf0.parse_values(bytes.fromhex("11 06 03 61  11 06 00"))


def test_not_a_number_is_a_number() -> None:
    (value,) = parse_values(bytes.fromhex("05 7ff8000000000000"))
    assert isinstance(value, float)
    assert math.isnan(value)


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_the_peers_error(data: bytes) -> None:
    with contextlib.suppress(PeerError):
        parse_values(data)


@given(
    st.lists(st.sampled_from([bytes.fromhex(wire) for _, _, wire in CASES]), max_size=6),
    st.binary(max_size=3),
)
def test_damaged_values_parse_or_are_the_peers_error(parts: list[bytes], rest: bytes) -> None:
    with contextlib.suppress(PeerError):
        repr(parse_values(b"".join(parts) + rest))
