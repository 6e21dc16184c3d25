"""Receivers: real servers on loopback that write down what they got."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ssl import SSLContext

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDictProxy

from control_api.webhook.outcome import Outcome
from control_api.webhook.sender import WebhookSender
from control_api.webhook.signature import new_secret

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
SECRET = new_secret()
BODY = b'{"type":"stream.live","timestamp":"2026-05-01T12:00:00Z","data":{"title":"\xc3\xa9 show"}}'
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Receiver:
    """A receiver of webhooks, and what it got."""

    got: list[tuple[CIMultiDictProxy[str], bytes]] = field(default_factory=list)
    port: int = 0

    def url(self, host: str = "127.0.0.1", scheme: str = "http", path: str = "/hook?token=hidden") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@asynccontextmanager
async def receiver(answer: Answer, tls: SSLContext | None = None) -> AsyncIterator[Receiver]:
    found = Receiver()

    async def handle(request: web.Request) -> web.StreamResponse:
        found.got.append((request.headers, await request.read()))
        return await answer(request)

    app = web.Application()
    app.router.add_post("/{path:.*}", handle)
    app.router.add_get("/{path:.*}", handle)
    server = TestServer(app, host="127.0.0.1", scheme="https" if tls else "http")
    # A test that fails leaves requests behind, which are not to be waited for.
    await server.start_server(ssl=tls, shutdown_timeout=0.1)
    try:
        assert server.port is not None
        found.port = server.port
        yield found
    finally:
        await server.close()


@asynccontextmanager
async def raw_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """Serve whatever is no HTTP; gives the port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def answers(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers=headers, body=body)

    return answer


async def send(sender: WebhookSender, url: str, event_id: str = "evt_1") -> Outcome:
    return await sender.send(url, SECRET, event_id, "stream.live", BODY, now=NOW)


@pytest.fixture
async def sender() -> AsyncIterator[WebhookSender]:
    """May send to loopback."""
    async with WebhookSender(allow_private=True) as found:
        yield found
