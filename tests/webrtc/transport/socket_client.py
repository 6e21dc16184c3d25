"""The other end of a `UdpPort`: a client on a socket of its own."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from tests.webrtc.transport.client import Client
from webrtc.sdp.description import IceCredentials
from webrtc.transport.event import Event


class Events:
    """Collects what a port tells of a peer."""

    def __init__(self) -> None:
        self.all: list[Event] = []
        self._news = asyncio.Event()

    def __call__(self, event: Event) -> None:
        self.all.append(event)
        self._news.set()

    async def wait_for(self, count: int) -> list[Event]:
        while len(self.all) < count:
            self._news.clear()
            await self._news.wait()
        return self.all


class SocketClient(Client):
    """A client that can have several sockets, and changes to the newest.

    Args:
        server: what the server has said of itself.
        address: where it listens, as for `connect`.
    """

    def __init__(self, server: IceCredentials, address: tuple[Any, ...]) -> None:
        super().__init__(server)
        self._loop = asyncio.get_running_loop()
        self.address = address
        self.sockets: list[socket.socket] = []
        self.move()

    def move(self) -> None:
        """Go on from another address."""
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        self.sockets.append(sock)
        # What comes from another address than the one that was sent to is not received.
        sock.connect(self.address)

    @property
    def name(self) -> tuple[str, int]:
        """Its own address now."""
        host, port = self.sockets[-1].getsockname()[:2]
        return host, port

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.sockets[-1], data)

    async def read(self) -> bytes:
        return await self._loop.sock_recv(self.sockets[-1], 2048)

    async def ask(self, data: bytes) -> bytes:
        await self.send(data)
        return await self.read()

    async def connect(self) -> None:
        """Check, nominate, shake hands."""
        await self.ask(self.nominate())
        datagrams = self.start()
        while not self.is_done:
            for datagram in datagrams:
                await self.send(datagram)
            datagrams = self.receive(await self.read())

    def close_sockets(self) -> None:
        for sock in self.sockets:
            sock.close()
