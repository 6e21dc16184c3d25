"""A WebSocket of the framework that takes nothing which RFC 6455 forbids.

All that is relied on inside aiohttp is here; the conformance tests fail when it changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import WebSocketError, WSCloseCode, web

from control_api.problem import ProblemError
from control_api.realtime.guard import FrameGuard

VERSION = "13"
OLDEST_HTTP = (1, 1)


class StrictWebSocketResponse(web.WebSocketResponse):
    """Refuses other versions of the protocol with the right status, and bad frames with 1002."""

    def _handshake(self, request: web.BaseRequest) -> Any:
        if request.version < OLDEST_HTTP:
            raise ProblemError(400, "bad_request", "A WebSocket begins with HTTP/1.1.")
        is_one = request.headers.get("Upgrade", "").strip().lower() == "websocket"
        if is_one and request.headers.get("Sec-WebSocket-Version", "").strip() != VERSION:
            raise ProblemError(
                426,
                "upgrade_required",
                f"Only version {VERSION} of the WebSocket protocol is spoken here.",
                headers={"Sec-WebSocket-Version": VERSION, "Upgrade": "websocket", "Connection": "Upgrade"},
            )
        return super()._handshake(request)

    def _post_start(self, request: web.BaseRequest, protocol: str | None, writer: Any) -> None:
        super()._post_start(_Request(request.protocol, self), protocol, writer)  # type: ignore[arg-type]

    def guard(self, reader: Any) -> Any:
        """Put a guard before the reader."""
        return _GuardedReader(reader, self._reader)


class _Request:
    """What `_post_start` asks of a request: its connection, which takes the reader."""

    def __init__(self, connection: Any, response: StrictWebSocketResponse) -> None:
        self._protocol = connection
        self.protocol = self
        self._response = response

    def set_parser(self, reader: Any, data_received_cb: Callable[[], None] | None = None) -> None:
        self._protocol.set_parser(self._response.guard(reader), data_received_cb=data_received_cb)

    def keep_alive(self, is_kept: bool) -> None:
        self._protocol.keep_alive(is_kept)


class _GuardedReader:
    """Gives the reader what is before the first fault, and then the fault to whoever waits for messages."""

    def __init__(self, reader: Any, queue: Any) -> None:
        self._reader = reader
        self._queue = queue
        self._guard = FrameGuard()
        self._is_over = False

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        if self._is_over:
            return True, b""
        good, fault = self._guard.receive_data(data)
        is_over, rest = self._reader.feed_data(data[:good])
        if fault and not is_over:
            self._queue.set_exception(WebSocketError(WSCloseCode.PROTOCOL_ERROR, fault))
        self._is_over = is_over or bool(fault)
        return self._is_over, rest

    def feed_eof(self) -> None:
        self._reader.feed_eof()
