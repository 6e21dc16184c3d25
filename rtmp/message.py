"""Message types, protocol control messages and aggregates (RTMP 1.0, 5.4, 7.1)."""

from __future__ import annotations

from collections.abc import Iterator

from media.error import PeerError
from rtmp.chunk import SET_CHUNK_SIZE, Message

ACKNOWLEDGEMENT = 3
USER_CONTROL = 4
WINDOW_ACKNOWLEDGEMENT_SIZE = 5
SET_PEER_BANDWIDTH = 6
AUDIO = 8
VIDEO = 9
DATA_AMF3 = 15
COMMAND_AMF3 = 17
DATA_AMF0 = 18
COMMAND_AMF0 = 20
AGGREGATE = 22

PING_REQUEST = 6
PING_RESPONSE = 7

CONTROL_CHUNK_STREAM = 2
COMMAND_CHUNK_STREAM = 3

MAX_AGGREGATE_MESSAGES = 1024
"""In one message; servers that relay join what falls into a fraction of a second, and all of it is unpacked at once."""

_LIMIT_DYNAMIC = 2
_TAG_HEADER_BYTES = 11
_BACK_POINTER_BYTES = 4


def set_chunk_size(size: int) -> Message:
    """Announce the size of our chunks."""
    return _control(SET_CHUNK_SIZE, size.to_bytes(4, "big"))


def acknowledgement(received_bytes: int) -> Message:
    """Acknowledge bytes received since the start, handshake included; the number rolls over at 2**32."""
    return _control(ACKNOWLEDGEMENT, (received_bytes & 0xFFFFFFFF).to_bytes(4, "big"))


def window_acknowledgement_size(size_bytes: int) -> Message:
    """Ask for an acknowledgement every so many bytes."""
    return _control(WINDOW_ACKNOWLEDGEMENT_SIZE, size_bytes.to_bytes(4, "big"))


def set_peer_bandwidth(size_bytes: int) -> Message:
    """Bound what the peer may have under way unacknowledged."""
    return _control(SET_PEER_BANDWIDTH, size_bytes.to_bytes(4, "big") + bytes([_LIMIT_DYNAMIC]))


def user_control(event: int, payload: bytes) -> Message:
    """Write a user control event (7.1.7)."""
    return _control(USER_CONTROL, event.to_bytes(2, "big") + payload)


def _control(type_id: int, payload: bytes) -> Message:
    return Message(CONTROL_CHUNK_STREAM, 0, type_id, 0, payload)


def split_aggregate(message: Message) -> Iterator[Message]:
    """Yield the messages in an aggregate, their times moved so that the first has the aggregate's (7.1.6).

    Raises:
        PeerError: a message in it is cut short, or there are too many.
    """
    data, position, offset, count = message.payload, 0, None, 0
    while position + _TAG_HEADER_BYTES <= len(data):
        size = int.from_bytes(data[position + 1 : position + 4], "big")
        time = int.from_bytes(data[position + 4 : position + 7], "big") | data[position + 7] << 24
        start = position + _TAG_HEADER_BYTES
        count += 1
        if count > MAX_AGGREGATE_MESSAGES:
            raise PeerError(f"aggregate of more than {MAX_AGGREGATE_MESSAGES} messages")
        if start + size > len(data):
            raise PeerError("aggregate message is cut short")
        offset = message.timestamp - time if offset is None else offset
        payload = data[start : start + size]
        timestamp = (time + offset) & 0xFFFFFFFF
        yield Message(message.chunk_stream_id, timestamp, data[position], message.stream_id, payload)
        position = start + size + _BACK_POINTER_BYTES
