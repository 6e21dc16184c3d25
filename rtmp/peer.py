"""One connection: reads, lets the core judge, passes packets on, says why it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import structlog

from media.error import CapacityError, PeerError, StreamError
from media.packet import Packet
from rtmp.channel import READ_BYTES, Channel
from rtmp.connection import ServerConnection
from rtmp.event import Event, MetadataReceived, PublishEnded, PublishRequested
from rtmp.limit import RtmpLimits
from rtmp.overflow import Overflow
from rtmp.port import Publication, PublishGate, PublishRequest

log = structlog.get_logger(__name__)

STOPPED = "the encoder stopped"
LOST = "the connection was lost"
MOVED = "the encoder was asked to connect anew and has left"
FAILED = "the server failed; it has been logged"

HELD_BACK_BYTES = 16 << 10
"""Read at once of media that runs ahead of time: a full read of a slow stream would be seconds that come in a burst."""

STALL_S = 0.5
"""A timer that comes later than this says that the machine stood still (it was moved, or suspended) and not the peer.
So long it may then take until what waits in the socket has been read."""


class Peer:
    """Serves one connection from its first byte to its last.

    Args:
        channel: the socket.
        gate: says who may publish.
        address: `host:port` of the peer.
        number: of the connection, for the log.
        limits: of time and number.
        clock: seconds, never stepping back.
    """

    def __init__(
        self,
        channel: Channel,
        gate: PublishGate,
        *,
        address: str,
        number: int,
        limits: RtmpLimits,
        clock: Callable[[], float],
    ) -> None:
        self._channel = channel
        self._gate = gate
        self._address = address
        self._limits = limits
        self._clock = clock
        self._core = ServerConnection(clock(), limits)
        self._publication: Publication | None = None
        self._overflow = Overflow()
        self._readiness: asyncio.Future[None] | None = None
        """While media is dropped: done when the publication takes packets again."""
        self._reason = LOST
        self._is_leaving = False
        self._is_held_back = False
        self._kicked: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._log = log.bind(connection=number, peer=address)

    def kick(self, reason: str) -> None:
        """Close the connection, telling the peer why; may be called at any time from the loop's thread."""
        if not self._kicked.done():
            self._kicked.set_result(reason)

    def request_reconnect(self, reason: str) -> bool:
        """Ask an encoder that understands to connect anew, and go on serving it until it leaves.

        Returns:
            Whether it was asked.
        """
        with contextlib.suppress(PeerError):
            self._is_leaving = self._core.request_reconnect(reason)
            self._flush()
        return self._is_leaving

    async def run(self) -> None:
        """Serve the connection to its end."""
        serving = asyncio.create_task(self._serve())
        try:
            endings: set[asyncio.Future[Any]] = {serving, self._kicked}
            await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
        finally:
            serving.cancel()
            await asyncio.wait({serving})
            if self._kicked.done():
                self._reason = self._kicked.result()
                self._core.close_with("NetStream.Publish.Rejected", self._reason)
                self._log.info("rtmp closed by us", reason=self._reason)
            self._lose_publication()
            with contextlib.suppress(PeerError):
                self._flush()
            await self._channel.close(self._limits.linger_s)

    async def _serve(self) -> None:
        try:
            while data := await self._read():
                await self._process(data)
            self._reason = MOVED if self._is_leaving else LOST
            self._log.info("rtmp closed by peer")
        except (PeerError, StreamError, CapacityError) as problem:
            self._reason = str(problem)
            self._log.info("rtmp refused", reason=self._reason)
        except OSError as problem:
            self._log.info("rtmp connection lost", reason=problem.strerror or str(problem))
        except Exception:
            self._reason = FAILED
            self._core.close_with("NetConnection.Connect.Closed", FAILED)
            self._log.exception("rtmp connection ended by a fault of this server")

    async def _read(self) -> bytes:
        """Read what is there, as long as the core's timer allows."""
        while True:
            deadline = self._core.get_timer()
            timeout = asyncio.timeout(None if deadline is None else max(0.0, deadline - self._clock()))
            try:
                async with timeout:
                    return await self._channel.read(HELD_BACK_BYTES if self._is_held_back else READ_BYTES)
            except TimeoutError:
                if not timeout.expired() or deadline is None:
                    raise  # ETIMEDOUT: the connection is lost
            if not self._channel.is_secured:
                timeout_s = self._limits.handshake_timeout_s
                raise PeerError(f"no TLS handshake within {timeout_s:g} s")
            self._look_at_time(deadline)

    def _look_at_time(self, deadline: float) -> None:
        """End a peer that took too long; when this process stood still, read first what may be waiting."""
        late_s = self._clock() - deadline
        if late_s > STALL_S:
            self._core.extend_timer(late_s + STALL_S)
        else:
            self._core.handle_timer(self._clock())

    async def _process(self, data: bytes) -> None:
        self._core.receive_data(data, self._clock())
        while (event := self._core.next_event()) is not None:
            if isinstance(event, Packet) and self._publication is not None:
                self._pass_on(self._publication, event)
            else:
                await self._handle(event)
        self._flush()
        if self._publication is not None and self._readiness is None:
            await self._wait_until_ready(self._publication)
            await self._hold_back(self._publication)

    async def _handle(self, event: Event) -> None:
        if isinstance(event, PublishRequested):
            await self._publish(event)
        elif isinstance(event, PublishEnded):
            # Whoever leaves because it was asked to comes back: that is no end of the broadcast.
            self._end_publication(not self._is_leaving, MOVED if self._is_leaving else STOPPED)
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
        self._overflow = Overflow()
        self._core.accept_publish(self._clock())
        self._log.info("rtmp publishing", app=event.app, encoder=event.encoder)

    async def _wait_until_ready(self, publication: Publication) -> None:
        """Leave the socket alone while the publication is full; begin to drop when that takes too long."""
        before = self._clock()
        try:
            async with asyncio.timeout(self._limits.max_pause_s):
                await publication.ready()
        except TimeoutError:
            self._overflow.begin()
            self._readiness = asyncio.ensure_future(publication.ready())
        self._core.extend_timer(self._clock() - before)

    async def _hold_back(self, publication: Publication) -> None:
        """Leave the socket alone while the media is ahead of time: TCP slows the encoder down."""
        hold_s = publication.hold_s()
        self._is_held_back = hold_s > 0
        if self._is_held_back:
            await asyncio.sleep(hold_s)
            self._core.extend_timer(hold_s)

    def _pass_on(self, publication: Publication, packet: Packet) -> None:
        if not self._overflow.drops(packet, self._readiness is None or self._readiness.done()):
            if self._readiness is not None:
                self._stop_dropping(publication)
            publication.receive(packet)

    def _stop_dropping(self, publication: Publication) -> None:
        readiness, self._readiness = self._readiness, None
        if readiness is None:
            return
        publication.note_dropped(self._overflow.count)
        self._log.warning("rtmp packets dropped, the server was too slow", packets=self._overflow.count)
        if not readiness.cancel():
            readiness.result()

    def _end_publication(self, clean: bool, reason: str) -> None:
        publication, self._publication = self._publication, None
        if publication is not None:
            try:
                self._stop_dropping(publication)
            finally:
                publication.close(clean, reason)

    def _lose_publication(self) -> None:
        try:
            self._end_publication(False, self._reason)
        except Exception:  # the socket has to be closed, whatever state the publication is in
            self._log.exception("the publication could not be ended")

    def _flush(self) -> None:
        if data := self._core.data_to_send():
            self._channel.write(data)
