from __future__ import annotations

import pytest

from media.error import PeerError
from rtmp.handshake import HTTP_ANSWER, PACKET_BYTES, ServerHandshake

C1 = bytes(8) + bytes(range(256)) * 5 + bytes(248)
C2 = b"\xaa" * PACKET_BYTES


def test_answers_right_after_c1_and_hands_on_the_rest() -> None:
    handshake = ServerHandshake(b"r" * 1528)
    assert handshake.receive_data(b"\x03" + C1[:-1]) is None
    assert handshake.data_to_send() == b""
    assert handshake.receive_data(C1[-1:]) is None
    assert handshake.data_to_send() == b"\x03" + bytes(8) + b"r" * 1528 + C1
    assert handshake.receive_data(C2[:-1]) is None
    assert handshake.receive_data(C2[-1:] + b"rest") == b"rest"
    assert handshake.data_to_send() == b""


def test_all_at_once_and_byte_by_byte() -> None:
    wire = b"\x03" + C1 + C2 + b"rest"
    assert ServerHandshake().receive_data(wire) == b"rest"
    handshake = ServerHandshake()
    results = [handshake.receive_data(wire[index : index + 1]) for index in range(1 + 2 * PACKET_BYTES)]
    assert results == [None] * (2 * PACKET_BYTES) + [b""]


@pytest.mark.parametrize(
    ("name", "data", "words", "answer"),
    [
        ("TLS", b"\x16\x03\x01", "TLS on the plain RTMP port", b""),
        ("HTTP GET", b"GET / HTTP/1.1\r\n", "HTTP request", HTTP_ANSWER),
        ("HTTP POST, one byte", b"P", "HTTP request", HTTP_ANSWER),
        ("RTMPE", b"\x06", "RTMPE", b""),
        ("garbage", b"\x00\x01", "0x00 instead of 0x03", b""),
        ("text", b"hello", "not an RTMP handshake", b""),
    ],
)
def test_other_protocols_are_named(name: str, data: bytes, words: str, answer: bytes) -> None:
    handshake = ServerHandshake()
    with pytest.raises(PeerError, match=words):
        handshake.receive_data(data)
    assert handshake.data_to_send() == answer
