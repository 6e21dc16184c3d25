"""The web server with a short way for HLS: what `hls.hot` can answer does not pass through the framework.

All that is relied on inside aiohttp is here; a test fails when it changes. Whoever takes the short way is as safe as on
the long one: only a single, complete, plain GET request, on a connection where nothing else is going on, is taken;
anything else goes to aiohttp as it came.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from hls.answer import accepts_gzip
from hls.hot import HotDelivery
from hls.port import Cancel

MAX_UNREAD_BYTES = 1 << 20
"""Of answers that the client has not read: then it goes the long way, which waits for it."""

MAX_KNOWN_HEADS = 1000
"""Sets of headers that are remembered: players send the same with each request. Each has 500 bytes or so."""

MAX_HEAD_BYTES = 4096

_GET = b"GET /hls/"
_END = b" HTTP/1.1\r\n"

# Anything that changes what is answered, or who reads the connection afterwards.
_SPECIAL = re.compile(
    rb"^(?:connection:(?![ \t]*keep-alive[ \t]*\r?$)"
    rb"|(?:range|if-[a-z-]+|upgrade|expect|content-length|transfer-encoding|te|trailer):)",
    re.MULTILINE,
)
_ACCEPT_ENCODING = re.compile(r"^accept-encoding:[ \t]*([^\r\n]*)", re.MULTILINE)
_HOST = re.compile(r"^host:[ \t]*([^\r\n]*?)[ \t]*\r?$", re.MULTILINE)
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,12})[ \t]*\r?$", re.MULTILINE)

IsAllowed = Callable[[str, object], bool]
"""Tells, of a Host header and the address that the connection came to, whether this server answers."""


class HotRunner(web.AppRunner):
    """Runs an application with the short way.

    Args:
        application: answers everything else.
        hot: answers what it can.
        is_allowed: which hosts this server answers to.
        options: as those of `AppRunner`.
    """

    def __init__(
        self, application: web.Application, hot: HotDelivery, is_allowed: IsAllowed, **options: Any
    ) -> None:
        super().__init__(application, **options)
        self._heads = _Heads(is_allowed)
        self._hot = hot

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()
        server = _HotServer(
            plain.request_handler, request_factory=plain.request_factory, loop=plain._loop, **plain._kwargs
        )
        server.hot, server.heads = self._hot, self._heads
        return server


class _HotServer(web.Server):
    hot: HotDelivery
    heads: _Heads

    def __call__(self) -> RequestHandler:
        return HotRequestHandler(self, self.hot, self.heads, loop=self._loop, **self._kwargs)


class _Heads:
    """What headers of requests say, as far as the short way has to know."""

    def __init__(self, is_allowed: IsAllowed) -> None:
        self._is_allowed = is_allowed
        self._known: dict[tuple[bytes, object], bool | None] = {}

    def takes_gzip(self, head: bytes, local: object) -> bool | None:
        """Tell whether the client takes gzip; None when its headers lead the long way.

        Args:
            head: the lines behind the request line.
            local: the address that the connection came to.
        """
        key = head, local
        try:
            return self._known[key]
        except KeyError:
            pass
        if len(self._known) >= MAX_KNOWN_HEADS:
            self._known.clear()
        found = self._known[key] = self._read(head, local)
        return found

    def _read(self, head: bytes, local: object) -> bool | None:
        lower = head.lower()
        if _SPECIAL.search(lower) or not head.isascii():
            return None
        text = lower.decode()
        hosts = _HOST.findall(text)
        if len(hosts) != 1 or not self._is_allowed(hosts[0], local):
            return None
        return accepts_gzip(",".join(_ACCEPT_ENCODING.findall(text)))


class HotRequestHandler(RequestHandler):
    """One connection."""

    __slots__ = ("_heads", "_held", "_hot", "_hot_wait", "_is_plain", "_local", "_request")

    def __init__(self, manager: web.Server, hot: HotDelivery, heads: _Heads, **options: Any) -> None:
        super().__init__(manager, **options)
        self._hot = hot
        self._heads = heads
        self._local: object = None
        self._is_plain = True
        """Whether it is certain that the next bytes begin a request."""
        self._request = b""
        self._held = b""
        self._hot_wait: Cancel | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        name = transport.get_extra_info("sockname")
        self._local = name[0] if isinstance(name, tuple) else None

    def connection_lost(self, exc: BaseException | None) -> None:
        """End; nobody waits any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came: the short way, or the long one."""
        if self._hot_wait is not None:
            # More before the answer: pipelining. Both go the long way.
            self._stop_waiting()
            data = self._request + data
        elif self._is_plain and data.startswith(_GET) and self._is_idle and self._take(data):
            return
        self._pass_on(data)

    def close(self) -> None:
        """Close when what is being answered has been."""
        super().close()
        self._answer_by_the_long_way()

    def force_close(self) -> None:
        """Close at once."""
        self._stop_waiting()
        super().force_close()

    @property
    def _is_idle(self) -> bool:
        """Whether aiohttp waits for a request, and the client reads."""
        waiter, transport = self._waiter, self.transport
        if waiter is None or waiter.done() or self._messages or self._close or self._force_close:
            return False
        if transport is None or self._upgraded or self._paused or self._payload_parser is not None:
            return False
        return transport.get_write_buffer_size() < MAX_UNREAD_BYTES

    def _take(self, data: bytes) -> bool:
        end = data.find(_END, len(_GET), MAX_HEAD_BYTES)
        if end < 0 or len(data) > MAX_HEAD_BYTES or data.find(b"\r\n\r\n") != len(data) - 4:
            return False
        takes_gzip = self._heads.takes_gzip(data[end + len(_END) :], self._local)
        if takes_gzip is None:
            return False
        self._request = data
        answer = self._hot.take(data[4:end], takes_gzip, self._reply)
        if isinstance(answer, tuple):
            self._send(*answer)
        elif answer is not None:
            self._hot_wait = answer
            # Whoever waits for a part is not idle.
            self._next_keepalive_close_time = self._loop.time() + 10 * self._keepalive_timeout
        else:
            return False
        return True

    def _reply(self, head: bytes | None, body: bytes) -> None:
        self._hot_wait = None
        if head is None:
            self._pass_on(self._request)
        else:
            self._send(head, body)

    def _send(self, head: bytes, body: bytes) -> None:
        transport = self.transport
        if transport is not None:
            transport.writelines((head, body))
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout

    def _answer_by_the_long_way(self) -> None:
        if self._hot_wait is not None:
            self._stop_waiting()
            if self.transport is not None:
                self.transport.close()

    def _stop_waiting(self) -> None:
        cancel, self._hot_wait = self._hot_wait, None
        if cancel is not None:
            cancel()

    def _pass_on(self, data: bytes) -> None:
        self._is_plain = self._is_plain and _is_whole(data)
        super().data_received(data)


def _is_whole(data: bytes) -> bool:
    """Tell whether these bytes are one request and nothing else, so that the next ones begin another."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = data[: end + 2].lower()
    if b"\r\ntransfer-encoding:" in head or b"\r\nupgrade:" in head:
        return False
    lengths = _LENGTH.findall(head)
    return len(lengths) <= 1 and len(data) == end + 4 + (int(lengths[0]) if lengths else 0)
