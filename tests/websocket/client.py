"""A WebSocket client on a bare TCP connection: sends any bytes, and hides nothing of what comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from .frame import CLOSE, PING, PONG, TEXT, Frame, FrameReader, text

PATIENCE_S = 10.0
"""What is awaited comes much sooner, or not at all."""
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The key of the example in RFC 6455, 1.3, and the answer to it."""
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


class RawSocket:
    """An open connection; `status` and `headers` are those of the answer to the handshake."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = FrameReader()
        self._waiting: list[Frame] = []
        self.status = 0
        self.headers: dict[str, str] = {}
        self.close_code: int | None = None
        """Of the close frame that came; None: there was none."""

    def send(self, *what: Frame | bytes) -> None:
        """Write frames, or bytes as they are, in one piece."""
        self._writer.write(b"".join(item if isinstance(item, bytes) else item.serialize() for item in what))

    async def drain(self) -> None:
        await self._writer.drain()

    def say(self, kind: str, ref: str | None = None, **data: Any) -> None:
        """Send a message of the contract."""
        fields = {"type": kind, "data": data} | ({} if ref is None else {"ref": ref})
        self.send(text(json.dumps(fields, ensure_ascii=False)))

    async def frame(self, seconds: float = PATIENCE_S) -> Frame | None:
        """Wait for the next frame; None: the connection is over."""
        async with asyncio.timeout(seconds):
            while not self._waiting:
                try:
                    data = await self._reader.read(1 << 16)
                except ConnectionError:
                    return None
                if not data:
                    return None
                self._waiting += self._frames.receive_data(data)
        found = self._waiting.pop(0)
        if found.opcode == CLOSE and self.close_code is None:
            self.close_code = found.close_code
        return found

    async def message(self, *kinds: str, seconds: float = PATIENCE_S) -> dict[str, Any]:
        """Wait for a message of one of these kinds, leaving others out; pings of the server are answered."""
        async with asyncio.timeout(seconds):
            while (found := await self.frame(seconds)) is not None:
                if found.opcode == PING:
                    self.send(Frame(PONG, found.payload))
                if found.opcode == TEXT and (said := found.message())["type"] in (kinds or (said["type"],)):
                    return said
        raise EOFError(f"the connection was closed with {self.close_code}")

    async def answer(self, ref: str, seconds: float = PATIENCE_S) -> dict[str, Any]:
        """Wait for the `ack` or `error` that has a reference."""
        while (said := await self.message("ack", "error", seconds=seconds))["data"].get("ref") != ref:
            pass
        return said

    async def ended(self, seconds: float = PATIENCE_S) -> int | None:
        """Read until the connection is over, and answer a close; returns its code, None without a close frame."""
        async with asyncio.timeout(seconds):
            while (found := await self.frame(seconds)) is not None:
                if found.opcode == CLOSE:
                    self.send(Frame(CLOSE, found.payload[:2]))
        return self.close_code


async def shake_hands(socket: RawSocket, reader: asyncio.StreamReader, request: bytes) -> bytes:
    """Send a request; returns the body of an answer that is not 101."""
    socket.send(request)
    async with asyncio.timeout(PATIENCE_S):
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        socket.status = int(lines[0].split()[1])
        pairs = (line.partition(":") for line in lines[1:] if line)
        socket.headers = {name.lower(): value.strip() for name, _, value in pairs}
        if socket.status == 101:
            return b""
        return await reader.readexactly(int(socket.headers.get("content-length", 0)))


def request_head(url: str, headers: Mapping[str, str], version: str = "1.1") -> bytes:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"GET {target} HTTP/{version}", f"Host: {parts.netloc}", *lines, "", ""]).encode()


@asynccontextmanager
async def raw_socket(url: str, **headers: str) -> AsyncIterator[RawSocket]:
    """Open a WebSocket.

    Args:
        url: http://…
        headers: more of them; underscores stand for hyphens.
    """
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    socket = RawSocket(reader, writer)
    try:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        body = await shake_hands(socket, reader, request_head(url, HANDSHAKE | more))
        assert socket.status == 101, (socket.status, body)
        assert socket.headers["sec-websocket-accept"] == ACCEPT
        yield socket
    finally:
        writer.transport.abort()
