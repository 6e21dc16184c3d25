"""Thousands of WebSockets in one process, cheap enough to load a server from one core: `epoll`, and no parsing.

What is sent carries a number (`@000042@` in a comment), and that is all that is looked for in what arrives. A write of
the server is a JSON text to its end, so a piece that does not end with a brace waits for its rest.
"""

from __future__ import annotations

import gc
import heapq
import json
import os
import re
import resource
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from urllib.parse import urlsplit

from tests.websocket.client import HANDSHAKE

READ_BYTES = 1 << 14
EVENTS = 256
"""Taken at a time: between them what is due is sent."""
IN_FLIGHT = 64
"""Handshakes that wait for their answer."""
OPEN_S = 120.0
DRAIN_S = 0.5
CLOSED_FOR_SLOWNESS = b"\x03\xf5"
"""1013."""

_comment = re.compile(rb"@(\d{6})@").findall
_ack = re.compile(rb'"ref": ?"r(\d+)"').findall
_refusal = re.compile(rb'"code": ?"([a-z_]+)"').findall
_viewers = re.compile(rb'"viewer_update", ?"data": ?\{"viewer_count": ?(\d+)').findall


def frame(kind: str, ref: int | None = None, **data: object) -> bytes:
    """Write a message of a client, masked with zeros, which costs nothing."""
    message: dict[str, object] = {"type": kind, "data": data}
    if ref is not None:
        message["ref"] = f"r{ref}"
    text = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
    head = bytes([0x81, 0x80 | len(text)]) if len(text) < 126 else b"\x81\xfe" + len(text).to_bytes(2, "big")
    return head + bytes(4) + text


PONG = b"\x8a\x80" + bytes(4)


class Marks:
    """When each numbered comment was seen by the sockets of a group for the last time, and by how many."""

    def __init__(self, size: int) -> None:
        self.last = [0.0] * size
        self.seen = [0] * size


class Crowd:
    """Open sockets, and what they have seen. Not for use in an event loop: it blocks."""

    def __init__(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._marks: dict[int, Marks] = {}
        self._opening: set[int] = set()
        self._tails: dict[int, bytes] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self.acked: dict[int, float] = {}
        """When each reference was acknowledged."""
        self.refused: Counter[str] = Counter()
        """Codes of `error` messages."""
        self.endings: Counter[str] = Counter()
        """How connections ended."""
        self.on_ack: Callable[[int, int], None] | None = None
        """Is called with socket and reference."""
        self.viewers: Counter[int] = Counter()
        """How many sockets have heard of this count of viewers since it was cleared."""
        self.viewers_at: dict[int, float] = {}
        """When the last of them did."""

    def __len__(self) -> int:
        return len(self._sockets)

    def open(self, urls: Sequence[str], marks: Marks, *, receive_bytes: int = 0) -> list[int]:
        """Open sockets, as fast as the server takes them, and return their numbers.

        Args:
            urls: http://…, one for each.
            marks: notes what they see.
            receive_bytes: the size of their buffers; 0 for what the system gives.
        """
        opened, end = [], time.perf_counter() + OPEN_S
        for url in urls:
            opened.append(self._connect(url, marks, receive_bytes))
            while len(self._opening) >= IN_FLIGHT:
                self._check(end)
                self._take_events(0.01)
        while self._opening:
            self._check(end)
            self._take_events(0.01)
        return opened

    def send(self, number: int, data: bytes) -> None:
        """Write on a socket. What does not fit is lost: nobody sends that much here."""
        try:
            self._sockets[number].send(data)
        except (OSError, KeyError) as error:
            self.endings[f"cannot send: {type(error).__name__}"] += 1

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Have something done at a time of `time.perf_counter`."""
        heapq.heappush(self._due, (when, next(self._order), what))

    def run(self, until: float) -> None:
        """Read all sockets and do what is due, until a time of `time.perf_counter`."""
        gc.disable()
        try:
            while (now := time.perf_counter()) < until:
                while self._due and self._due[0][0] <= now:
                    heapq.heappop(self._due)[2]()
                upcoming = self._due[0][0] if self._due else until
                self._take_events(max(0.0, min(until, upcoming) - time.perf_counter()))
        finally:
            gc.enable()

    def stop_reading(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._poll.unregister(number)

    def close(self, numbers: Sequence[int]) -> None:
        """Hang up on the server."""
        for number in numbers:
            self._forget(number)

    def how_ended(self, number: int) -> str:
        """Read what is left on a socket that was not read, and tell how it ended; `open` when it did not.

        What the server's system still has comes in many small pieces, as the window opens.
        """
        found, data = self._sockets[number], b""
        found.settimeout(DRAIN_S)
        try:
            while piece := found.recv(1 << 16):
                data = (data + piece)[-200:]
        except TimeoutError:
            return "open"
        except OSError:
            return "reset"
        return "1013" if CLOSED_FOR_SLOWNESS in data else "cut off"

    @contextmanager
    def closing(self) -> Iterator[Crowd]:
        try:
            yield self
        finally:
            self.close(list(self._sockets))
            self._poll.close()

    def _check(self, end: float) -> None:
        if time.perf_counter() > end:
            raise SystemExit(f"{len(self._opening)} handshakes are not answered; {self.endings}")

    def _connect(self, url: str, marks: Marks, receive_bytes: int) -> int:
        parts = urlsplit(url)
        opened = socket.socket()
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_bytes:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        opened.connect((parts.hostname, parts.port))
        opened.setblocking(False)
        lines = "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items())
        opened.send(
            f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n{lines}\r\n".encode()
        )
        number = opened.fileno()
        self._sockets[number], self._marks[number] = opened, marks
        self._opening.add(number)
        self._poll.register(number, select.EPOLLIN)
        return number

    def _take_events(self, wait_s: float) -> None:
        for number, _ in self._poll.poll(wait_s, EVENTS):
            try:
                data = os.read(number, READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                is_slow = CLOSED_FOR_SLOWNESS in self._tails.get(number, b"")
                self.endings["1013" if is_slow else "reset or closed"] += 1
                self._forget(number)
                continue
            self._take(number, data, time.perf_counter())

    def _take(self, number: int, data: bytes, now: float) -> None:
        if number in self._tails:
            data = self._tails.pop(number) + data
        if number in self._opening:
            if b"welcome" not in data:
                self._tails[number] = data
                if data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 101"):
                    raise SystemExit(f"a handshake is refused: {data[:300]!r}")
                return
            self._opening.discard(number)
        if data[-1] != 0x7D and b"\x89\x00" not in data:
            self._tails[number] = data
            return
        marks = self._marks[number]
        for found in _comment(data):
            index = int(found)
            marks.last[index] = now
            marks.seen[index] += 1
        self._take_rare(number, data, now)

    def _take_rare(self, number: int, data: bytes, now: float) -> None:
        if b'"ack"' in data:
            for found in _ack(data):
                self.acked[int(found)] = now
                if self.on_ack is not None:
                    self.on_ack(number, int(found))
        if b"viewer_update" in data:
            for found in _viewers(data):
                self.viewers[int(found)] += 1
                self.viewers_at[int(found)] = now
        if b'"error"' in data:
            self.refused.update(code.decode() for code in _refusal(data))
        if b"\x89\x00" in data:
            self.send(number, PONG)

    def _forget(self, number: int) -> None:
        self._sockets.pop(number).close()
        self._marks.pop(number, None)
        self._tails.pop(number, None)
        self._opening.discard(number)
