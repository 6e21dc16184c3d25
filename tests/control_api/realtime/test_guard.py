"""Heads of WebSocket frames: what is let through, and what is not, wherever the bytes are cut."""

from __future__ import annotations

import pytest

from control_api.realtime.guard import FrameGuard
from tests.websocket.frame import BINARY, CLOSE, CONTINUATION, PING, Frame, close, text

GOOD = {
    "messages of all lengths": [text(b"x" * size) for size in (0, 1, 125, 126, 65535, 65536)],
    "a fragmented one with a ping inside": [
        text(b"a", is_last=False), Frame(PING, b"p"), Frame(CONTINUATION, b"b", is_last=False), Frame(CONTINUATION),
    ],
    "an empty first fragment": [text(b"", is_last=False), Frame(CONTINUATION), text(b"next")],
    "closes": [close(1000), close(None), close(4000, b"reason"), Frame(CLOSE, b"a"), close(1012)],
    "left to the reader": [Frame(3, b"?"), Frame(PING, b"x" * 126), Frame(CLOSE, b"x" * 200)],
}  # fmt: skip
BAD = {
    "unmasked": Frame(1, b"hello", is_masked=False),
    "unmasked and empty": Frame(1, is_masked=False),
    "an unmasked close": Frame(CLOSE, b"\x03\xe8", is_masked=False),
    "1006": close(1006),
    "1005 with a reason": close(1005, b"reason"),
    "1015": close(1015),
    "1004": close(1004),
}


def wire(frames: list[Frame]) -> bytes:
    return b"".join(frame.serialize() for frame in frames)


@pytest.mark.parametrize("frames", GOOD.values(), ids=GOOD)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 20])
def test_good_frames_pass(frames: list[Frame], size: int) -> None:
    guard, data = FrameGuard(), wire(frames)
    for begin in range(0, len(data), size):
        piece = data[begin : begin + size]
        assert guard.receive_data(piece) == (len(piece), "")


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_what_is_before_a_fault_passes(bad: Frame, size: int) -> None:
    before, guard = wire([text(b"good"), Frame(PING)]), FrameGuard()
    data = before + bad.serialize() + wire([text(b"after")])
    for begin in range(0, len(data), size):
        good, fault = guard.receive_data(data[begin : begin + size])
        if fault:
            assert begin + good >= len(before)
            assert size < len(data) or good == len(before)
            return
    raise AssertionError("nothing was found")


@pytest.mark.parametrize("payload", [b"", b"begun"])
@pytest.mark.parametrize("opcode", [1, BINARY])
def test_a_message_within_another_one(payload: bytes, opcode: int) -> None:
    first = text(payload, is_last=False).serialize()
    good, fault = FrameGuard().receive_data(first + Frame(opcode, b"x").serialize())
    assert good == len(first)
    assert fault
