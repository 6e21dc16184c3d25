"""`/ws/stream/{id}`: a WebSocket with everything that happens on a stream, and for taking part in it."""

from __future__ import annotations

from typing import Any

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from control_api.chat.service import ChatService
from control_api.realtime.conversation import Conversation, FloodError
from control_api.realtime.frame import close_reason
from control_api.realtime.handshake import describe, token_of
from control_api.realtime.hub import Hub
from control_api.realtime.message import MAX_MESSAGE
from control_api.realtime.socket import Socket
from control_api.realtime.strict import StrictWebSocketResponse
from control_api.stream.record import Identity, is_stream_id
from control_api.token.access import TokenError, TokenVerifier
from control_api.viewer.attending import Admission, Attending
from control_api.viewer.service import ViewerService
from media.error import CapacityError, StreamError

logger = structlog.get_logger(__name__)

PATH = "/ws/stream/{id}"
HEARTBEAT_S = 20.0
NO_USER, NO_STREAM = 4401, 4404
HAS_LEFT = (WSCloseCode.OK, WSCloseCode.GOING_AWAY)
"""What pages close their sockets with that go elsewhere; a lost connection says nothing."""

MAX_DIGITS = 18


class StreamSocketRoute:
    """Serves the WebSockets of streams.

    Args:
        hub: tells what happens.
        chat: takes what is said.
        viewers: counts whoever has a socket open.
        verifier: of access tokens, which browsers put into the query: they cannot set headers here.
    """

    def __init__(
        self,
        hub: Hub,
        chat: ChatService,
        viewers: ViewerService,
        verifier: TokenVerifier,
    ) -> None:
        self._hub = hub
        self._chat = chat
        self._viewers = viewers
        self._verifier = verifier

    def routes(self) -> list[web.RouteDef]:
        """Make the route."""
        return [web.get(PATH, self.handle)]

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one socket until it is closed."""
        response = StrictWebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MAX_MESSAGE, compress=False)
        await response.prepare(request)
        try:
            await self._take(request, response)
        except Exception:
            # The framework would answer the request, in the middle of the frames.
            logger.exception("socket_failed", stream_id=request.match_info["id"])
            await response.close(code=WSCloseCode.INTERNAL_ERROR)
        return response

    async def _take(self, request: web.Request, response: web.WebSocketResponse) -> None:
        try:
            identity = await self._identify(request)
            attending = await self._attend(request, identity)
        except TokenError as error:
            await response.close(code=NO_USER, message=close_reason(str(error)))
        except StreamError as error:
            await response.close(code=NO_STREAM, message=close_reason(str(error)))
        except CapacityError as error:
            await response.close(code=WSCloseCode.TRY_AGAIN_LATER, message=close_reason(str(error)))
        else:
            try:
                await self._serve(request, response, identity, attending.admission)
            finally:
                attending.close(has_left=response.close_code in HAS_LEFT)

    async def _identify(self, request: web.Request) -> Identity | None:
        """Find out who comes; None is somebody without a token.

        Raises:
            TokenError: the token is not good.
        """
        token = token_of(request)
        return await self._verifier.verify(token) if token else None

    async def _attend(self, request: web.Request, identity: Identity | None) -> Attending:
        stream_id = request.match_info["id"].lower()
        if not is_stream_id(stream_id):
            raise StreamError("not_found", "There is no such stream.")
        return await self._viewers.attend(stream_id, identity, request.query.get("viewer_id"))

    async def _serve(
        self,
        request: web.Request,
        response: web.WebSocketResponse,
        identity: Identity | None,
        admission: Admission,
    ) -> None:
        transport = request.transport
        if transport is None:  # it has gone already
            return
        socket, stream = Socket(transport), admission.stream
        conversation = Conversation(
            self._chat, stream.id, identity, address=request.remote, traffic=self._hub.traffic
        )
        since = _seq(request.query.get("since", ""))
        try:
            async with self._hub.entered(stream, identity, socket, since, viewer_id=admission.viewer_id):
                if identity is not None and identity.expires_at is not None:
                    socket.close_at(identity.expires_at, NO_USER, "The access token has expired.")
                async for message in response:
                    text = message.data if message.type is WSMsgType.TEXT else None
                    socket.write(await conversation.answer(text))
        except CapacityError as error:
            await response.close(code=WSCloseCode.TRY_AGAIN_LATER, message=close_reason(str(error)))
        except FloodError:
            await response.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"too many messages")


def paths() -> dict[str, Any]:
    """Describe the route as OpenAPI can."""
    stream = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
    since = {
        "name": "since",
        "in": "query",
        "required": False,
        "schema": {"type": "integer", "minimum": 0},
        "description": "The last `seq` that was seen, of somebody who comes back.",
    }
    viewer = {
        "name": "viewer_id",
        "in": "query",
        "required": False,
        "schema": {"type": "string"},
        "description": "Of somebody without a token, from `join` or an earlier `welcome`.",
    }
    return describe(
        PATH,
        "stream_socket",
        tag="Chat",
        summary="Take part in a stream (a WebSocket, docs/realtime.md)",
        ending="4401 with a bad token, 4404 when there is no such stream, 1013 when it is too slow",
        parameters=[stream, since, viewer],
    )


def _seq(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < MAX_DIGITS else None
