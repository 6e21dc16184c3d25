"""All that publishing over WebRTC needs: a real process, sockets, HTTP, and a network that loses packets."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from media.error import StreamError
from media.packet import Packet
from webrtc import whip
from webrtc.gateway import Gateway
from webrtc.message import Listen
from webrtc.plane import WebRtcPlane
from webrtc.port import Kick
from webrtc.publisher import Publishers
from webrtc.whip_port import Established, WhipGateway

from ..broadcast import Broadcasts

HOST, KEY = "127.0.0.1", "good"


@dataclass
class Taken:
    """A publication: what has come of one publisher."""

    kick: Kick
    encoder: str
    packets: list[Packet] = field(default_factory=list)
    dropped: int = 0
    ending: tuple[bool, str] | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def receive(self, packet: Packet) -> None:
        self.packets.append(packet)
        self.news.set()

    def note_dropped(self, count: int) -> None:
        self.dropped += count

    def close(self, clean: bool, reason: str) -> None:
        self.ending = self.ending or (clean, reason)
        self.news.set()

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), 10)

    @property
    def pictures(self) -> list[Packet]:
        return [packet for packet in self.packets if packet.is_video]

    @property
    def sounds(self) -> list[Packet]:
        return [packet for packet in self.packets if not packet.is_video]


class Gate:
    """Knows one key."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.news = asyncio.Event()

    async def authorize(self, stream_key: str) -> None:
        if stream_key != KEY:
            raise StreamError("unknown_key", "This stream key is not known.")

    async def publish(self, stream_key: str, peer: str, encoder: str, kick: Kick) -> Taken:
        await self.authorize(stream_key)
        self.taken.append(Taken(kick, encoder))
        self.news.set()
        return self.taken[-1]

    async def next(self) -> Taken:
        """Wait for somebody who publishes."""
        self.news.clear()
        if not self.taken:
            await asyncio.wait_for(self.news.wait(), 10)
        return self.taken.pop(0)


class LossyPath(asyncio.DatagramProtocol):
    """A way to the server's UDP port that loses a part of what goes over it, both ways."""

    def __init__(self, port: int) -> None:
        self.loss = 0.0
        self._port = port
        self._random = random.Random(1)  # noqa: S311 - a network is no secret
        self._transport: Any = None
        self._ways: dict[Any, Any] = {}
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    @property
    def port(self) -> int:
        port: int = self._transport.get_extra_info("sockname")[1]
        return port

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self._is_lost():
            return
        if (way := self._ways.get(addr)) is not None:
            way.sendto(data)
            return
        task = asyncio.create_task(self._open(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def back(self, data: bytes, addr: Any) -> None:
        if not self._is_lost():
            self._transport.sendto(data, addr)

    def close(self) -> None:
        for way in (self._transport, *self._ways.values()):
            way.close()

    def _is_lost(self) -> bool:
        return self._random.random() < self.loss

    async def _open(self, data: bytes, addr: Any) -> None:
        async with self._lock:
            if addr not in self._ways:
                made = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: _WayBack(self, addr), remote_addr=(HOST, self._port)
                )
                self._ways[addr] = made[0]
        self._ways[addr].sendto(data)


class _WayBack(asyncio.DatagramProtocol):
    def __init__(self, path: LossyPath, addr: Any) -> None:
        self._path = path
        self._addr = addr

    def datagram_received(self, data: bytes, _addr: Any) -> None:
        self._path.back(data, self._addr)


class _Detour:
    """A gateway whose answers lead over a lossy path."""

    def __init__(self, gateway: WhipGateway, port: int) -> None:
        self._gateway = gateway
        self._port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    async def publish(self, stream_key: str, sdp: str, peer: str, encoder: str) -> Established:
        made = await self._gateway.publish(stream_key, sdp, peer, encoder)
        return replace(made, sdp=re.sub(rf"({HOST}) \d+ typ host", rf"\1 {self._port} typ host", made.sdp))


@dataclass
class Studio:
    """Where publishers come to."""

    gate: Gate
    plane: WebRtcPlane
    path: LossyPath
    server: TestServer

    @property
    def url(self) -> str:
        return str(self.server.make_url("/"))

    def counters(self) -> dict[str, int]:
        """Return what the processes said last; they say it each second."""
        return dict(self.plane.counters())


@asynccontextmanager
async def open_studio() -> AsyncIterator[Studio]:
    gate = Gate()
    plane = WebRtcPlane(Listen(HOST, 0, ()), 1, Gateway(Broadcasts()), Publishers(gate))
    plane.start()
    (worker,) = plane.workers
    while not worker.is_running:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    loop = asyncio.get_running_loop()
    _, path = await loop.create_datagram_endpoint(lambda: LossyPath(worker.listen.port), local_addr=(HOST, 0))
    application = web.Application()
    application.add_routes(whip.routes(_Detour(plane.publishers, path.port)))
    application.router.add_get("/page", _page)
    server = TestServer(application, host=HOST)
    await server.start_server()
    try:
        yield Studio(gate, plane, path, server)
    finally:
        await server.close()
        path.close()
        await plane.close()


async def _page(_: web.Request) -> web.Response:
    return web.Response(text="<!doctype html><title>live</title>", content_type="text/html")
