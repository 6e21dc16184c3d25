"""Messages between the server and a WebRTC process, as bytes."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from media.opus import opus_track
from media.packet import VideoTrack
from webrtc.message import (
    Accept,
    Audio,
    Choose,
    Connected,
    Counters,
    Declare,
    End,
    Ended,
    Forget,
    KeyframeWanted,
    Listen,
    Listening,
    Message,
    Offer,
    Publish,
    PublishedFrame,
    PublishedLoss,
    PublishedTrack,
    Refused,
    Reply,
    Restart,
    RungChanged,
    Video,
    Wanted,
)
from webrtc.port import Rung, VideoFrame
from webrtc.wire import MAX_MESSAGE, MAX_PIECE, PieceJoiner, parse, serialize, split

RUNG = Rung("720p", 1280, 720, 2_500_000, is_made=True, can_force=False)
TRACK = VideoTrack(
    "h264", b"\1\2\xff", "avc1.64001f", 1280, 720, Fraction(30000, 1001), Fraction(4, 3), bitrate_bps=5
)

MESSAGES: list[Message] = [
    Listen("192.0.2.1", 8189, ("203.0.113.7", "2001:db8::1")),
    Listening(8189, ("203.0.113.7",), is_native=True),
    Listening(0, fault="the port is taken"),
    Declare("s", (RUNG, Rung("144p", 256, 144, 1, is_made=False, can_force=True))),
    Declare("s", ()),
    Forget("s"),
    Video("s" * 36, "720p", VideoFrame(-1, True, b"\0\0\0\1e")),
    Video("", "", VideoFrame(1 << 62, False, b"")),
    Audio("s", 12345678901, b"opus"),
    Offer(1, "s", "secret", "v=0\r\n\N{SNOWMAN}"),
    Accept(2, "secret", "v=0"),
    Publish(3, "secret", "v=0"),
    Restart(4, "secret", "a=ice-ufrag:x"),
    Choose(5, "secret", "720p"),
    Choose(6, "secret", None),
    End("secret", "gone"),
    Reply(7, "v=0", '"etag"', is_counter_offer=True),
    Reply(8),
    Refused(9, "peer", "no"),
    Wanted("s", {"720p": 3, "144p": 1}, audio=True),
    KeyframeWanted("s", "720p", 90_000),
    Connected("secret"),
    RungChanged("secret", None),
    Ended("secret", "consent expired", is_clean=False),
    PublishedTrack("secret", TRACK),
    PublishedTrack("secret", opus_track(2)),
    PublishedFrame("secret", True, False, 90_000, b"\0\0\0\1a"),
    PublishedLoss("secret", 3),
    Counters({"viewers": 2}),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_every_message_comes_back_as_it_was(message: Message) -> None:
    assert parse(serialize(message)) == message


@pytest.mark.parametrize("size", [0, 1, MAX_PIECE - 100, MAX_PIECE, 3 * MAX_PIECE, 3 * MAX_PIECE + 1])
def test_large_messages_travel_in_pieces(size: int) -> None:
    message = Video("s", "720p", VideoFrame(0, True, bytes(size)))
    joiner = PieceJoiner()
    pieces = list(split(serialize(message)))
    assert all(len(piece) <= MAX_PIECE + 1 for piece in pieces)
    found = [joiner.receive_piece(piece) for piece in pieces]
    assert found == [None] * (len(pieces) - 1) + [message]
    assert joiner.receive_piece(next(split(serialize(Connected("x"))))) == Connected("x")


def test_a_message_without_end_is_refused() -> None:
    joiner = PieceJoiner()
    piece = b"\1" + bytes(MAX_PIECE)
    for _ in range(MAX_MESSAGE // len(piece)):
        joiner.receive_piece(piece)
    with pytest.raises(PeerError, match="more than"):
        joiner.receive_piece(piece)


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else(data: bytes) -> None:
    with suppress(PeerError):
        parse(data)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_a_message_that_is_cut_short_is_refused_or_another_one(message: Message) -> None:
    data = serialize(message)
    for end in range(len(data)):
        try:
            parse(data[:end])
        except PeerError:
            continue
        assert isinstance(message, Video | Audio | PublishedFrame)
