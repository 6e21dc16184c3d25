"""What the worst peers make a connection hold, measured: the bounds that the constants promise."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from media.error import PeerError
from rtmp.chunk import basic_header
from rtmp.chunk_reader import MAX_CHUNK_STREAMS, MAX_MESSAGE_BYTES, MAX_PENDING_BYTES
from rtmp.connection import ServerConnection
from rtmp.event import PublishRequested
from rtmp.handshake import PACKET_BYTES
from rtmp.message import AGGREGATE, AUDIO, DATA_AMF0, MAX_AGGREGATE_MESSAGES, VIDEO
from tests.rtmp.client import AAC_HEADER, HELLO, Client, video_frame

READ_BYTES = 256 << 10
"""What the server reads at once."""
SLACK_BYTES = 1 << 20
COPIES = 4
"""Of the largest message while it is taken apart: as it came, joined, without its tag header, and as NAL units."""


def peak_bytes(pieces: Iterator[bytes]) -> tuple[int, str]:
    """Feed a connection; return the most that was allocated at a time, and why the peer was refused, if it was."""
    reason = ""
    connection = ServerConnection(0.0)
    tracemalloc.start()
    try:
        for piece in pieces:
            try:
                feed(connection, piece)
            except PeerError as problem:
                reason = str(problem)
                break
            connection.data_to_send()
        return tracemalloc.get_traced_memory()[1], reason
    finally:
        tracemalloc.stop()


def feed(connection: ServerConnection, data: bytes) -> None:
    connection.receive_data(data, 0.0)
    while (event := connection.next_event()) is not None:
        if isinstance(event, PublishRequested):
            connection.accept_publish(0.0)


def start_of_message(chunk_stream_id: int, size_bytes: int, type_id: int = VIDEO) -> bytes:
    fields = bytes(3) + size_bytes.to_bytes(3, "big") + bytes([type_id]) + (1).to_bytes(4, "little")
    return basic_header(0, chunk_stream_id) + fields


def in_reads(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), READ_BYTES):
        yield data[start : start + READ_BYTES]


def unfinished_messages(count: int) -> Iterator[bytes]:
    """Begin a message of the largest size on many chunk streams, and go on with each in turn."""
    yield HELLO + Client().set_chunk_size(READ_BYTES)
    for chunk_stream_id in range(3, 3 + count):
        yield start_of_message(chunk_stream_id, MAX_MESSAGE_BYTES) + bytes(READ_BYTES)
    for _ in range(MAX_MESSAGE_BYTES // READ_BYTES - 2):
        for chunk_stream_id in range(3, 3 + count):
            yield basic_header(3, chunk_stream_id) + bytes(READ_BYTES)


@pytest.mark.parametrize("count", [2, MAX_CHUNK_STREAMS - 1])
def test_unfinished_messages_together(count: int) -> None:
    peak, reason = peak_bytes(unfinished_messages(count))
    assert reason == f"more than {MAX_PENDING_BYTES} bytes in unfinished messages"
    assert MAX_PENDING_BYTES < peak <= MAX_PENDING_BYTES * 9 // 8 + 4 * READ_BYTES + SLACK_BYTES


@pytest.mark.parametrize("type_id", [VIDEO, AUDIO])
def test_the_largest_message(type_id: int) -> None:
    client = Client(65_536)
    frame = video_frame(b"\x65" + bytes(MAX_MESSAGE_BYTES - 10))
    peak, reason = peak_bytes(in_reads(client.opening() + client.message(type_id, frame)))
    assert reason == "" or type_id == AUDIO
    assert peak <= len(frame) + COPIES * MAX_MESSAGE_BYTES + SLACK_BYTES


def test_chunks_of_one_byte() -> None:
    """The longest way to send a message costs no more than the message."""
    client = Client(1)
    size = 1 << 20
    peak, _ = peak_bytes(in_reads(client.opening() + client.video(bytes(size))))
    assert peak <= 2 * size + COPIES * size + SLACK_BYTES


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(Client().command("createStream", 4, None), id="calls"),
        pytest.param(Client().command("FCPublish", 4, None, "k" * 1000), id="echoed names"),
        pytest.param(Client().message(4, b"\x00\x06\x00\x00\x00\x01"), id="pings"),
        pytest.param(Client().data("onMetaData", {"a": 1.0}, type_id=DATA_AMF0), id="metadata"),
    ],
)
def test_a_flood_of_small_messages(flood: bytes) -> None:
    """Answers to one read are all that can pile up: they go out before the next."""
    opening = Client().opening() + Client().message(3, b"")
    floods = [flood * (READ_BYTES // len(flood))] * 2
    peak, reason = peak_bytes(iter([opening, *floods]))
    assert reason == ""
    assert peak <= 16 * READ_BYTES + SLACK_BYTES


@pytest.mark.parametrize("payload", [b"", b"\x00"])
def test_a_flood_of_messages_without_content(payload: bytes) -> None:
    """They would cost time out of all proportion to their bytes."""
    first = HELLO + start_of_message(4, len(payload)) + payload
    flood = (basic_header(3, 4) + payload) * READ_BYTES
    peak, reason = peak_bytes(iter([first, *in_reads(flood)]))
    assert reason == "messages of less than 8 bytes on average"
    assert peak <= 4 * READ_BYTES + SLACK_BYTES


def test_a_handshake_that_goes_on() -> None:
    """Whatever follows C2 in the same read is held once."""
    peak, _ = peak_bytes(iter([HELLO + bytes(READ_BYTES)]))
    assert peak <= 4 * (READ_BYTES + 2 * PACKET_BYTES) + SLACK_BYTES


def test_an_aggregate_of_tiny_messages() -> None:
    """All messages of an aggregate become packets at once, and a packet is much larger than a tiny message."""
    client = Client(65_536)
    part = bytes([AUDIO]) + (3).to_bytes(3, "big") + bytes(7) + b"\xaf\x01\x21" + bytes(4)
    opening = client.opening() + client.audio(AAC_HEADER)
    allowed = client.message(AGGREGATE, part * MAX_AGGREGATE_MESSAGES)
    peak, reason = peak_bytes(in_reads(opening + allowed))
    assert reason == ""
    assert peak <= MAX_AGGREGATE_MESSAGES * 512 + SLACK_BYTES

    huge = client.message(AGGREGATE, part * (MAX_MESSAGE_BYTES // len(part)))
    peak, reason = peak_bytes(in_reads(opening + huge))
    assert reason == f"aggregate of more than {MAX_AGGREGATE_MESSAGES} messages"
    assert peak <= COPIES * MAX_MESSAGE_BYTES + SLACK_BYTES


def test_metadata_of_nothing_but_values() -> None:
    """Values are counted, so that a message of ten megabytes does not become a hundred times as much."""
    client = Client(65_536)
    values = b"\x0a" + (1 << 20).to_bytes(4, "big") + b"\x05" * (1 << 20)
    peak, reason = peak_bytes(in_reads(client.opening() + client.message(DATA_AMF0, values)))
    assert reason == ""
    assert peak <= COPIES * len(values) + SLACK_BYTES
