from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rtmp.limit import RtmpLimits
from rtmp.server import RtmpServer
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
