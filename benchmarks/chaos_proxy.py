"""A bad network for `chaos`: a TCP proxy that stops without closing, trickles, or lets bytes through in bursts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

TICK_S = 0.05


class Proxy:
    """Forwards connections to a port of the loopback as it is told.

    Args:
        port: where to.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.passes = asyncio.Event()
        """Cleared, nothing passes and nothing is closed, as when a cable is pulled."""
        self.passes.set()
        self.bytes_per_s = float("inf")
        self.hold_s = 0.0
        """Between two bursts."""

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        for pair in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._forward(*pair))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Drop all connections."""
        for task in self._tasks:
            task.cancel()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(self._size()):
                await self.passes.wait()
                if self.bytes_per_s != float("inf"):
                    await asyncio.sleep(len(data) / self.bytes_per_s)
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(self.hold_s)
            writer.close()

    def _size(self) -> int:
        if self.bytes_per_s == float("inf"):
            return 1 << 20
        return max(1, round(self.bytes_per_s * TICK_S))


@asynccontextmanager
async def proxy(port: int) -> AsyncIterator[Proxy]:
    """Listen on a free port for a while."""
    found = Proxy(port)
    server = await asyncio.start_server(found.connect, "127.0.0.1", 0, limit=1 << 21)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        found.close()
