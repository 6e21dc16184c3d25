"""What is fuzzed: functions that take any bytes, and raise when a parser breaks its promises.

The promises: only `PeerError` comes out of a parser; what a parser holds is bounded by what it was given; however the
bytes are split, the messages are the same. One line in `TARGETS` makes a target: the tests, the corpus and `make fuzz`
follow it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from media.error import PeerError
from rtmp import amf3
from rtmp.amf import MAX_DEPTH, MAX_VALUES, AmfValue
from rtmp.amf0 import parse_values, serialize_values
from rtmp.chunk import Message
from rtmp.chunk_reader import MAX_CHUNK_STREAMS, MAX_PENDING_BYTES, ChunkReader
from rtmp.handshake import PACKET_BYTES, ServerHandshake
from tests.fuzz.session import play_session, play_tags
from tests.fuzz.size import held_bytes

MAX_INPUT_BYTES = 2048
"""Longer inputs find little more and cost speed."""
MAX_KEY_SAFE_BYTES = 20_000
"""Replacement characters triple a damaged name, and a name has to stay under 64 KiB to be written again."""

OVERHEAD_BYTES = 16 << 10
"""What a parser holds besides the input: its own objects, and a few bytes for each chunk stream."""
STREAM_BYTES = 512
"""A chunk stream without a message."""


def handshake(data: bytes) -> None:
    """Feed C0, C1 and C2 in pieces; zeros make up what the input lacks."""
    server = ServerHandshake(bytes(PACKET_BYTES - 8))
    received = 0
    rest = None
    with contextlib.suppress(PeerError):
        for piece in _pieces(data[1:] + bytes(2 * PACKET_BYTES), data[:1]):
            received += len(piece)
            rest = server.receive_data(piece)
            if rest is not None:
                break
    output = server.data_to_send()
    assert len(output) <= 1 + 2 * PACKET_BYTES
    if rest is not None:
        assert len(rest) == received - 1 - 2 * PACKET_BYTES
        assert output[1 + PACKET_BYTES :] == data[2 : 2 + PACKET_BYTES].ljust(PACKET_BYTES, b"\x00")


def chunk_stream(data: bytes) -> None:
    """Read messages out of chunks, in pieces and at once: the same have to come out."""
    assert _messages(list(_pieces(data[1:], data[:1]))) == _messages([data[1:]])


def amf0_values(data: bytes) -> None:
    """Parse values; what was parsed can be written, and is written the same after another reading."""
    with contextlib.suppress(PeerError):
        values = parse_values(data)
        assert held_bytes(values) <= OVERHEAD_BYTES + 128 * len(data)
        if len(data) <= MAX_KEY_SAFE_BYTES:
            wire = serialize_values(values)
            assert serialize_values(parse_values(wire)) == wire


def amf3_values(data: bytes) -> None:
    """Parse values; references make neither more nor deeper ones of them than the bounds allow."""
    with contextlib.suppress(PeerError):
        values = amf3.parse_values(data)
        assert held_bytes(values) <= OVERHEAD_BYTES + 128 * len(data)
        size, depth = _size(values)
        assert size <= MAX_VALUES + 1
        assert depth <= MAX_DEPTH + 2


TARGETS: dict[str, Callable[[bytes], object]] = {
    "handshake": handshake,
    "chunk": chunk_stream,
    "amf0": amf0_values,
    "amf3": amf3_values,
    "tag": play_tags,
    "session": play_session,
}


def _size(value: AmfValue) -> tuple[int, int]:
    """Count the values that are reached on all ways, and the deepest nesting."""
    if not isinstance(value, list | dict):
        return 1, 1
    members = [_size(member) for member in (value.values() if isinstance(value, dict) else value)]
    return 1 + sum(size for size, _ in members), 1 + max((depth for _, depth in members), default=0)


def _pieces(data: bytes, size: bytes) -> Iterator[bytes]:
    """Split the input as its first byte says: 0 not at all, else into pieces of so many bytes."""
    step = int.from_bytes(size, "big") or max(1, len(data))
    for start in range(0, len(data), step):
        yield data[start : start + step]


def _messages(pieces: list[bytes]) -> tuple[list[Message], str]:
    """Return all messages, and how the reader ended."""
    reader = ChunkReader()
    messages = []
    try:
        for piece in pieces:
            reader.receive_data(piece)
            while (message := reader.next_message()) is not None:
                messages.append(message)
    except PeerError as problem:
        return messages, str(problem)
    size_bytes = sum(map(len, pieces))
    allowed = OVERHEAD_BYTES + min(2 * size_bytes, 2 * MAX_PENDING_BYTES)
    assert held_bytes(reader) <= allowed + min(size_bytes, MAX_CHUNK_STREAMS) * STREAM_BYTES
    return messages, ""
