"""WebSocket frames (RFC 6455, 5), made and read without a library, so that tests can also say what is wrong."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NO_CODE = 1005
MASK = b"\x37\xfa\x21\x3d"
"""The one of the examples in RFC 6455, 5.7."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame; `payload` is unmasked."""

    opcode: int
    payload: bytes = b""
    is_last: bool = True
    reserved: int = 0
    """RSV1, RSV2 and RSV3 as three bits."""
    is_masked: bool = True

    def serialize(self) -> bytes:
        head = bytes([self.is_last << 7 | self.reserved << 4 | self.opcode])
        size, bit = len(self.payload), self.is_masked << 7
        if size < 126:
            head += bytes([bit | size])
        elif size < 1 << 16:
            head += struct.pack("!BH", bit | 126, size)
        else:
            head += struct.pack("!BQ", bit | 127, size)
        return head + (MASK + masked(self.payload) if self.is_masked else self.payload)

    @property
    def close_code(self) -> int:
        """Of a close frame."""
        return int.from_bytes(self.payload[:2], "big") if self.payload else NO_CODE

    def message(self) -> dict[str, Any]:
        """Read what the server says: text of JSON `{"type", "data"}`."""
        assert self.opcode == TEXT, self
        found: dict[str, Any] = json.loads(self.payload)
        assert set(found) == {"type", "data"}, found
        return found


def masked(payload: bytes) -> bytes:
    """Mask a payload with `MASK`, or unmask it."""
    key = MASK * (len(payload) // 4 + 1)
    size = len(payload)
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key[:size], "big")).to_bytes(size, "big")


def text(payload: str | bytes, **fields: Any) -> Frame:
    return Frame(TEXT, payload.encode() if isinstance(payload, str) else payload, **fields)


def close(code: int | None = 1000, reason: bytes = b"") -> Frame:
    return Frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


class FrameReader:
    """Reads what a server sends, and insists on what a server has to observe."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    @property
    def is_empty(self) -> bool:
        """Whether no frame has begun."""
        return not self._waiting

    def receive_data(self, data: bytes) -> list[Frame]:
        """Take bytes; returns the frames that are complete with them."""
        self._waiting += data
        found = []
        while (frame := self._next()) is not None:
            found.append(frame)
        return found

    def _next(self) -> Frame | None:
        if len(self._waiting) < 2:
            return None
        first, second = self._waiting[:2]
        assert not first & 0x70, (
            f"a reserved bit is set, or this is no frame: {bytes(self._waiting[:1000])!r}"
        )
        assert not second & 0x80, "a server must not mask"
        opcode, size, begin = first & 0x0F, second & 0x7F, 2
        assert opcode in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG), opcode
        if size >= 126:
            assert opcode < CLOSE, "a control frame is longer than 125 bytes"
            begin, smallest = (4, 126) if size == 126 else (10, 1 << 16)
            if len(self._waiting) < begin:
                return None
            size = int.from_bytes(self._waiting[2:begin], "big")
            assert size >= smallest, "a length is not written as short as it can be"
        if len(self._waiting) < begin + size:
            return None
        payload = bytes(self._waiting[begin : begin + size])
        del self._waiting[: begin + size]
        return Frame(opcode, payload, bool(first & 0x80), is_masked=False)
