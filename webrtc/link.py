"""A seqpacket socket between the server and a WebRTC process: messages both ways, media dropped rather than kept.

Whoever is slow loses frames and never holds up the other: what does not fit into the kernel's buffer waits here, and
media is refused while much of it waits.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable

from media.error import PeerError
from webrtc.message import Message
from webrtc.wire import MAX_PIECE, PieceJoiner, serialize, split

BUFFER_BYTES = 4 << 20
"""Asked of the kernel, which gives 200 kB where nobody has allowed more."""

MAX_WAITING_BYTES = 4 << 20
"""Of media: 1.5 s of the best rung. Beyond it the other side is too slow, and frames are refused."""

MAX_WAITING_CONTROL_BYTES = 64 << 20
"""Of everything: the other side does not live any more."""

READS_PER_TURN = 64
"""Messages that are taken before others get a turn in the loop."""


class Link:
    """One end. Both callbacks are called from the event loop.

    Args:
        sock: a connected `SOCK_SEQPACKET` socket, which the link owns.
        on_message: takes a message.
        on_closed: learns once that the other side is gone or talks nonsense, with the reason; not after `close`.
    """

    def __init__(
        self, sock: socket.socket, on_message: Callable[[Message], None], on_closed: Callable[[str], None]
    ) -> None:
        self._socket = sock
        self._on_message = on_message
        self._on_closed = on_closed
        self._joiner = PieceJoiner()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._is_open = True
        sock.setblocking(False)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._read)

    def send(self, message: Message) -> None:
        """Send a message, later when the other side is slow."""
        self._send(serialize(message), MAX_WAITING_CONTROL_BYTES)

    def send_media(self, data: bytes) -> bool:
        """Send a serialized frame; False when the other side is too slow and it has been dropped."""
        return self._send(data, MAX_WAITING_BYTES)

    def close(self) -> None:
        """Close the socket. Idempotent."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()

    def _send(self, data: bytes, limit: int) -> bool:
        if not self._is_open or self._waiting_bytes + len(data) > limit:
            return False
        was_idle = not self._waiting
        for piece in split(data):
            self._waiting.append(piece)
            self._waiting_bytes += len(piece)
        if was_idle:
            self._flush()
            if self._waiting and self._is_open:
                self._loop.add_writer(self._socket, self._write)
        return True

    def _write(self) -> None:
        self._flush()
        if not self._waiting and self._is_open:
            self._loop.remove_writer(self._socket)

    def _flush(self) -> None:
        while self._waiting and self._is_open:
            try:
                self._socket.send(self._waiting[0])
            except BlockingIOError:
                return
            except OSError as error:
                self._fail(f"the other side is gone: {error.strerror}")
                return
            self._waiting_bytes -= len(self._waiting.popleft())

    def _read(self) -> None:
        for _ in range(READS_PER_TURN):
            if not self._is_open or not self._read_piece():
                return

    def _read_piece(self) -> bool:
        try:
            piece = self._socket.recv(MAX_PIECE + 1)
        except BlockingIOError:
            return False
        except OSError as error:
            piece = b""
            reason = f"the other side is gone: {error.strerror}"
        else:
            reason = "the other side has closed the connection"
        if not piece:
            self._fail(reason)
            return False
        try:
            message = self._joiner.receive_piece(piece)
        except PeerError as error:
            self._fail(str(error))
            return False
        if message is not None:
            self._on_message(message)
        return True

    def _fail(self, reason: str) -> None:
        if self._is_open:
            self.close()
            # Not at once: whoever is sending is in the middle of something.
            self._loop.call_soon(self._on_closed, reason)
