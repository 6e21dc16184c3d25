"""`/ws/notifications`: a WebSocket that tells a signed-in user what those they follow do."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import WSCloseCode, web

from control_api.event.notice import Listener, NoticeBoard
from control_api.realtime.handshake import describe, token_of
from control_api.stream.record import Identity
from control_api.token.access import TokenError, TokenVerifier
from media.ending import end_task

PATH = "/ws/notifications"
NO_USER = 4401
HEARTBEAT_S = 20.0
MAX_MESSAGE = 4096
"""Bytes; pages have nothing to say here."""


def routes(board: NoticeBoard, verifier: TokenVerifier) -> list[web.RouteDef]:
    """Make the route.

    Args:
        board: has the notices.
        verifier: of access tokens, which browsers put into the query: they cannot set headers here.
    """

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MAX_MESSAGE, compress=False)
        await socket.prepare(request)
        identity = await _identify(request, verifier)
        if identity is None:
            await socket.close(code=NO_USER, message=b"an access token is needed: ?token=")
            return socket
        with board.listening(identity.user_id) as listener:
            await _serve(socket, listener)
        return socket

    return [web.get(PATH, handle)]


def paths() -> dict[str, Any]:
    """Describe the route as OpenAPI can."""
    summary = "Be told what those you follow do (a WebSocket, docs/api.md)"
    return describe(PATH, "notifications", tag="Users", summary=summary, ending="4401 without a good token")


async def _identify(request: web.Request, verifier: TokenVerifier) -> Identity | None:
    try:
        return await verifier.verify(token_of(request))
    except TokenError:
        return None


async def _serve(socket: web.WebSocketResponse, listener: Listener) -> None:
    writing = asyncio.create_task(_write(socket, listener))
    try:
        async for _ in socket:  # what pages say is not answered; reading finds out when they have gone
            pass
    finally:
        await end_task(writing)


async def _write(socket: web.WebSocketResponse, listener: Listener) -> None:
    while (text := await listener.queue.get()) is not None:
        await socket.send_str(text)
    await socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
