from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import pytest

from rtmp.limit import RtmpLimits
from rtmp.server import RtmpServer
from tests.rtmp.encoder import Connect, Encoder, open_encoder
from tests.rtmp.gate import RecordingGate


@pytest.fixture
async def gate() -> RecordingGate:
    return RecordingGate()


@pytest.fixture
async def server(gate: RecordingGate) -> AsyncIterator[RtmpServer]:
    server = RtmpServer(gate, "127.0.0.1", 0, RtmpLimits(linger_s=0.5, max_connections_per_address=3))
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    encoders = []

    async def connect_one(server: RtmpServer, context: ssl.SSLContext | None = None) -> Encoder:
        encoder = await open_encoder(server, context)
        encoders.append(encoder)
        return encoder

    yield connect_one
    for encoder in encoders:
        encoder.abort()
        await encoder.close()
