"""Messages out of chunks (RTMP 1.0, 5.3).

The reader keeps an offset into the bytes received last. Most of a video frame is a run of full chunks behind
one-byte headers at a fixed distance: such a run is checked and joined by a few slice operations instead of chunk by
chunk. A message of the usual form is taken in one step when its bytes are all there (`_take_message`), and left where
it lies while they are still coming. Whatever is unusual about one, from an extended timestamp to another message in
between or a great length, leaves it to the general way by `_read_header`. That consumes payload as it arrives, so what
the reader holds is bounded by the unfinished messages.
"""

from __future__ import annotations

import struct

from media.error import PeerError
from rtmp.chunk import ABORT, DEFAULT_CHUNK_SIZE, EXTENDED, SET_CHUNK_SIZE, Message

MAX_CHUNK_SIZE = 10 << 20
"""Same as a message: a larger chunk cannot be filled."""
MAX_MESSAGE_BYTES = 10 << 20
"""A keyframe of 4K at 100 Mbit/s is about 3 MB."""
MAX_PENDING_BYTES = 12 << 20
"""Unfinished messages of all chunk streams together: one of the largest, and the small ones in between."""
MAX_CHUNK_STREAMS = 64
"""Encoders use three to eight."""
MIN_MESSAGE_BYTES = 8
"""On the wire, on average: real messages are longer. A message costs a few microseconds however short it is, so a read
full of headers without payload would hold up everybody else."""
MAX_CREDIT_BYTES = 256 << 10
"""How far ahead of that average a peer may get."""
MAX_DELTA_FROM_ABSOLUTE_MS = 1000
"""Up to here the absolute time of a type 0 chunk is the delta of a type 3 message after it: so says the
specification, and FFmpeg counts on it. librtmp means "the same time", which hours into a stream is saner."""

MAX_AWAITED_BYTES = 64 << 10
"""On the wire, of a message that is left where it lies until all of it is there. Taking a frame in one step is worth
copying once more what came of it; of a message longer than a read of the socket that would be done again and again."""

_HEADER_BYTES = (11, 7, 3, 0)
_MESSAGE_HEADER = struct.Struct(">II")
"""A one-byte basic header with the time behind it, then length and type: all of type 1, most of type 0."""
_STREAM_ID = struct.Struct("<I")
"""The rest of type 0."""
_TYPE_1_BYTES = _MESSAGE_HEADER.size
_TYPE_0_BYTES = _TYPE_1_BYTES + _STREAM_ID.size


class _ChunkStream:
    __slots__ = (
        "body", "delta", "extended", "header", "id", "is_open", "length", "stream_id", "timestamp", "type_id",
    )  # fmt: skip

    def __init__(self, chunk_stream_id: int) -> None:
        self.id = chunk_stream_id
        self.header = bytes([0xC0 | chunk_stream_id]) if 2 <= chunk_stream_id < 64 else b""
        """The one-byte form of a type 3 header; empty where there is none."""
        self.timestamp = 0
        self.delta = 0
        self.extended: int | None = None
        """Value of the extended timestamp field of the last chunk of type 0, 1 or 2, None without one."""
        self.length = 0
        self.type_id = 0
        self.stream_id = 0
        self.is_open = False
        """Whether a message has begun and is not complete."""
        self.body = bytearray()
        """What there is of the unfinished message."""

    def place(self, timestamp: int, stream_id: int) -> None:
        """Take the time and message stream of a header of type 0."""
        self.timestamp = timestamp
        self.delta = timestamp if timestamp <= MAX_DELTA_FROM_ABSOLUTE_MS else 0
        self.stream_id = stream_id

    def move(self, delta: int) -> None:
        """Take the time of a header of type 1 or 2."""
        self.delta = delta
        self.timestamp = (self.timestamp + delta) & 0xFFFFFFFF


class ChunkReader:
    """Turns the byte stream of a peer into messages; follows Set Chunk Size and Abort by itself."""

    def __init__(self) -> None:
        self.chunk_size = DEFAULT_CHUNK_SIZE
        self._data = b""
        self._position = 0
        self._streams: dict[int, _ChunkStream] = {}
        self._current: _ChunkStream | None = None
        self._chunk_left = 0
        self._pending_bytes = 0
        self._credit_bytes = MAX_CREDIT_BYTES

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the peer."""
        self._credit_bytes = min(self._credit_bytes + len(data), MAX_CREDIT_BYTES)
        self._data = self._data[self._position :] + data if self._position < len(self._data) else data
        self._position = 0

    def next_message(self) -> Message | None:
        """Return the next complete message, None when more bytes are needed.

        Raises:
            PeerError: the peer broke the chunk protocol or a bound; the reader is of no use after that.
        """
        while (message := self._take_message()) is not None:
            self._credit_bytes -= MIN_MESSAGE_BYTES
            if self._credit_bytes < 0:
                raise PeerError(f"messages of less than {MIN_MESSAGE_BYTES} bytes on average")
            if message.type_id > ABORT:
                break
            if message.type_id == SET_CHUNK_SIZE:
                self._set_chunk_size(message.payload)
            elif message.type_id == ABORT:
                self._abort(message.payload)
        return message

    def _take_message(self) -> Message | None:
        """Take a message behind a header of type 0 or 1 on a known chunk stream, if its chunks are there in a row.

        All else is read the general way; only a message of that form that is still coming is left alone.
        """
        data, position = self._data, self._position
        if position + _TYPE_0_BYTES > len(data) or self._current is not None:
            return self._read_message()
        head, fields = _MESSAGE_HEADER.unpack_from(data, position)
        stream = self._streams.get(head >> 24 & 0x3F)
        value, length, chunk_type = head & EXTENDED, fields >> 8, head >> 30
        if stream is None or stream.is_open or chunk_type > 1:
            return self._read_message()
        if value == EXTENDED or length > MAX_MESSAGE_BYTES:
            return self._read_message()
        body = position + (_TYPE_1_BYTES if chunk_type else _TYPE_0_BYTES)
        payload = self._take_payload(body, length, stream.header)
        if payload is None:
            return None if self._is_coming(body, length, stream.header) else self._read_message()
        stream.extended = None
        stream.length = length
        stream.type_id = fields & 0xFF
        if chunk_type:
            stream.move(value)
        else:
            # As `place` does: one call less for most messages.
            stream.timestamp = value
            stream.delta = value if value <= MAX_DELTA_FROM_ABSOLUTE_MS else 0
            stream.stream_id = _STREAM_ID.unpack_from(data, position + _TYPE_1_BYTES)[0]
        return Message(stream.id, stream.timestamp, stream.type_id, stream.stream_id, payload)

    def _is_coming(self, start: int, length: int, header: bytes) -> bool:
        """Tell whether a payload may still come in a row, and is short enough to wait for the end of it."""
        data, size = self._data, self.chunk_size
        wire_bytes = length + (length - 1) // size
        if wire_bytes > MAX_AWAITED_BYTES or start + wire_bytes <= len(data):
            return False
        headers = data[start + size :: size + 1]
        return headers == header * len(headers)

    def _read_message(self) -> Message | None:
        """Read chunks until a message is complete or no more bytes are there."""
        while (stream := self._current or self._read_header()) is not None:
            payload = None if stream.body else self._take_whole(stream)
            if payload is None:
                if not self._read_payload(stream):
                    return None
                if len(stream.body) < stream.length:
                    continue
                self._pending_bytes -= stream.length
                payload = bytes(stream.body)
                stream.body = bytearray()
            self._current = None
            stream.is_open = False
            return Message(stream.id, stream.timestamp, stream.type_id, stream.stream_id, payload)
        return None

    def _read_header(self) -> _ChunkStream | None:
        """Read the header of a chunk, if all of it is there, and make its stream the current one."""
        data, position = self._data, self._position
        end = len(data)
        if position == end:
            return None
        first = data[position]
        chunk_type, chunk_stream_id = first >> 6, first & 0x3F
        position += 1
        if chunk_stream_id < 2:
            size = chunk_stream_id + 1
            if position + size > end:
                return None
            chunk_stream_id = 64 + int.from_bytes(data[position : position + size], "little")
            position += size
        stream = self._streams.get(chunk_stream_id) or self._open_stream(chunk_stream_id, chunk_type)
        after = position + _HEADER_BYTES[chunk_type]
        if after > end:
            return None
        is_start = chunk_type < 3
        payload = (
            self._start(stream, chunk_type, position, after) if is_start else self._continue(stream, after)
        )
        if payload is None:
            return None
        self._position = payload
        self._current = stream
        left = stream.length - len(stream.body)
        self._chunk_left = left if left < self.chunk_size else self.chunk_size
        return stream

    def _open_stream(self, chunk_stream_id: int, chunk_type: int) -> _ChunkStream:
        # Type 1 opens a stream for librtmp's pings.
        if chunk_type > 1:
            raise PeerError(f"chunk stream {chunk_stream_id} begins with a header of type {chunk_type}")
        if len(self._streams) >= MAX_CHUNK_STREAMS:
            raise PeerError(f"more than {MAX_CHUNK_STREAMS} chunk streams")
        stream = self._streams[chunk_stream_id] = _ChunkStream(chunk_stream_id)
        return stream

    def _start(self, stream: _ChunkStream, chunk_type: int, position: int, end: int) -> int | None:
        """Begin a message with a header of type 0, 1 or 2 at `position`; return where the payload starts."""
        data = self._data
        fields = int.from_bytes(data[position : position + 7], "big")
        value = fields >> 32 if chunk_type < 2 else int.from_bytes(data[position:end], "big")
        extended = None
        if value == EXTENDED:
            if end + 4 > len(data):
                return None
            value = extended = int.from_bytes(data[end : end + 4], "big")
            end += 4
        if stream.is_open:
            raise PeerError(f"chunk stream {stream.id} begins a message inside an unfinished one")
        stream.extended = extended
        if chunk_type < 2:
            stream.length = fields >> 8 & 0xFFFFFF
            if stream.length > MAX_MESSAGE_BYTES:
                raise PeerError(f"message of {stream.length} bytes; up to {MAX_MESSAGE_BYTES} are accepted")
            stream.type_id = fields & 0xFF
        if chunk_type == 0:
            stream.place(value, int.from_bytes(data[position + 7 : position + 11], "little"))
        else:
            stream.move(value)
        stream.is_open = True
        return end

    def _continue(self, stream: _ChunkStream, end: int) -> int | None:
        """Go on with a message, or begin one like the last, behind a header of type 3."""
        if stream.extended is not None:
            if end + 4 > len(self._data):
                return None
            # The specification repeats the field; librtmp and OBS before 30.1 leave it out inside a message.
            value = int.from_bytes(self._data[end : end + 4], "big")
            if not stream.is_open or value in (stream.extended, stream.timestamp):
                end += 4
        if not stream.is_open:
            stream.timestamp = (stream.timestamp + stream.delta) & 0xFFFFFFFF
            stream.is_open = True
        return end

    def _take_whole(self, stream: _ChunkStream) -> bytes | None:
        """Take the payload of a message that has just begun, as `_take_payload` does."""
        if stream.extended is not None and stream.length > self.chunk_size:
            return None
        return self._take_payload(self._position, stream.length, stream.header)

    def _take_payload(self, start: int, length: int, header: bytes) -> bytes | None:
        """Take the payload of a message whose chunks are all there, one after the other behind one-byte headers."""
        data, size = self._data, self.chunk_size
        if length <= size:
            end = start + length
            if end > len(data):
                return None
            self._position = end
            return data[start:end]
        separators = (length - 1) // size
        end = start + length + separators
        if end > len(data) or not header or data[start + size : end : size + 1] != header * separators:
            return None
        self._position = end
        return _join_run(data, start, end, size)

    def _read_payload(self, stream: _ChunkStream) -> bool:
        """Take what is there of the current chunk; return whether the chunk is complete."""
        start = self._position
        end = min(start + self._chunk_left, len(self._data))
        stream.body += self._data[start:end]
        self._position = end
        self._chunk_left -= end - start
        self._count_pending(end - start)
        if self._chunk_left:
            return False
        self._current = None
        if stream.header and stream.extended is None:
            self._read_run(stream)
        return True

    def _read_run(self, stream: _ChunkStream) -> None:
        """Take the full chunks of one message that follow each other."""
        stride = self.chunk_size + 1
        start = self._position
        count = min(
            (stream.length - len(stream.body)) // self.chunk_size, (len(self._data) - start) // stride
        )
        if count <= 0:
            return
        headers = self._data[start : start + count * stride : stride]
        count -= len(headers.lstrip(stream.header))
        end = start + count * stride
        stream.body += _join_run(self._data, start + 1, end, self.chunk_size)
        self._position = end
        self._count_pending(count * self.chunk_size)

    def _count_pending(self, size: int) -> None:
        self._pending_bytes += size
        if self._pending_bytes > MAX_PENDING_BYTES:
            raise PeerError(f"more than {MAX_PENDING_BYTES} bytes in unfinished messages")

    def _set_chunk_size(self, payload: bytes) -> None:
        size = int.from_bytes(payload[:4], "big")
        if len(payload) < 4 or not 1 <= size <= MAX_CHUNK_SIZE:
            raise PeerError(f"chunk size of {size}; 1 to {MAX_CHUNK_SIZE} are accepted")
        self.chunk_size = size

    def _abort(self, payload: bytes) -> None:
        stream = self._streams.get(int.from_bytes(payload[:4], "big"))
        if stream is not None:
            self._pending_bytes -= len(stream.body)
            stream.body = bytearray()
            stream.is_open = False


def _join_run(data: bytes, start: int, end: int, size: int) -> bytes:
    """Join the payload of chunks of `size` bytes between two offsets, with one byte of header between them."""
    payload = bytearray(data[start:end])
    del payload[size :: size + 1]
    return bytes(payload)
