from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from rtmp.chunk import ChunkWriter, Message, basic_header
from rtmp.chunk_reader import (
    MAX_AWAITED_BYTES,
    MAX_CHUNK_SIZE,
    MAX_CHUNK_STREAMS,
    MAX_MESSAGE_BYTES,
    MAX_PENDING_BYTES,
    ChunkReader,
)
from tests.rtmp.client import messages_of

PAYLOAD = bytes(range(256)) * 2


def header(
    chunk_type: int, chunk_stream_id: int, time: int = 0, length: int = 0, extended: int | None = None
) -> bytes:
    """Write the header of a chunk of message type 9 on message stream 1."""
    fields = [time.to_bytes(3, "big"), length.to_bytes(3, "big") + b"\x09", (1).to_bytes(4, "little")]
    tail = b"" if extended is None else extended.to_bytes(4, "big")
    return basic_header(chunk_type, chunk_stream_id) + b"".join(fields[: 3 - chunk_type]) + tail


def video(time: int, payload: bytes, chunk_stream_id: int = 4) -> Message:
    return Message(chunk_stream_id, time, 9, 1, payload)


CASES: list[tuple[str, list[Message], bytes]] = [
    (
        "a two-byte id that looks like a header of type 1",
        [video(5, b"abc", 68), video(6, b"abc"), video(9, b"abc")],
        header(0, 68, 5, 3) + b"abc" + header(0, 4, 6, 3) + b"abc" + header(1, 4, 3, 3) + b"abc",
    ),
    (
        "types 0 and 1 over two chunks",
        [video(5, PAYLOAD[:200]), video(45, PAYLOAD[:129])],
        header(0, 4, 5, 200)
        + PAYLOAD[:128]
        + header(3, 4)
        + PAYLOAD[128:200]
        + header(1, 4, 40, 129)
        + PAYLOAD[:128]
        + header(3, 4)
        + PAYLOAD[128:129],
    ),
    ("empty message", [video(5, b"")], header(0, 4, 5, 0)),
    ("one chunk", [video(5, b"abc")], header(0, 4, 5, 3) + b"abc"),
    ("exactly one chunk", [video(5, PAYLOAD[:128])], header(0, 4, 5, 128) + PAYLOAD[:128]),
    (
        "four chunks",
        [video(5, PAYLOAD)],
        header(0, 4, 5, 512)
        + PAYLOAD[:128]
        + b"".join(header(3, 4) + PAYLOAD[start : start + 128] for start in (128, 256, 384)),
    ),
    ("two-byte id", [video(5, b"abc", 64)], header(0, 64, 5, 3) + b"abc"),
    ("largest two-byte id", [video(5, b"abc", 319)], header(0, 319, 5, 3) + b"abc"),
    ("three-byte id, little-endian", [video(5, b"abc", 321)], b"\x01\x01\x01" + header(0, 4, 5, 3)[1:] + b"abc"),
    ("largest three-byte id", [video(5, b"abc", 65599)], header(0, 65599, 5, 3) + b"abc"),
    (
        "two-byte id over two chunks",
        [video(5, PAYLOAD[:200], 100)],
        header(0, 100, 5, 200) + PAYLOAD[:128] + header(3, 100) + PAYLOAD[128:200],
    ),
    (
        "types 1 and 2 add deltas",
        [video(1000, b"abc"), video(1040, b"defg"), video(1060, b"hijk")],
        header(0, 4, 1000, 3) + b"abc" + header(1, 4, 40, 4) + b"defg" + header(2, 4, 20) + b"hijk",
    ),
    (
        "type 3 repeats the delta",
        [video(1000, b"abc"), video(1040, b"def"), video(1080, b"ghi")],
        header(0, 4, 1000, 3) + b"abc" + header(2, 4, 40) + b"def" + header(3, 4) + b"ghi",
    ),
    (
        "type 3 after type 0 repeats a small time",
        [video(26, b"abc"), video(52, b"def")],
        header(0, 4, 26, 3) + b"abc" + header(3, 4) + b"def",
    ),
    (
        "type 3 after type 0 keeps a large time",
        [video(5_000_000, b"abc"), video(5_000_000, b"def")],
        header(0, 4, 5_000_000, 3) + b"abc" + header(3, 4) + b"def",
    ),
    ("type 1 on a fresh stream, as librtmp pings", [Message(4, 7, 9, 0, b"abc")], header(1, 4, 7, 3) + b"abc"),
    ("time below the extension", [video(0xFFFFFE, b"a")], header(0, 4, 0xFFFFFE, 1) + b"a"),
    ("time at the extension", [video(0xFFFFFF, b"a")], header(0, 4, 0xFFFFFF, 1, 0xFFFFFF) + b"a"),
    ("time above the extension", [video(0x1000000, b"a")], header(0, 4, 0xFFFFFF, 1, 0x1000000) + b"a"),
    ("largest time", [video(0xFFFFFFFF, b"a")], header(0, 4, 0xFFFFFF, 1, 0xFFFFFFFF) + b"a"),
    (
        "delta that lands on the extension eats nothing",
        [video(0xFFFFF0, b"a"), video(0xFFFFFF, b"b"), video(0x100000E, b"c")],
        header(0, 4, 0xFFFFF0, 1) + b"a" + header(2, 4, 15) + b"b" + header(3, 4) + b"c",
    ),
    (
        "time rolls over at 2**32",
        [video(0xFFFFFFF0, b"a"), video(0x10, b"b")],
        header(0, 4, 0xFFFFFF, 1, 0xFFFFFFF0) + b"a" + header(2, 4, 32) + b"b",
    ),
    (
        "extended delta",
        [video(10, b"a"), video(0x100000A, b"b"), video(0x200000A, b"c")],
        header(0, 4, 10, 1)
        + b"a"
        + header(2, 4, 0xFFFFFF, extended=0x1000000)
        + b"b"
        + header(3, 4, extended=0x1000000)
        + b"c",
    ),
    (
        "extension repeated inside a message",
        [video(0x1234567, PAYLOAD[:200])],
        header(0, 4, 0xFFFFFF, 200, 0x1234567)
        + PAYLOAD[:128]
        + header(3, 4, extended=0x1234567)
        + PAYLOAD[128:200],
    ),
    (
        "extension left out inside a message",
        [video(0x1234567, PAYLOAD[:200]), video(0x1234587, b"x" * 200)],
        header(0, 4, 0xFFFFFF, 200, 0x1234567)
        + PAYLOAD[:128]
        + header(3, 4)
        + PAYLOAD[128:200]
        + header(2, 4, 32)
        + b"x" * 128
        + header(3, 4)
        + b"x" * 72,
    ),
    (
        "streams interleaved",
        [Message(6, 3, 9, 1, b"audio"), video(5, PAYLOAD[:300])],
        header(0, 4, 5, 300)
        + PAYLOAD[:128]
        + header(0, 6, 3, 5)
        + b"audio"
        + header(3, 4)
        + PAYLOAD[128:256]
        + header(3, 4)
        + PAYLOAD[256:300],
    ),
    (
        "abort drops the unfinished message only",
        [video(9, b"abc")],
        header(0, 4, 5, 300) + PAYLOAD[:128] + bytes.fromhex("020000000000040200000000") + (4).to_bytes(4, "big")
        + header(0, 4, 9, 3) + b"abc",
    ),
    (
        "chunk size changes at once",
        [video(5, PAYLOAD), video(6, b"abc")],
        bytes.fromhex("020000000000040100000000") + (500).to_bytes(4, "big")
        + header(0, 4, 5, 512) + PAYLOAD[:500] + header(3, 4) + PAYLOAD[500:]
        + bytes.fromhex("420000000000040100000000"[:16]) + (1).to_bytes(4, "big")
        + header(1, 4, 1, 3) + b"a" + header(3, 4) + b"b" + header(3, 4) + b"c",
    ),
    (
        "chunk size changes inside a message",
        [video(5, PAYLOAD)],
        header(0, 4, 5, 512) + PAYLOAD[:128]
        + bytes.fromhex("020000000000040100000000") + (400).to_bytes(4, "big")
        + header(3, 4) + PAYLOAD[128:],
    ),
]  # fmt: skip


def read(*parts: bytes) -> list[Message]:
    reader = ChunkReader()
    found = []
    for part in parts:
        reader.receive_data(part)
        while (message := reader.next_message()) is not None:
            found.append(message)
    return found


@pytest.mark.parametrize(("name", "messages", "wire"), CASES, ids=[case[0] for case in CASES])
class TestCases:
    def test_parses(self, name: str, messages: list[Message], wire: bytes) -> None:
        assert read(wire) == messages

    def test_parses_byte_by_byte(self, name: str, messages: list[Message], wire: bytes) -> None:
        assert read(*[wire[index : index + 1] for index in range(len(wire))]) == messages

    def test_parses_split_anywhere(self, name: str, messages: list[Message], wire: bytes) -> None:
        for cut in range(len(wire)):
            assert read(wire[:cut], wire[cut:]) == messages

    def test_round_trip(self, name: str, messages: list[Message], wire: bytes) -> None:
        for size in (1, 128, 4096):
            reader, writer = ChunkReader(), ChunkWriter(size)
            reader.chunk_size = size
            reader.receive_data(b"".join(writer.serialize(message) for message in messages))
            assert [reader.next_message() for _ in messages] == messages


def test_runs_of_chunks_join_at_any_size_and_split() -> None:
    payload = PAYLOAD * 20
    for size in (1, 7, 128, 4096):
        wire = ChunkWriter(size).serialize(video(1, payload)) * 3
        for step in (1000, 4099, len(wire)):
            reader, found = ChunkReader(), []
            reader.chunk_size = size
            for start in range(0, len(wire), step):
                reader.receive_data(wire[start : start + step])
                while (message := reader.next_message()) is not None:
                    found.append(message)
            assert found == [video(1, payload)] * 3


@pytest.mark.parametrize("size", [1, 128, 4096])
@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_a_message_about_as_long_as_is_waited_for(size: int, excess: int) -> None:
    wire_bytes = MAX_AWAITED_BYTES + excess
    payload = (PAYLOAD * (wire_bytes // len(PAYLOAD) + 1))[: wire_bytes * size // (size + 1)]
    writer, reader, found = ChunkWriter(size), ChunkReader(), []
    reader.chunk_size = size
    # The first one makes the chunk stream known: only then is there a shorter way, and something to wait for.
    sent = [video(1, b"abc"), video(2, payload), video(3, b"def")]
    wire = b"".join(writer.serialize(message) for message in sent)
    for start in range(0, len(wire), 3000):
        reader.receive_data(wire[start : start + 3000])
        while (message := reader.next_message()) is not None:
            found.append(message)
    assert found == sent


def test_a_message_inside_one_that_is_still_coming_is_read_at_once() -> None:
    start = header(0, 4, 1, 3) + b"abc" + header(1, 4, 1, 300) + PAYLOAD[:128]
    inside = header(0, 6, 2, 3) + b"def"
    end = header(3, 4) + PAYLOAD[128:256] + header(3, 4) + PAYLOAD[256:300]
    first, second, last = video(1, b"abc"), video(2, b"def", 6), video(2, PAYLOAD[:300])
    assert read(start + inside) == [first, second]
    assert read(start, inside) == [first, second]
    assert read(start, inside, end) == [first, second, last]
    assert read(start + inside + end[:140], end[140:]) == [first, second, last]


def test_a_message_begun_inside_one_that_is_still_coming_is_refused() -> None:
    start = header(0, 4, 1, 3) + b"abc" + header(1, 4, 1, 300) + PAYLOAD[:128]
    with pytest.raises(PeerError, match="unfinished"):
        read(start, header(0, 4, 2, 3))


@pytest.mark.parametrize(
    ("name", "wire", "words"),
    [
        ("type 2 on a fresh stream", header(2, 4, 5), "begins with a header of type 2"),
        ("type 3 on a fresh stream", header(3, 4), "begins with a header of type 3"),
        ("message in a message", header(0, 4, 5, 300) + PAYLOAD[:128] + header(0, 4, 5, 3), "unfinished"),
        ("message too long", header(0, 4, 5, MAX_MESSAGE_BYTES + 1), "message of"),
        ("chunk size 0", bytes.fromhex("020000000000040100000000") + bytes(4), "chunk size of 0"),
        ("chunk size of 2 bytes", bytes.fromhex("020000000000020100000000") + b"\x10\x00", "chunk size"),
        (
            "chunk size too large",
            bytes.fromhex("020000000000040100000000") + (MAX_CHUNK_SIZE + 1).to_bytes(4, "big"),
            "chunk size of",
        ),
        ("chunk size with the top bit", bytes.fromhex("02000000000004010000000080000080"), "chunk size of"),
        (
            "too many chunk streams",
            b"".join(header(0, 2 + index, 0, 1) + b"x" for index in range(MAX_CHUNK_STREAMS + 1)),
            "chunk streams",
        ),
    ],
)
def test_breach_is_refused(name: str, wire: bytes, words: str) -> None:
    with pytest.raises(PeerError, match=words):
        read(wire)


def test_unfinished_messages_are_bounded_together() -> None:
    size = MAX_CHUNK_SIZE
    set_size = bytes.fromhex("020000000000040100000000") + (size // 2).to_bytes(4, "big")
    chunk = bytes(size // 2)
    count = MAX_PENDING_BYTES // len(chunk)
    parts = [header(0, 4 + index, 0, size) + chunk for index in range(count)]
    assert read(set_size, *parts) == []
    with pytest.raises(PeerError, match="unfinished messages"):
        read(set_size, *parts, header(0, 50, 0, size) + chunk)


def test_abort_gives_its_bytes_back() -> None:
    set_size = bytes.fromhex("020000000000040100000000") + (MAX_CHUNK_SIZE // 2).to_bytes(4, "big")
    chunk = header(0, 4, 0, MAX_MESSAGE_BYTES) + bytes(MAX_CHUNK_SIZE // 2)
    abort = bytes.fromhex("020000000000040200000000") + (4).to_bytes(4, "big")
    assert read(set_size, *[chunk, abort] * 4) == []


def test_largest_chunk_size_takes_any_message() -> None:
    payload = bytes(1 << 20)
    set_size = bytes.fromhex("020000000000040100000000") + MAX_CHUNK_SIZE.to_bytes(4, "big")
    assert read(set_size + header(0, 4, 5, len(payload)) + payload) == [video(5, payload)]


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_any_bytes_parse_or_are_the_peers_error(parts: list[bytes]) -> None:
    with contextlib.suppress(PeerError):
        read(*parts)


@given(st.data())
def test_damaged_cases_parse_or_are_the_peers_error(data: st.DataObject) -> None:
    wire = bytearray(data.draw(st.sampled_from([case[2] for case in CASES])))
    wire[data.draw(st.integers(0, min(40, len(wire) - 1)))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PeerError):
        list(messages_of(bytes(wire)))
