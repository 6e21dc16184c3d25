"""What one client says over its WebSocket, and what it is answered."""

from __future__ import annotations

import asyncio
import time

from control_api.chat.service import ChatService
from control_api.rate import RateLimit
from control_api.realtime.frame import message_frame
from control_api.realtime.message import (
    ClientMessage,
    CommentMessage,
    MessageError,
    ReactionMessage,
    parse_message,
)
from control_api.realtime.traffic import Traffic
from control_api.stream.record import Identity
from control_api.wait import TooEarlyError
from media.error import CapacityError, StreamError

MAX_MESSAGES = 200
RATE_WINDOW_S = 10.0
"""Of one socket, good or bad. Whoever says more is read more slowly, so that others are not hurt."""

PAUSE_S = 0.25
MAX_REFUSED = 8
"""Messages in a row that were too many; then the socket is closed."""


class FloodError(Exception):
    """Somebody goes on although every message is refused."""


class Conversation:
    """Answers one client.

    Args:
        chat: takes comments and reactions.
        stream_id: where.
        identity: who speaks; None may only listen.
        address: where from, as far as that is known.
        traffic: counts what is said.
    """

    def __init__(
        self,
        chat: ChatService,
        stream_id: str,
        identity: Identity | None,
        *,
        address: str | None,
        traffic: Traffic,
    ) -> None:
        self._chat = chat
        self._stream_id = stream_id
        self._identity = identity
        self._address = address
        self._traffic = traffic
        self._rate = RateLimit("messages", MAX_MESSAGES, RATE_WINDOW_S, max_keys=1)
        self._refused = 0

    async def answer(self, text: str | None) -> bytes:
        """Do what a message asks and give the frame that answers it.

        Args:
            text: of the message; None of a binary one.

        Raises:
            FloodError: nothing is answered any more.
        """
        message: ClientMessage | None = None
        try:
            with self._rate.turn(None, time.monotonic()):
                self._refused = 0
            message = _parse(text)
            self._traffic.messages[message.type] += 1
            return message_frame("ack", {"ref": message.ref, "id": await self._do(message)})
        except MessageError as error:
            return self._error(error.ref, error)
        except (StreamError, CapacityError) as error:
            if message is None:
                await self._slow_down()
            return self._error(message.ref if message is not None else None, error)

    async def _slow_down(self) -> None:
        """Read somebody more slowly who says too much."""
        self._refused += 1
        if self._refused > MAX_REFUSED:
            raise FloodError
        await asyncio.sleep(PAUSE_S)

    async def _do(self, message: ClientMessage) -> str | None:
        if not isinstance(message, CommentMessage | ReactionMessage):
            return None
        if self._identity is None:
            raise StreamError("unauthorized", "Sign in to take part: connect with ?token=.")
        if isinstance(message, CommentMessage):
            content = message.data.content
            comment = await self._chat.comment(
                self._stream_id, self._identity, content, address=self._address
            )
            return comment.id
        await self._chat.react(self._stream_id, self._identity, message.data.type, address=self._address)
        return None

    def _error(self, ref: str | int | None, error: StreamError | CapacityError) -> bytes:
        code = error.code if isinstance(error, StreamError) else "unavailable"
        self._traffic.errors[code] += 1
        data: dict[str, object] = {"ref": ref, "code": code, "message": str(error)}
        if isinstance(error, TooEarlyError):
            data["retry_after_s"] = round(error.retry_after_s, 3)
        return message_frame("error", data)


def _parse(text: str | None) -> ClientMessage:
    if text is None:
        raise MessageError("bad_request", "Messages are text frames.")
    return parse_message(text)
