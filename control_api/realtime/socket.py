"""One WebSocket of somebody who watches a stream, as the room writes to it."""

from __future__ import annotations

import asyncio
import random
import socket
import time

from aiohttp import WSCloseCode

from control_api.realtime.frame import close_frame

MAX_BEHIND = 64 * 1024
"""Bytes that wait for a socket: some ten seconds of a busy chat. Whoever is further behind comes back later, and is
told what was missed."""

KERNEL_BUFFER = 64 * 1024
"""Bytes that the kernel keeps for a socket beside that; it would take megabytes of who does not read."""

MAX_DELAY_S = 30 * 86400.0
"""Longer than any server runs with the same socket."""

CLOSING_S = (2.0, 8.0)
"""So long a socket may take to read what is left and the reason: not the same for all that are too slow at once, since
their ends are work."""


class Socket:
    """Writes whole frames to a connection, or closes it.

    Args:
        transport: of the connection; others write whole frames to it as well.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._is_closing = False
        self._timer: asyncio.TimerHandle | None = None
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)

    def write(self, frames: bytes) -> bool:
        """Write; returns False when that has closed it, since what was written before has not been read."""
        if self._is_closing or self._transport.is_closing():
            return True
        if self._transport.get_write_buffer_size() > MAX_BEHIND:
            self.close(WSCloseCode.TRY_AGAIN_LATER, "too slow: come again with ?since=")
            return False
        self._transport.write(frames)
        return True

    def close_at(self, unix_time: float, code: int, reason: str) -> None:
        """Close it later, if it is still open then."""
        delay_s = min(max(0.0, unix_time - time.time()), MAX_DELAY_S)
        self._timer = asyncio.get_running_loop().call_later(delay_s, self.close, code, reason)

    def forget(self) -> None:
        """Take note that the connection is done with."""
        if self._timer is not None:
            self._timer.cancel()

    def close(self, code: int, reason: str) -> None:
        """Say why and hang up, soon also on somebody who does not read it."""
        if self._is_closing or self._transport.is_closing():
            return
        self._is_closing = True
        self._transport.write(close_frame(code, reason))
        self._transport.close()
        asyncio.get_running_loop().call_later(random.uniform(*CLOSING_S), self._transport.abort)  # noqa: S311
