"""Messages, and how they are cut into chunks (RTMP 1.0, 5.3)."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_CHUNK_SIZE = 128
SET_CHUNK_SIZE = 1
ABORT = 2

EXTENDED = 0xFFFFFF
"""In the timestamp field: the time stands in four bytes behind the header."""


@dataclass(slots=True)
class Message:
    """A complete message."""

    chunk_stream_id: int
    timestamp: int
    """In milliseconds modulo 2**32."""
    type_id: int
    stream_id: int
    payload: bytes


class ChunkWriter:
    """Turns messages into chunks, always with full headers: what a server sends is small and rare."""

    def __init__(self, chunk_size: int = DEFAULT_CHUNK_SIZE) -> None:
        self.chunk_size = chunk_size

    def serialize(self, message: Message) -> bytes:
        """Write a message with a type 0 header and type 3 headers after it."""
        is_extended = message.timestamp >= EXTENDED
        extension = message.timestamp.to_bytes(4, "big") if is_extended else b""
        parts = [
            basic_header(0, message.chunk_stream_id),
            min(message.timestamp, EXTENDED).to_bytes(3, "big"),
            len(message.payload).to_bytes(3, "big"),
            bytes([message.type_id]),
            message.stream_id.to_bytes(4, "little"),
            extension,
            message.payload[: self.chunk_size],
        ]
        header = basic_header(3, message.chunk_stream_id) + extension
        for start in range(self.chunk_size, len(message.payload), self.chunk_size):
            parts += [header, message.payload[start : start + self.chunk_size]]
        return b"".join(parts)


def basic_header(chunk_type: int, chunk_stream_id: int) -> bytes:
    """Write the one, two or three bytes of a chunk basic header (5.3.1.1)."""
    if chunk_stream_id < 64:
        return bytes([chunk_type << 6 | chunk_stream_id])
    if chunk_stream_id < 320:
        return bytes([chunk_type << 6, chunk_stream_id - 64])
    return bytes([chunk_type << 6 | 1]) + (chunk_stream_id - 64).to_bytes(2, "little")
