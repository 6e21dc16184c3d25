from __future__ import annotations

import contextlib
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from rtmp.amf0 import MAX_DEPTH, MAX_VALUES, AmfValue, EcmaArray, parse_values, serialize_values

CASES: list[tuple[str, list[AmfValue], str]] = [
    ("nothing", [], ""),
    ("number", [1.0, -0.5], "003ff0000000000000 00bfe0000000000000"),
    ("boolean", [True, False], "0101 0100"),
    ("string", ["live", ""], "0200046c697665 020000"),
    ("string beyond ASCII", ["é€"], "020005c3a9e282ac"),
    ("null", [None], "05"),
    ("object", [{"app": "x", "n": None}], "03 0003617070 02000178 00016e 05 000009"),
    ("empty object", [{}], "03 000009"),
    ("object with an empty name", [{"": None}], "03 0000 05 000009"),
    ("ECMA array", [EcmaArray(a=True)], "08 00000001 000161 0101 000009"),
    ("strict array", [[1.0, "a", [None]]], "0a 00000003 003ff0000000000000 02000161 0a 00000001 05"),
    (
        "command",
        ["connect", 1.0, {"app": "live"}],
        "020007636f6e6e656374 003ff0000000000000 03 0003617070 0200046c697665 000009",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "values", "wire"), CASES, ids=[case[0] for case in CASES])
def test_parses_and_serialises(name: str, values: list[AmfValue], wire: str) -> None:
    data = bytes.fromhex(wire)
    assert parse_values(data) == values
    assert [type(value) for value in parse_values(data)] == [type(value) for value in values]
    assert serialize_values(values) == data


@pytest.mark.parametrize(
    ("name", "value", "wire"),
    [
        ("undefined", None, "06"),
        ("reference", None, "070001"),
        ("date", 1.0, "0b3ff00000000000000000"),
        ("long string", "abc", "0c00000003616263"),
        ("XML", "<a/>", "0f000000043c612f3e"),
        ("typed object", {"a": None}, "10 000178 000161 05 000009"),
        ("array whose count lies", {"a": None}, "08 ffffffff 000161 05 000009"),
        ("array without its end", {"a": None}, "08 00000001 000161 05"),
        ("string that is not UTF-8", "\ufffd", "020001ff"),
        ("AMF 3 string", "abc", "11 06 07 616263"),
        ("object with an AMF 3 member", {"a": 5.0}, "03 000161 11 04 05 000009"),
    ],
)
def test_parses_what_is_never_written(name: str, value: AmfValue, wire: str) -> None:
    assert parse_values(bytes.fromhex(wire)) == [value]


def test_long_strings_use_the_long_form() -> None:
    text = "x" * (1 << 16)
    assert serialize_values([text])[:5] == bytes.fromhex("0c00010000")
    assert parse_values(serialize_values([text])) == [text]


@pytest.mark.parametrize(
    ("name", "wire", "words"),
    [
        ("number cut", b"\x00\x00", "cut short"),
        ("string cut", b"\x02\x00\x05abc", "cut short"),
        ("object cut", b"\x03\x00\x01a\x05", "cut short"),
        ("array of four billion", b"\x0a\xff\xff\xff\xff", "cut short"),
        ("movie clip", b"\x04", "unknown type 4"),
        ("AMF 3 value cut", b"\x11", "cut short"),
        ("too deep", (b"\x03\x00\x01a") * (MAX_DEPTH + 2), "deep"),
        ("too many", b"\x05" * (MAX_VALUES + 1), "more than"),
        ("too many in an array", b"\x0a\x00\x00\xff\xff" + b"\x05" * 0xFFFF, "more than"),
    ],
)
def test_breach_is_refused(name: str, wire: bytes, words: str) -> None:
    with pytest.raises(PeerError, match=words):
        parse_values(wire)


def test_bounds_themselves_are_allowed() -> None:
    nested: AmfValue = None
    for _ in range(MAX_DEPTH):
        nested = [nested]
    assert parse_values(serialize_values([nested])) == [nested]
    assert len(parse_values(b"\x05" * MAX_VALUES)) == MAX_VALUES


def test_not_a_number_is_a_number() -> None:
    (value,) = parse_values(b"\x00" + struct.pack(">d", math.nan))
    assert isinstance(value, float)


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_the_peers_error(data: bytes) -> None:
    with contextlib.suppress(PeerError):
        parse_values(data)


_scalars = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(_values, max_size=4))
def test_round_trip(values: list[AmfValue]) -> None:
    assert parse_values(serialize_values(values)) == values
