"""Commands and status answers (RTMP 1.0, 7.2)."""

from __future__ import annotations

from dataclasses import dataclass

from media.error import PeerError
from rtmp import amf3
from rtmp.amf import AmfValue
from rtmp.amf0 import parse_values, serialize_values
from rtmp.chunk import Message
from rtmp.message import COMMAND_AMF0, COMMAND_AMF3, COMMAND_CHUNK_STREAM

MAX_COMMAND_BYTES = 64 << 10
"""The longest `connect` seen has about a kilobyte."""

_AMF3_STRING = b"\x06"


@dataclass(frozen=True, slots=True)
class Command:
    """A command; `arguments` start with the command object."""

    name: str
    transaction_id: float = 0.0
    arguments: tuple[AmfValue, ...] = (None,)

    def argument(self, index: int) -> AmfValue:
        """Return an argument, None when the sender left it out."""
        return self.arguments[index] if index < len(self.arguments) else None

    def text(self, index: int) -> str:
        """Return an argument that should be a string, empty when it is not."""
        value = self.argument(index)
        return value if isinstance(value, str) else ""

    def serialize(self, stream_id: int = 0) -> Message:
        """Write the command as an AMF 0 message."""
        payload = serialize_values([self.name, self.transaction_id, *self.arguments])
        return Message(COMMAND_CHUNK_STREAM, 0, COMMAND_AMF0, stream_id, payload)


def parse_command(message: Message) -> Command:
    """Parse a command message; missing arguments are no error.

    Raises:
        PeerError: it is not a command.
    """
    if len(message.payload) > MAX_COMMAND_BYTES:
        raise PeerError(f"command of {len(message.payload)} bytes; up to {MAX_COMMAND_BYTES} are accepted")
    values = message_values(message, COMMAND_AMF3)
    name = values[0] if values else None
    if not isinstance(name, str):
        raise PeerError("command without a name")
    transaction_id = values[1] if len(values) > 1 else 0.0
    if not isinstance(transaction_id, float):
        return Command(name, 0.0, tuple(values[1:]))
    return Command(name, transaction_id, tuple(values[2:]))


def message_values(message: Message, amf3_type: int) -> list[AmfValue]:
    """Parse the values of a command or data message.

    Those of the types for AMF 3 stand behind a zero byte and are AMF 0 that may switch to AMF 3. Some clients
    leave the zero out, some write AMF 3 throughout: then the name, which comes first, begins with the AMF 3
    marker of a string, which no name in AMF 0 begins with.

    Raises:
        PeerError: they are damaged or over a bound.
    """
    payload = message.payload
    if message.type_id != amf3_type:
        return parse_values(payload)
    body = payload.removeprefix(b"\x00")
    return amf3.parse_values(body) if body[:1] == _AMF3_STRING else parse_values(body)


def result(transaction_id: float, *values: AmfValue) -> Command:
    """Answer a call."""
    return Command("_result", transaction_id, values)


def error(transaction_id: float, code: str, description: str) -> Command:
    """Answer a call that cannot be met."""
    return Command("_error", transaction_id, (None, status("error", code, description)))


def on_status(level: str, code: str, description: str) -> Command:
    """Tell the peer about its stream."""
    return Command("onStatus", 0.0, (None, status(level, code, description)))


def status(level: str, code: str, description: str) -> dict[str, AmfValue]:
    """Build an information object (7.2.2)."""
    return {"level": level, "code": code, "description": description}
