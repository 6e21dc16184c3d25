"""A connection's socket, with or without TLS on it."""

from __future__ import annotations

import asyncio
import contextlib

from media.error import PeerError
from rtmp.tls import TlsTunnel

READ_BYTES = 256 << 10
"""Read at once; the transport pauses the socket at twice as much."""

MAX_UNSENT_BYTES = 256 << 10
"""Our answers are a few hundred bytes: a peer that lets this much pile up does not read."""


class Channel:
    """Reads from and writes to a peer, and closes such that it can still read why.

    Args:
        reader: of the socket.
        writer: of the socket.
        tunnel: for TLS, None without.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tunnel: TlsTunnel | None
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._tunnel = tunnel

    @property
    def is_secured(self) -> bool:
        """Whether TLS, where there is any, is set up."""
        return self._tunnel is None or self._tunnel.is_open

    async def read(self, limit: int = READ_BYTES) -> bytes:
        """Read what is there, `limit` bytes at most; empty at the end. May be cancelled without losing anything.

        Raises:
            PeerError: TLS fails.
            OSError: the connection is lost.
        """
        while data := await self._reader.read(limit):
            if self._tunnel is None:
                return data
            try:
                data = self._tunnel.receive_data(data)
            finally:
                self._pass_on(self._tunnel)
            if data or self._tunnel.is_ended:
                return data
        return b""

    def write(self, data: bytes) -> None:
        """Write without waiting.

        Raises:
            PeerError: the peer does not read.
        """
        if self._tunnel is not None:
            self._tunnel.send(data)
            self._pass_on(self._tunnel)
        else:
            self._put(data)

    async def close(self, linger_s: float) -> None:
        """Close, leaving the peer some time to read what was written."""
        with contextlib.suppress(OSError, TimeoutError, PeerError):
            if self._tunnel is not None:
                self._tunnel.end()
                self._pass_on(self._tunnel)
            async with asyncio.timeout(linger_s):
                # Closing with bytes unread would reset the connection and lose the reason on its way.
                if not self._writer.transport.is_closing():
                    self._writer.write_eof()
                while await self._reader.read(READ_BYTES):
                    pass
        with contextlib.suppress(OSError, TimeoutError):
            self._writer.close()
            async with asyncio.timeout(linger_s):
                await self._writer.wait_closed()
        self._writer.transport.abort()

    def _pass_on(self, tunnel: TlsTunnel) -> None:
        if data := tunnel.data_to_send():
            self._put(data)

    def _put(self, data: bytes) -> None:
        transport = self._writer.transport
        if not transport.is_closing():  # uvloop takes nothing for a connection that is already lost
            self._writer.write(data)
        if transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            raise PeerError("the peer does not read what it is answered")
