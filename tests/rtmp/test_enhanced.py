from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from rtmp.enhanced import MAX_MODIFIERS, MAX_TRACKS, EnhancedTag, TrackBody, parse_enhanced

MULTITRACK = 6
KNOWN = frozenset({0, 1, 3})
BODY = TrackBody(b"avc1", 0, b"data")
MODIFIER = b"\x02\x00\x00\x2d"


def parse(payload: bytes) -> EnhancedTag:
    return parse_enhanced(payload, MULTITRACK, KNOWN)


TAGS = [
    ("one track", b"\x91avc1data", EnhancedTag(1, 0, (BODY,))),
    ("nothing behind the codec", b"\x93avc1", EnhancedTag(3, 0, (TrackBody(b"avc1", 0, b""),))),
    ("one modifier", b"\x97\x02\x00\x00\x2d\x01avc1data", EnhancedTag(1, 45, (BODY,))),
    ("a modifier of an unknown kind", b"\x97\x00\xff\x11avc1data", EnhancedTag(1, 0, (BODY,))),
    (
        "two modifiers, the unknown one first",
        b"\x97\x00\xff\x17\x02\x00\x00\x2d\x01avc1data",
        EnhancedTag(1, 45, (BODY,)),
    ),
    (
        "the last offset counts",
        b"\x97" + MODIFIER + b"\x07\x02\x00\x00\x07\x01avc1data",
        EnhancedTag(1, 7, (BODY,)),
    ),
    (
        "long modifier",
        b"\x97\xff\x01\x00\x00\x00\x2d" + bytes(254) + b"\x01avc1data",
        EnhancedTag(1, 45, (BODY,)),
    ),
    ("largest offset", b"\x97\x02\x0f\x42\x3f\x01avc1data", EnhancedTag(1, 999_999, (BODY,))),
    (
        "offset of a millisecond is another unit",
        b"\x97\x02\x0f\x42\x40\x01avc1data",
        EnhancedTag(1, 0, (BODY,)),
    ),
    ("offset that is too short", b"\x97\x01\x00\x2d\x01avc1data", EnhancedTag(1, 0, (BODY,))),
    ("one track with its id", b"\x96\x01avc1\x07data", EnhancedTag(1, 0, (TrackBody(b"avc1", 7, b"data"),))),
    (
        "modifier before several tracks",
        b"\x97\x02\x00\x00\x2d\x06\x01avc1\x00data",
        EnhancedTag(1, 45, (BODY,)),
    ),
    (
        "tracks of one codec",
        b"\x96\x11avc1\x00\x00\x00\x04data\x02\x00\x00\x01x\x03\x00\x00\x00",
        EnhancedTag(1, 0, (BODY, TrackBody(b"avc1", 2, b"x"), TrackBody(b"avc1", 3, b""))),
    ),
    (
        "tracks of several codecs",
        b"\x96\x20avc1\x00\x00\x00\x04datahvc1\x02\x00\x00\x01x",
        EnhancedTag(0, 0, (BODY, TrackBody(b"hvc1", 2, b"x"))),
    ),
    ("no tracks", b"\x96\x21", EnhancedTag(1, 0, ())),
    ("unknown packet type", b"\x9f", EnhancedTag(15, 0, ())),
    ("metadata", b"\xd4avc1\x02\x00\x09colorInfo", EnhancedTag(4, 0, ())),
    ("unknown packet type of tracks", b"\x96\x1f", EnhancedTag(15, 0, ())),
    ("tracks within tracks", b"\x96\x16avc1", EnhancedTag(6, 0, ())),
    ("unknown layout of tracks", b"\x96\x31avc1\x00data", EnhancedTag(1, 0, ())),
]


@pytest.mark.parametrize(("name", "payload", "tag"), TAGS)
def test_headers(name: str, payload: bytes, tag: EnhancedTag) -> None:
    assert parse(payload) == tag


@pytest.mark.parametrize(
    ("nanoseconds", "ticks"), [(0, 0), (5_555, 0), (5_556, 1), (11_111, 1), (333_333, 30), (999_999, 90)]
)
def test_nanoseconds_become_ticks(nanoseconds: int, ticks: int) -> None:
    assert EnhancedTag(1, nanoseconds, ()).offset_ticks == ticks


def tracks(count: int) -> bytes:
    return b"\x96\x11avc1" + b"".join(bytes([track_id]) + b"\x00\x00\x00" for track_id in range(count))


def test_tracks_in_a_tag_are_bounded() -> None:
    assert len(parse(tracks(MAX_TRACKS)).bodies) == MAX_TRACKS
    with pytest.raises(PeerError, match="more than 8 tracks"):
        parse(tracks(MAX_TRACKS + 1))


def test_modifiers_are_bounded() -> None:
    assert (
        parse(b"\x97" + (MODIFIER + b"\x07") * (MAX_MODIFIERS - 1) + MODIFIER + b"\x01avc1").packet_type == 1
    )
    with pytest.raises(PeerError, match="more than 16 modifiers"):
        parse(b"\x97" + (MODIFIER + b"\x07") * MAX_MODIFIERS)


@pytest.mark.parametrize(
    "whole",
    [
        b"\x91avc1",
        b"\x97\x02\x00\x00\x2d\x01avc1",
        b"\x97\xff\x01\x00" + bytes(257) + b"\x01avc1",
        b"\x96\x01avc1\x07",
        b"\x96\x11avc1\x00\x00\x00\x04data",
        b"\x96\x20avc1\x00\x00\x00\x04data",
    ],
)
def test_headers_that_are_cut_short_are_refused(whole: bytes) -> None:
    parse(whole)
    # A tag with tracks may end before one of them, but for the first.
    starts = {2, 6} if whole[1:2] in (b"\x11", b"\x20") else set()
    for end in set(range(1, len(whole))) - starts:
        with pytest.raises(PeerError, match="cut short"):
            parse(whole[:end])


@given(st.binary(max_size=60))
def test_any_bytes_parse_or_are_the_peers_error(data: bytes) -> None:
    for head in (b"\x97", b"\x96", b"\x91", b"\x97\x02\x00\x00\x01\x06\x11avc1"):
        with contextlib.suppress(PeerError):
            assert len(parse(head + data).bodies) <= MAX_TRACKS
