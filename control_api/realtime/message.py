"""What clients say over a WebSocket: `{"type", "data", "ref"}`. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from control_api.chat.model import CommentCreation, ReactionCreation
from control_api.model import Request
from media.error import StreamError

MAX_MESSAGE = 16 * 1024
"""Bytes. A comment of 500 characters, each written as two `\\uXXXX`, is 6 KB."""

MAX_REF = 100

Ref = Annotated[str, Field(max_length=MAX_REF)] | int | None


class Message(Request):
    """Something that is said. `ref` comes back with the answer; it may also stand in `data`."""

    ref: Ref = None


class CommentMessage(Message):
    """A comment."""

    type: Literal["comment"]
    data: CommentCreation


class ReactionMessage(Message):
    """A reaction."""

    type: Literal["reaction"]
    data: ReactionCreation


class PingMessage(Message):
    """Asks whether anybody is there."""

    type: Literal["ping"]
    data: dict[str, Any] | None = None


ClientMessage = CommentMessage | ReactionMessage | PingMessage

_ADAPTER: TypeAdapter[ClientMessage] = TypeAdapter(Annotated[ClientMessage, Discriminator("type")])


class MessageError(StreamError):
    """What came is no message: `bad_request`, `invalid`.

    Args:
        code: as of an HTTP request with the same fault.
        detail: a sentence.
        ref: of the message, as far as it could be read.
    """

    def __init__(self, code: str, detail: str, ref: str | int | None = None) -> None:
        super().__init__(code, detail)
        self.ref = ref


def parse_message(text: str) -> ClientMessage:
    """Read a message.

    Raises:
        MessageError: it is none.
    """
    try:
        value = from_json(text)
    except ValueError:
        raise MessageError("bad_request", "This is no JSON.") from None
    if not isinstance(value, dict):
        raise MessageError("bad_request", 'A message is an object: {"type", "data"}.')
    ref = _lift_ref(value)
    try:
        return _ADAPTER.validate_json(to_json(value))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in fault["loc"][1:])
        raise MessageError("invalid", f"{place or 'type'}: {fault['msg']}", ref) from None


def _lift_ref(message: dict[Any, Any]) -> str | int | None:
    """Move a `ref` out of `data`; gives it when an answer may carry it."""
    data = message.get("data")
    if isinstance(data, dict) and "ref" in data:
        message.setdefault("ref", data.pop("ref"))
    ref = message.get("ref")
    return ref if isinstance(ref, str | int) and len(str(ref)) <= MAX_REF else None
