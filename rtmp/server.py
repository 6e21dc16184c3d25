"""Listens for publishers, without and with TLS: who gets in, and who is told what when the server stops."""

from __future__ import annotations

import asyncio
import functools
import itertools
import ssl
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from media.error import ConfigError, os_reason
from rtmp.channel import READ_BYTES, Channel
from rtmp.limit import RtmpLimits
from rtmp.peer import Peer
from rtmp.port import PublishGate
from rtmp.tls import TlsTunnel

GOODBYE = "the server is shutting down"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TlsPort:
    """Where RTMPS is served."""

    port: int
    """0 for any free one."""
    context: Callable[[], ssl.SSLContext]
    """Asked for each connection, so that a new certificate holds for new ones."""


class RtmpServer:
    """Listens for publishers and hands their packets to what the gate gives for them.

    Args:
        gate: says who may publish.
        host: address to listen on, empty for all.
        port: TCP port, 0 for any free one.
        limits: of time and number, for both ports together.
        clock: seconds, never stepping back.
        tls: the port for RTMPS, None for none.
    """

    def __init__(
        self,
        gate: PublishGate,
        host: str,
        port: int,
        limits: RtmpLimits | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        tls: TlsPort | None = None,
    ) -> None:
        self._gate = gate
        self._host = host
        self._port = port
        self._limits = limits or RtmpLimits()
        self._clock = clock
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tls_server: asyncio.Server | None = None
        self._peers: dict[asyncio.Task[None], Peer] = {}
        self._addresses: Counter[str] = Counter()
        self._ids = itertools.count(1)

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigError: an address cannot be listened on.
        """
        self._server = await self._listen("RTMP_PORT", self._port, None)
        if self._tls is not None:
            self._tls_server = await self._listen("RTMPS_PORT", self._tls.port, self._tls.context)

    async def _listen(
        self, setting: str, port: int, context: Callable[[], ssl.SSLContext] | None
    ) -> asyncio.Server:
        try:
            return await asyncio.start_server(
                functools.partial(self._on_connection, context), self._host or None, port, limit=READ_BYTES
            )
        except OSError as problem:
            where = f"{setting}={port}: cannot listen for RTMP on {self._host or 'any address'}"
            raise ConfigError([f"{where}: {os_reason(problem)}"]) from problem

    @property
    def is_listening(self) -> bool:
        """Whether publishers can connect."""
        return self._server is not None and self._server.is_serving()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._port if self._server is None else _port_of(self._server)

    @property
    def tls_port(self) -> int | None:
        """The port of RTMPS, None when it is not served."""
        return None if self._tls_server is None else _port_of(self._tls_server)

    async def close(self) -> None:
        """Stop listening, say goodbye to all peers, and wait for their handlers.

        Encoders that understand are asked to connect anew and served for a moment longer, so that they leave at
        a keyframe of theirs.
        """
        for server in (self._server, self._tls_server):
            if server is not None:
                server.close()
        self._server = self._tls_server = None
        leaving = []
        for task, peer in self._peers.items():
            if peer.request_reconnect(GOODBYE):
                leaving.append(task)
            else:
                peer.kick(GOODBYE)
        if leaving:
            log.info("rtmp asked to connect anew", encoders=len(leaving))
            await asyncio.wait(leaving, timeout=self._limits.drain_s)
        for peer in self._peers.values():
            peer.kick(GOODBYE)
        if self._peers:
            await asyncio.wait(list(self._peers))

    # asyncio prints a traceback when a coroutine given to start_server is cancelled, hence a plain function.
    def _on_connection(
        self,
        context: Callable[[], ssl.SSLContext] | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        name = writer.get_extra_info("peername")
        host, port = name[:2] if name else ("unknown", 0)
        if not self._has_room(host):
            writer.transport.abort()
            return
        peer = Peer(
            Channel(reader, writer, None if context is None else TlsTunnel(context())),
            self._gate,
            address=f"{host}:{port}",
            number=next(self._ids),
            limits=self._limits,
            clock=self._clock,
        )
        self._addresses[host] += 1
        task = asyncio.create_task(peer.run(), name=f"rtmp {host}:{port}")
        self._peers[task] = peer
        task.add_done_callback(lambda done: self._forget(done, host))

    def _has_room(self, host: str) -> bool:
        if self._addresses[host] >= self._limits.max_connections_per_address:
            log.info("rtmp refused", host=host, reason="too many connections from this address")
            return False
        if len(self._peers) >= self._limits.max_connections:
            log.info("rtmp refused", host=host, reason="too many connections altogether")
            return False
        return True

    def _forget(self, task: asyncio.Task[None], host: str) -> None:
        del self._peers[task]
        self._addresses[host] -= 1
        if not self._addresses[host]:
            del self._addresses[host]


def _port_of(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port
