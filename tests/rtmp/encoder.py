"""An encoder on a real socket, without and with TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable

from rtmp.chunk import Message
from rtmp.command import parse_command
from rtmp.handshake import PACKET_BYTES
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

CONFIG = avc_config()
READ_S = 10
"""Longer than any server under test takes to answer or to close; a hang ends with words."""


class Encoder:
    """A client on a real socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.client = Client()
        self._reader = reader
        self._writer = writer

    async def send(self, *parts: bytes) -> None:
        self._writer.write(b"".join(parts))
        await self._writer.drain()

    async def publish(self, key: str = "key", caps_ex: float | None = None) -> None:
        if caps_ex is None:
            await self.send(self.client.opening(key))
        else:
            await self.send(HELLO, self.client.connect("live", capsEx=caps_ex), self.client.publish(key))

    async def send_media(self, count: int = 1) -> None:
        frames = [self.client.video(video_frame(IDR), 40 * index) for index in range(count)]
        await self.send(self.client.video(video_header(CONFIG)), self.client.audio(AAC_HEADER), *frames)
        await self.send(self.client.audio(audio_frame()))

    async def wait_for(self, words: bytes) -> None:
        """Read until words come."""
        async with asyncio.timeout(READ_S):
            await self._reader.readuntil(words)

    async def read_to_end(self) -> bytes:
        async with asyncio.timeout(READ_S):
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
        # A server that closes first may have been faster, and TLS complains about it.
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(READ_S):
                await self._writer.wait_closed()

    def abort(self) -> None:
        self._writer.transport.abort()


Connect = Callable[..., Awaitable[Encoder]]
"""Takes a server and, for RTMPS, the client's context."""


async def open_encoder(server: RtmpServer, context: ssl.SSLContext | None = None) -> Encoder:
    """Connect to a server."""
    port = server.port if context is None else server.tls_port
    async with asyncio.timeout(READ_S):
        return Encoder(*await asyncio.open_connection("127.0.0.1", port, ssl=context))


def _information(message: Message) -> tuple[str, str] | None:
    command = parse_command(message)
    information = command.argument(1)
    if command.name != "onStatus" or not isinstance(information, dict):
        return None
    return str(information["code"]), str(information["description"])
