"""A server that stops, and an encoder that can connect anew."""

from __future__ import annotations

import asyncio
import signal
from urllib.parse import urlsplit

from tests.rtmp.encoder import Encoder

from .server import Server


async def test_encoder_is_asked_before_the_server_is_gone(server: Server) -> None:
    stream = await server.create_stream()
    address = urlsplit(server.rtmp_url)
    async with asyncio.timeout(10):
        encoder = Encoder(*await asyncio.open_connection(address.hostname, address.port))
    await encoder.publish(stream["stream_key"], caps_ex=1.0)
    await encoder.wait_for(b"NetStream.Publish.Start")
    await encoder.send_media(3)
    server.process.send_signal(signal.SIGTERM)
    await encoder.wait_for(b"NetConnection.Connect.ReconnectRequest")
    assert server.process.returncode is None
    await encoder.send(encoder.client.command("deleteStream", 6, None, 1))
    await encoder.close()
    assert await server.stop() == 0
