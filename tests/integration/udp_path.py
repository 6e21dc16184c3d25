"""A path through the network that loses, delays, is narrow or goes dark: a UDP proxy on the loopback."""

from __future__ import annotations

import asyncio
import random
from asyncio import DatagramTransport
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Address = tuple[str, int]

QUEUE_S = 0.3
"""What waits before a narrow place, as time; what comes on top of it is lost."""


class UdpPath:
    """Forwards datagrams between clients and a server.

    Args:
        server: where it is.
        seed: of the losses.
    """

    def __init__(self, server: Address, seed: int = 1) -> None:
        self.loss = 0.0
        """Share of datagrams that are lost, each way."""
        self.delay_s = 0.0
        """Each way."""
        self.is_dark = False
        """Whether nothing arrives."""
        self.rate_bps: float | None = None
        """What gets through to each client."""
        self.dropped = 0
        self._server = server
        self._random = random.Random(seed)  # noqa: S311
        self._listening: DatagramTransport | None = None
        self._ways: dict[Address, _Way] = {}

    @classmethod
    async def open(cls, server: Address, seed: int = 1) -> UdpPath:
        """Listen on a free port of the loopback."""
        path = cls(server, seed)
        loop = asyncio.get_running_loop()
        path._listening, _ = await loop.create_datagram_endpoint(
            lambda: _Receiver(path._receive), local_addr=("127.0.0.1", 0)
        )
        return path

    @property
    def port(self) -> int:
        """Where clients send to."""
        assert self._listening is not None
        port: int = self._listening.get_extra_info("sockname")[1]
        return port

    async def go_dark(self, seconds: float) -> None:
        """Let nothing arrive for a while."""
        self.is_dark = True
        await asyncio.sleep(seconds)
        self.is_dark = False

    def close(self) -> None:
        """Forward nothing any more."""
        for way in self._ways.values():
            way.close()
        if self._listening is not None:
            self._listening.close()

    # What the two ways of a client ask for.

    def carry(self, send: Callable[[], None], wait_s: float = 0.0) -> None:
        """Send after the delay, or lose."""
        if self.is_dark or self._random.random() < self.loss:
            self.dropped += 1
        elif (delay_s := self.delay_s + wait_s) > 0:
            asyncio.get_running_loop().call_later(delay_s, send)
        else:
            send()

    def to_client(self, data: bytes, client: Address) -> None:
        """Send what came from the server."""
        if self._listening is not None and not self._listening.is_closing():
            self._listening.sendto(data, client)

    def _receive(self, data: bytes, client: Address) -> None:
        way = self._ways.get(client)
        if way is None:
            way = self._ways[client] = _Way(self, client)
            way.opening = asyncio.create_task(way.open(self._server))
        self.carry(lambda: way.to_server(data))


class _Way:
    """One client's: a socket of its own to the server."""

    def __init__(self, path: UdpPath, client: Address) -> None:
        self.opening: asyncio.Task[None] | None = None
        self._path = path
        self._client = client
        self._transport: DatagramTransport | None = None
        self._waiting: list[bytes] = []
        self._free_at = 0.0

    async def open(self, server: Address) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Receiver(lambda data, _: self._from_server(data)), remote_addr=server
        )
        for data in self._waiting:
            self.to_server(data)

    def to_server(self, data: bytes) -> None:
        if self._transport is None:
            self._waiting.append(data)
        elif not self._transport.is_closing():
            self._transport.sendto(data)

    def close(self) -> None:
        if self.opening is not None:
            self.opening.cancel()
        if self._transport is not None:
            self._transport.close()

    def _from_server(self, data: bytes) -> None:
        wait_s = self._queue(len(data))
        if wait_s is None:
            self._path.dropped += 1
        else:
            self._path.carry(lambda: self._path.to_client(data, self._client), wait_s)

    def _queue(self, size_bytes: int) -> float | None:
        """Return for how long a datagram is on its way through the narrow place; None when there is no room."""
        if self._path.rate_bps is None:
            return 0.0
        now = asyncio.get_running_loop().time()
        wait_s = max(0.0, self._free_at - now)
        if wait_s > QUEUE_S:
            return None
        wait_s += 8 * size_bytes / self._path.rate_bps
        self._free_at = now + wait_s
        return wait_s


class _Receiver(asyncio.DatagramProtocol):
    """Hands on what comes."""

    def __init__(self, receive: Callable[[bytes, Any], None]) -> None:
        self._receive = receive

    def datagram_received(self, data: bytes, addr: Any) -> None:
        with suppress(OSError):
            self._receive(data, addr)
