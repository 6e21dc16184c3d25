"""The asyncio shell around `rtmp.connection`: sockets, tasks, time and the log."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog

from media.error import CapacityError, ConfigError, PeerError, StreamError, os_reason
from media.packet import Packet
from rtmp.connection import ServerConnection
from rtmp.event import Event, MetadataReceived, PublishEnded, PublishRequested
from rtmp.limit import RtmpLimits
from rtmp.port import Publication, PublishGate, PublishRequest

READ_BYTES = 256 << 10
"""Read at once; the transport pauses the socket at twice as much."""

MAX_UNSENT_BYTES = 256 << 10
"""Our answers are a few hundred bytes: a peer that lets this much pile up does not read."""

log = structlog.get_logger(__name__)


class RtmpServer:
    """Listens for publishers and hands their packets to what the gate gives for them.

    Args:
        gate: says who may publish.
        host: address to listen on, empty for all.
        port: TCP port, 0 for any free one.
        limits: of time and number.
        clock: seconds, never stepping back.
    """

    def __init__(
        self,
        gate: PublishGate,
        host: str,
        port: int,
        limits: RtmpLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gate = gate
        self._host = host
        self._port = port
        self._limits = limits or RtmpLimits()
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._peers: dict[asyncio.Task[None], _Peer] = {}
        self._addresses: Counter[str] = Counter()
        self._ids = itertools.count(1)

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigError: the address cannot be listened on.
        """
        try:
            self._server = await asyncio.start_server(
                self._on_connection, self._host or None, self._port, limit=READ_BYTES
            )
        except OSError as problem:
            where = f"RTMP_PORT={self._port}: cannot listen for RTMP on {self._host or 'any address'}"
            raise ConfigError([f"{where}: {os_reason(problem)}"]) from problem

    @property
    def is_listening(self) -> bool:
        """Whether publishers can connect."""
        return self._server is not None and self._server.is_serving()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        if self._server is None:
            return self._port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Stop listening, say goodbye to all peers, and wait for their handlers."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for peer in self._peers.values():
            peer.kick("the server is shutting down")
        if self._peers:
            await asyncio.wait(list(self._peers))

    # asyncio prints a traceback when a coroutine given to start_server is cancelled, hence a plain function.
    def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = writer.get_extra_info("peername")
        host, port = name[:2] if name else ("unknown", 0)
        if not self._has_room(host):
            writer.transport.abort()
            return
        core = ServerConnection(self._clock(), self._limits)
        peer = _Peer(
            reader,
            writer,
            core=core,
            gate=self._gate,
            address=f"{host}:{port}",
            number=next(self._ids),
            linger_s=self._limits.linger_s,
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


class _Peer:
    """One connection: reads, lets the core judge, passes packets on."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        core: ServerConnection,
        gate: PublishGate,
        address: str,
        number: int,
        linger_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._core = core
        self._gate = gate
        self._address = address
        self._linger_s = linger_s
        self._clock = clock
        self._publication: Publication | None = None
        self._kicked: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._log = log.bind(connection=number, peer=address)

    def kick(self, reason: str) -> None:
        """Close the connection, telling the peer why; may be called at any time from the loop's thread."""
        if not self._kicked.done():
            self._kicked.set_result(reason)

    async def run(self) -> None:
        """Serve the connection to its end."""
        serving = asyncio.create_task(self._serve())
        try:
            endings: set[asyncio.Future[Any]] = {serving, self._kicked}
            await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
        finally:
            serving.cancel()
            await asyncio.wait({serving})
            self._lose_publication()
            if self._kicked.done():
                reason = self._kicked.result()
                self._core.close_with("NetStream.Publish.Rejected", reason)
                self._log.info("rtmp closed by us", reason=reason)
            await self._close()

    async def _serve(self) -> None:
        try:
            while data := await self._read():
                await self._process(data)
            self._log.info("rtmp closed by peer")
        except (PeerError, StreamError, CapacityError) as problem:
            self._log.info("rtmp refused", reason=str(problem))
        except OSError as problem:
            self._log.info("rtmp connection lost", reason=problem.strerror or str(problem))
        except Exception:
            self._core.close_with("NetConnection.Connect.Closed", "the server failed; it has been logged")
            self._log.exception("rtmp connection ended by a fault of this server")

    async def _read(self) -> bytes:
        """Read what is there, as long as the core's timer allows."""
        while True:
            deadline = self._core.get_timer()
            wait_s = None if deadline is None else max(0.0, deadline - self._clock())
            try:
                async with asyncio.timeout(wait_s):
                    return await self._reader.read(READ_BYTES)
            except TimeoutError:
                self._core.handle_timer(self._clock())

    async def _process(self, data: bytes) -> None:
        self._core.receive_data(data, self._clock())
        while (event := self._core.next_event()) is not None:
            if isinstance(event, Packet) and self._publication is not None:
                self._publication.receive(event)
            else:
                await self._handle(event)
        self._flush()
        if self._publication is not None:
            await self._wait_until_ready(self._publication)

    async def _handle(self, event: Event) -> None:
        if isinstance(event, PublishRequested):
            await self._publish(event)
        elif isinstance(event, PublishEnded):
            self._end_publication(clean=True)
        elif isinstance(event, MetadataReceived) and self._publication is not None:
            self._publication.receive_metadata(event.metadata)

    async def _publish(self, event: PublishRequested) -> None:
        self._flush()
        request = PublishRequest(event.app, event.stream_key, event.query, self._address, event.encoder)
        try:
            self._publication = await self._gate.publish(request, self.kick)
        except (StreamError, CapacityError) as problem:
            self._core.reject_publish(problem.detail)
            raise
        self._core.accept_publish(self._clock())
        self._log.info("rtmp publishing", app=event.app, encoder=event.encoder)

    async def _wait_until_ready(self, publication: Publication) -> None:
        before = self._clock()
        await publication.ready()
        self._core.extend_timer(self._clock() - before)

    def _end_publication(self, clean: bool) -> None:
        publication, self._publication = self._publication, None
        if publication is not None:
            publication.close(clean)

    def _lose_publication(self) -> None:
        try:
            self._end_publication(clean=False)
        except Exception:  # the socket has to be closed, whatever state the publication is in
            self._log.exception("the publication could not be ended")

    def _flush(self) -> None:
        if data := self._core.data_to_send():
            self._writer.write(data)
        if self._writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            raise PeerError("the peer does not read what it is answered")

    async def _close(self) -> None:
        """Close the socket such that the peer can still read why."""
        with contextlib.suppress(OSError, TimeoutError, PeerError):
            self._flush()
            async with asyncio.timeout(self._linger_s):
                # Closing with bytes unread would reset the connection and lose the reason on its way.
                self._writer.write_eof()
                while await self._reader.read(READ_BYTES):
                    pass
        with contextlib.suppress(OSError, TimeoutError):
            self._writer.close()
            async with asyncio.timeout(self._linger_s):
                await self._writer.wait_closed()
        self._writer.transport.abort()
