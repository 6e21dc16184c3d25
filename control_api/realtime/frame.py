"""Frames of WebSockets as a server sends them: RFC 6455 section 5.2. They are built once for all who get them."""

from __future__ import annotations

import struct

from pydantic_core import to_json

TEXT, CLOSE = 0x81, 0x88
"""First bytes: FIN and the opcode."""

MAX_REASON = 123
"""Bytes of a control frame's payload, without the close code."""


def message_frame(kind: str, data: object) -> bytes:
    """Build a whole text frame with a message `{"type", "data"}`."""
    return text_frame(to_json({"type": kind, "data": data}))


def text_frame(payload: bytes) -> bytes:
    """Build a text frame of UTF-8."""
    length = len(payload)
    if length < 126:
        return bytes((TEXT, length)) + payload
    if length < 1 << 16:
        return struct.pack("!BBH", TEXT, 126, length) + payload
    return struct.pack("!BBQ", TEXT, 127, length) + payload


def close_reason(text: str) -> bytes:
    """Make a reason that fits a close frame: what is too long is cut between two characters."""
    return text.encode()[:MAX_REASON].decode(errors="ignore").encode()


def close_frame(code: int, reason: str) -> bytes:
    """Build a close frame; a reason that is too long is cut."""
    payload = struct.pack("!H", code) + close_reason(reason)
    return bytes((CLOSE, len(payload))) + payload
