"""Frames against RFC 6455 section 5.2, and as a client reads them."""

from __future__ import annotations

import pytest

from control_api.realtime.frame import close_frame, message_frame, text_frame


@pytest.mark.parametrize(
    ("length", "head"),
    [
        (0, "8100"),
        (5, "8105"),
        (125, "817d"),
        (126, "817e007e"),
        (65_535, "817effff"),
        (65_536, "817f0000000000010000"),
    ],
)
def test_text_has_the_shortest_length(length: int, head: str) -> None:
    payload = b"x" * length
    assert text_frame(payload) == bytes.fromhex(head) + payload


def test_message_is_compact_and_not_escaped() -> None:
    assert (
        message_frame("comment", {"content": "grüß"})[2:]
        == '{"type":"comment","data":{"content":"grüß"}}'.encode()
    )


@pytest.mark.parametrize(
    ("reason", "kept"),
    [("", b""), ("bye", b"bye"), ("x" * 200, b"x" * 123), ("ü" * 100, "ü".encode() * 61)],
    ids=["none", "short", "long", "cut between characters"],
)
def test_reason_of_a_close_fits_a_control_frame(reason: str, kept: bytes) -> None:
    assert close_frame(1013, reason) == bytes((0x88, 2 + len(kept))) + b"\x03\xf5" + kept
