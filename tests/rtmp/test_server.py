from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from media.error import ConfigError
from rtmp.chunk import Message
from rtmp.command import parse_command
from rtmp.handshake import HTTP_ANSWER, PACKET_BYTES
from rtmp.limit import RtmpLimits
from rtmp.server import RtmpServer
from tests.rtmp.client import (
    AAC_HEADER,
    HELLO,
    IDR,
    Client,
    audio_frame,
    avc_config,
    messages_of,
    video_frame,
    video_header,
)
from tests.rtmp.gate import RecordingGate

CONFIG = avc_config()


class Encoder:
    """A client on a real socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.client = Client()
        self._reader = reader
        self._writer = writer

    async def send(self, *parts: bytes) -> None:
        self._writer.write(b"".join(parts))
        await self._writer.drain()

    async def publish(self, key: str = "key") -> None:
        await self.send(self.client.opening(key))

    async def send_media(self, count: int = 1) -> None:
        frames = [self.client.video(video_frame(IDR), 40 * index) for index in range(count)]
        await self.send(self.client.video(video_header(CONFIG)), self.client.audio(AAC_HEADER), *frames)
        await self.send(self.client.audio(audio_frame()))

    async def read_to_end(self) -> bytes:
        data = await self._reader.read(-1)
        await self.close()
        return data

    async def last_words(self) -> tuple[str, str]:
        """Read to the end; return level and description of the last onStatus."""
        data = await self.read_to_end()
        found = [
            _information(message)
            for message in messages_of(data[1 + 2 * PACKET_BYTES :])
            if message.type_id == 20
        ]
        return [item for item in found if item][-1]

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    def abort(self) -> None:
        self._writer.transport.abort()


Connect = Callable[[RtmpServer], Awaitable[Encoder]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    encoders = []

    async def open_encoder(server: RtmpServer) -> Encoder:
        encoder = Encoder(*await asyncio.open_connection("127.0.0.1", server.port))
        encoders.append(encoder)
        return encoder

    yield open_encoder
    for encoder in encoders:
        encoder.abort()
        await encoder.close()


def _information(message: Message) -> tuple[str, str] | None:
    command = parse_command(message)
    information = command.argument(1)
    if command.name != "onStatus" or not isinstance(information, dict):
        return None
    return str(information["code"]), str(information["description"])


async def test_media_reaches_the_publication(
    connect: Connect, server: RtmpServer, gate: RecordingGate
) -> None:
    encoder = await connect(server)
    await encoder.publish("key?token=x")
    publication = await gate.next_publication()
    await encoder.send(encoder.client.data("onMetaData", {"encoder": "OBS"}))
    await encoder.send_media(3)
    await encoder.send(encoder.client.command("FCUnpublish", 6, None, "key"))
    assert await publication.closed is True
    assert (len(publication.video), len(publication.audio)) == (3, 1)
    assert publication.metadata == [{"encoder": "OBS"}]
    (request,) = gate.requests
    assert (request.app, request.stream_key, request.query, request.encoder) == (
        "live",
        "key",
        "token=x",
        "FMLE/3.0",
    )
    assert request.peer.startswith("127.0.0.1:")


async def test_lost_connection_is_no_clean_end(
    connect: Connect, server: RtmpServer, gate: RecordingGate
) -> None:
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    encoder.abort()
    assert await publication.closed is False


async def test_refusal_is_explained_to_the_encoder_and_logged_once(
    connect: Connect, server: RtmpServer
) -> None:
    with capture_logs() as logs:
        encoder = await connect(server)
        await encoder.publish("bad")
        await encoder.send(bytes(100_000))  # what is still under way must not reset the connection
        assert await encoder.last_words() == ("NetStream.Publish.BadName", "this stream key is not known")
    refusals = [entry for entry in logs if entry["event"] == "rtmp refused"]
    assert [(entry["log_level"], entry["reason"]) for entry in refusals] == [
        ("info", "this stream key is not known")
    ]
    assert refusals[0]["connection"] == 1


async def test_kick_is_explained(connect: Connect, server: RtmpServer, gate: RecordingGate) -> None:
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    publication.kick("another encoder took over")
    publication.kick("too late")
    assert await encoder.last_words() == ("NetStream.Publish.Rejected", "another encoder took over")
    assert await publication.closed is False


async def test_kick_while_not_ready(connect: Connect, server: RtmpServer, gate: RecordingGate) -> None:
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    publication.is_ready.clear()
    await encoder.send_media()
    publication.kick("stream ended")
    assert (await encoder.last_words())[1] == "stream ended"


async def test_full_publication_stops_the_reading(
    connect: Connect, server: RtmpServer, gate: RecordingGate
) -> None:
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    publication.is_ready.clear()
    frame = encoder.client.set_chunk_size(1 << 20) + encoder.client.video(video_frame(IDR + bytes(1 << 20)))
    await encoder.send(encoder.client.video(video_header(CONFIG)))
    sending = asyncio.create_task(encoder.send(*[frame] * 64))
    done, _ = await asyncio.wait({sending}, timeout=0.3)
    assert not done
    assert len(publication.video) < 16
    publication.is_ready.set()
    await sending
    encoder.abort()
    await publication.closed


async def test_faulty_publisher_harms_nobody_else(
    connect: Connect, server: RtmpServer, gate: RecordingGate
) -> None:
    good = await connect(server)
    await good.publish("good")
    publication = await gate.next_publication()
    bad = await connect(server)
    with capture_logs() as logs:
        await bad.publish("other")
        await bad.send(bad.client.video(video_header(CONFIG[:9])))
        code, words = await bad.last_words()
    assert (code, "avcC" in words) == ("NetConnection.Call.Failed", True)
    assert "exc_info" not in str(logs)
    await good.send_media()
    await good.send(good.client.command("deleteStream", 6, None, 1))
    assert await publication.closed is True
    assert len(publication.video) == 1


async def test_fault_of_the_gate_is_logged_with_its_trace_and_ends_that_connection(
    connect: Connect,
    server: RtmpServer,
) -> None:
    with capture_logs() as logs:
        encoder = await connect(server)
        await encoder.publish("bug")
        assert (await encoder.last_words())[1] == "the server failed; it has been logged"
    assert [entry["exc_info"] for entry in logs if entry["log_level"] == "error"] == [True]


@pytest.mark.parametrize("is_clean", [True, False])
async def test_fault_at_the_end_of_a_publication_closes_the_connection(
    connect: Connect, server: RtmpServer, gate: RecordingGate, is_clean: bool
) -> None:
    with capture_logs() as logs:
        encoder = await connect(server)
        await encoder.publish()
        publication = await gate.next_publication()
        publication.has_fault = True
        if is_clean:
            await encoder.send(encoder.client.command("deleteStream", 6, None, 1))
        else:
            publication.kick("go away")
        await encoder.read_to_end()
    assert await publication.closed is is_clean
    assert [entry["exc_info"] for entry in logs if entry["log_level"] == "error"] == [True]


@pytest.mark.parametrize(
    ("data", "answer", "words"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_ANSWER, "HTTP request"),
        (b"\x16\x03\x01\x02\x00", b"", "TLS"),
        (b"\xde\xad\xbe\xef" * 1000, b"", "not an RTMP handshake"),
    ],
    ids=["HTTP", "TLS", "garbage"],
)
async def test_other_protocols(
    connect: Connect, server: RtmpServer, data: bytes, answer: bytes, words: str
) -> None:
    with capture_logs() as logs:
        encoder = await connect(server)
        await encoder.send(data)
        assert await encoder.read_to_end() == answer
    assert [words in entry["reason"] for entry in logs] == [True]
    assert logs[0]["log_level"] == "info"


async def test_connections_of_an_address_are_bounded(connect: Connect, server: RtmpServer) -> None:
    encoders = [await connect(server) for _ in range(3)]
    for encoder in encoders:
        await encoder.send(HELLO)
    with capture_logs() as logs:
        fourth = await connect(server)
        assert await fourth.read_to_end() == b""
    assert logs[0]["reason"] == "too many connections from this address"


async def test_connections_altogether_are_bounded(connect: Connect, gate: RecordingGate) -> None:
    server = RtmpServer(gate, "127.0.0.1", 0, RtmpLimits(max_connections=0))
    await server.start()
    encoder = await connect(server)
    assert await encoder.read_to_end() == b""
    await server.close()


@pytest.mark.parametrize(
    ("limits", "is_publishing", "words"),
    [
        (RtmpLimits(handshake_timeout_s=0.05, linger_s=0.1), False, "no RTMP handshake within 0.05 s"),
        (
            RtmpLimits(first_media_timeout_s=0.05, linger_s=0.1),
            True,
            "no audio or video after the publish within 0.05 s",
        ),
    ],
)
async def test_silent_peer_is_let_go(
    connect: Connect, gate: RecordingGate, limits: RtmpLimits, is_publishing: bool, words: str
) -> None:
    server = RtmpServer(gate, "127.0.0.1", 0, limits)
    await server.start()
    with capture_logs() as logs:
        encoder = await connect(server)
        if is_publishing:
            await encoder.publish()
            assert (await encoder.last_words())[1] == words
            assert await gate.publications[0].closed is False
        else:
            assert await encoder.read_to_end() == b""
    assert [entry["reason"] for entry in logs if entry["event"] == "rtmp refused"] == [words]
    await server.close()


async def test_peer_that_never_reads_is_let_go(
    connect: Connect, server: RtmpServer, gate: RecordingGate
) -> None:
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    call = encoder.client.command("_checkbw", 9, None)
    with capture_logs() as logs:
        try:
            for _ in range(200):
                await encoder.send(call * 1000)
                if publication.closed.done():
                    break
        except ConnectionError:
            pass
        assert await publication.closed is False
    assert [entry["reason"] for entry in logs if "reason" in entry] == [
        "the peer does not read what it is answered"
    ]


async def test_closing_the_server_says_goodbye(
    connect: Connect, server: RtmpServer, gate: RecordingGate
) -> None:
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    closing = asyncio.create_task(server.close())
    assert (await encoder.last_words())[1] == "the server is shutting down"
    await closing
    assert await publication.closed is False
    with pytest.raises(OSError, match="Connect call failed"):
        await connect(server)


async def test_port_in_use_is_one_sentence(server: RtmpServer, gate: RecordingGate) -> None:
    second = RtmpServer(gate, "127.0.0.1", server.port)
    with pytest.raises(ConfigError, match=r"RTMP_PORT=\d+: cannot listen for RTMP on 127.0.0.1: .*in use"):
        await second.start()
    await second.close()


async def test_host_that_does_not_exist(gate: RecordingGate) -> None:
    with pytest.raises(ConfigError, match=r"cannot listen for RTMP on no\.such\.host\.invalid: [A-Z]"):
        await RtmpServer(gate, "no.such.host.invalid", 0).start()
