"""The WebSocket of the real server, byte by byte: what RFC 6455 demands of a server (`tests.websocket.scenario`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from control_api.token.access import TokenSigner
from tests.websocket.client import HANDSHAKE, RawSocket, raw_socket, request_head, shake_hands
from tests.websocket.frame import CLOSE, PING, PONG, TEXT, Frame, close
from tests.websocket.scenario import ANY_REF, SCENARIOS, Scenario

from .server import running_server

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATIENCE_S = 3.0
PROBE = b"still there?"
HUGE = bytes([0x81, 0xFF]) + (1 << 20).to_bytes(8, "big")
"""The head of a frame of 1 MiB, and nothing behind it: not even its mask."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Give the address of the socket of a live stream, with a token."""
    folder = tmp_path_factory.mktemp("conformance")
    async with running_server(folder) as server:
        stream = await server.create_stream()
        token = TokenSigner((folder / "jwt_secret").read_bytes().strip()).issue("reader")
        yield f"{server.http_url}/ws/stream/{stream['id']}?token={token}"
        assert "Traceback" not in (folder / "server.log").read_text()


@dataclass
class Heard:
    """What came, without what the server tells on its own."""

    acks: list[str] = field(default_factory=list)
    errors: int = 0
    pongs: list[bytes] = field(default_factory=list)
    ending: int | None = None
    is_over: bool = False

    def take(self, frame: Frame | None) -> None:
        if frame is None:
            self.is_over = True
        elif frame.opcode == PONG:
            self.pongs.append(frame.payload)
        elif frame.opcode == CLOSE:
            assert self.ending is None, "a second close frame"
            self.ending = frame.close_code
        elif frame.opcode == TEXT:
            said = frame.message()
            if said["type"] == "ack":
                self.acks.append(said["data"]["ref"])
            self.errors += said["type"] == "error"


async def send(socket: RawSocket, scenario: Scenario) -> None:
    wire = b"".join(item if isinstance(item, bytes) else item.serialize() for item in scenario.sent)
    step = scenario.chop or len(wire)
    for begin in range(0, len(wire), step):
        socket.send(wire[begin : begin + step])
        await socket.drain()
        await asyncio.sleep(0)


def is_complete(scenario: Scenario, heard: Heard) -> bool:
    answers = len(heard.acks) + heard.errors
    return answers >= len(scenario.acks) + scenario.errors and len(heard.pongs) >= len(scenario.pongs)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[one.number for one in SCENARIOS])
async def test_case(address: str, scenario: Scenario) -> None:
    heard = Heard()
    async with raw_socket(address) as socket:
        try:
            await send(socket, scenario)
        except ConnectionError:
            assert scenario.ends  # it hung up on what it need not read
        while not heard.is_over and (scenario.ends or not is_complete(scenario, heard)):
            heard.take(await socket.frame(PATIENCE_S))
        if not scenario.ends:
            socket.send(Frame(PING, PROBE))
            while not heard.is_over and PROBE not in heard.pongs:
                heard.take(await socket.frame())
            assert not heard.is_over, heard
            heard.pongs.remove(PROBE)
            socket.send(close(1000))
            while not heard.is_over:
                heard.take(await socket.frame())
    check(scenario, heard)


def check(scenario: Scenario, heard: Heard) -> None:
    wanted = scenario.ends or (1000,)
    # What is sent behind the fault may have the system reset the connection, close frame and all.
    assert heard.ending in wanted or (heard.ending is None and 1000 not in wanted), heard
    if ANY_REF in scenario.acks:
        assert len(heard.acks) + heard.errors == len(scenario.acks), heard
    elif heard.ending is not None:
        assert (tuple(heard.acks), heard.errors) == (scenario.acks, scenario.errors)
    assert tuple(heard.pongs) == scenario.pongs


async def test_a_long_message_is_refused_by_its_length(address: str) -> None:
    """With nothing sent behind the fault the code has to arrive."""
    async with raw_socket(address) as socket:
        socket.send(HUGE)
        assert await socket.ended() == 1009


async def test_extensions_are_not_agreed_on(address: str) -> None:
    async with raw_socket(
        address, Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"
    ) as socket:
        assert "sec-websocket-extensions" not in socket.headers
        assert "sec-websocket-protocol" not in socket.headers


HANDSHAKES: list[tuple[str, dict[str, str | None], set[int]]] = [
    ("no Upgrade", {"Upgrade": None}, {400, 426}),
    ("another Upgrade", {"Upgrade": "h2c"}, {400, 426}),
    ("Connection without upgrade", {"Connection": "keep-alive"}, {400, 426}),
    ("no key", {"Sec-WebSocket-Key": None}, {400}),
    ("an empty key", {"Sec-WebSocket-Key": ""}, {400}),
    ("a key that is no base64", {"Sec-WebSocket-Key": "!" * 24}, {400}),
    ("a key of 15 bytes", {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAA"}, {400}),
    ("no version", {"Sec-WebSocket-Version": None}, {426}),
    ("an old version", {"Sec-WebSocket-Version": "8"}, {426}),
    ("a later version", {"Sec-WebSocket-Version": "14"}, {426}),
    ("no number as version", {"Sec-WebSocket-Version": "thirteen"}, {426}),
]


async def answer_to(address: str, changes: dict[str, str | None], version: str = "1.1") -> RawSocket:
    parts = urlsplit(address)
    headers = {name: value for name, value in ({**HANDSHAKE, **changes}).items() if value is not None}
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        socket = RawSocket(reader, writer)
        await shake_hands(socket, reader, request_head(address, headers, version))
        return socket
    finally:
        writer.transport.abort()


@pytest.mark.parametrize(("name", "changes", "statuses"), HANDSHAKES, ids=[name for name, *_ in HANDSHAKES])
async def test_a_bad_handshake(
    address: str, name: str, changes: dict[str, str | None], statuses: set[int]
) -> None:
    """RFC 6455, 4.2.2 and 4.4: 400 for what is no handshake; 426 with the version that is spoken, for another one."""
    found = await answer_to(address, changes)
    assert found.status in statuses
    if "Sec-WebSocket-Version" in changes:
        assert found.headers["sec-websocket-version"] == "13"


async def test_a_handshake_over_http_1_0(address: str) -> None:
    status = (await answer_to(address, {}, "1.0")).status
    assert status in (400, 426)


@pytest.mark.parametrize(
    "changes",
    [{"Upgrade": "WebSocket"}, {"Connection": "keep-alive, Upgrade"}, {"Sec-WebSocket-Protocol": "chat, superchat"},
     {"Origin": "https://elsewhere.example"}],
    ids=["Upgrade in capitals", "Connection with more", "subprotocols", "another origin"],
)  # fmt: skip
async def test_a_good_handshake(address: str, changes: dict[str, str | None]) -> None:
    found = await answer_to(address, changes)
    assert found.status == 101
    assert "sec-websocket-protocol" not in found.headers
