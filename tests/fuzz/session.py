"""Inputs as conversations: an input is a list of steps, each of which feeds a connection or lets time pass.

A step is one byte that says what to do, two bytes of length, and a payload. So the fuzzer gets past the chunk layer
without having to invent valid chunks; `target.chunk_stream` is about those.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from media.error import PeerError
from media.packet import Packet
from rtmp.chunk import ABORT, SET_CHUNK_SIZE, ChunkWriter, Message
from rtmp.connection import ServerConnection
from rtmp.event import PublishRequested
from rtmp.message import (
    AGGREGATE,
    AUDIO,
    COMMAND_AMF0,
    COMMAND_AMF3,
    DATA_AMF0,
    DATA_AMF3,
    USER_CONTROL,
    VIDEO,
    WINDOW_ACKNOWLEDGEMENT_SIZE,
)
from tests.fuzz.size import held_bytes
from tests.rtmp.client import HELLO, Client

CORE_BYTES = 256 << 10
"""What a connection holds before any input, its tables and the opening included."""
HELD_PER_BYTE = 64
"""Answers wait in the core until they are sent, and a short command has a long answer."""

_TYPES = (
    VIDEO, AUDIO, DATA_AMF0, DATA_AMF3, COMMAND_AMF0, COMMAND_AMF3, USER_CONTROL, WINDOW_ACKNOWLEDGEMENT_SIZE,
    SET_CHUNK_SIZE, ABORT, AGGREGATE,
)  # fmt: skip
_RAW, _WAIT, _CLOSE, _CANNED, _MOVE = 11, 12, 13, 14, 15
_CLIENT = Client()
_COMMANDS = (
    _CLIENT.connect(),
    _CLIENT.connect("live", fourCcList=["hvc1", "av01", "Opus"], capsEx=15.0, objectEncoding=3.0),
    _CLIENT.command("releaseStream", 2, None, "key"),
    _CLIENT.command("FCPublish", 3, None, "key"),
    _CLIENT.command("createStream", 4, None),
    _CLIENT.publish("key", "live"),
    _CLIENT.publish("no", "live"),
    _CLIENT.command("FCUnpublish", 6, None, "key"),
    _CLIENT.command("deleteStream", 7, None, 1.0),
    _CLIENT.command("closeStream", 8, None, stream_id=1),
    _CLIENT.command("_checkbw", 9, None),
    _CLIENT.command("play", 10, None, "key"),
)
_OPENING = b"".join([HELLO, _COMMANDS[0], _COMMANDS[4], _COMMANDS[5]])


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a conversation."""

    kind: int
    detail: int
    """From 0 to 15: how much time passes, which command."""
    payload: bytes

    def serialize(self) -> bytes:
        """Write the step as it stands in an input."""
        return bytes([self.detail << 4 | self.kind]) + len(self.payload).to_bytes(2, "big") + self.payload


def parse_steps(data: bytes) -> Iterator[Step]:
    """Read steps; the last one gets what is left."""
    position = 0
    while position < len(data):
        size = int.from_bytes(data[position + 1 : position + 3], "big")
        payload = data[position + 3 : position + 3 + size]
        yield Step(data[position] & 0x0F, data[position] >> 4, payload)
        position += 3 + size


def message_step(type_id: int, payload: bytes, detail: int = 1) -> bytes:
    """Write a step that sends a message."""
    return Step(_TYPES.index(type_id), detail, payload).serialize()


def command_step(index: int) -> bytes:
    """Write a step that sends one of the commands of encoders."""
    return Step(_CANNED, index, b"").serialize()


def raw_step(data: bytes) -> bytes:
    """Write a step that sends bytes as they are."""
    return Step(_RAW, 0, data).serialize()


class Conversation:
    """A connection and what is done to it."""

    def __init__(self) -> None:
        self.packets = 0
        self._now = 0.0
        self._time_ms = 0
        self._writer = ChunkWriter()
        self._core = ServerConnection(self._now)
        self._steps: dict[int, Callable[[Step], object]] = {
            _RAW: lambda step: self.feed(step.payload),
            _WAIT: self._wait,
            _CLOSE: lambda step: self._core.close_with("NetStream.Publish.Rejected", "closed by the fuzzer"),
            _MOVE: lambda step: self._core.request_reconnect("the server is drained"),
            _CANNED: lambda step: self.feed(_COMMANDS[step.detail % len(_COMMANDS)]),
        }

    def play(self, steps: Iterator[Step]) -> None:
        """Take all steps; hold the core to its word after each, and after the end."""
        given = 0
        with contextlib.suppress(PeerError):
            for step in steps:
                given += 3 + len(step.payload)
                self._steps.get(step.kind, self._send)(step)
        assert held_bytes(self._core) <= CORE_BYTES + HELD_PER_BYTE * given
        self._core.data_to_send()

    def feed(self, data: bytes) -> None:
        """Give bytes to the core, and answer as the server would.

        Raises:
            PeerError: the core refused them; it has to be closed by then.
        """
        try:
            self._core.receive_data(data, self._now)
            while (event := self._core.next_event()) is not None:
                if isinstance(event, PublishRequested):
                    self._answer(event)
                self.packets += isinstance(event, Packet)
        except PeerError:
            assert self._core.get_timer() is None
            assert self._core.next_event() is None
            raise

    def _answer(self, request: PublishRequested) -> None:
        if request.stream_key.startswith("no"):
            self._core.reject_publish("the key is not known")
        else:
            self._core.accept_publish(self._now)

    def _send(self, step: Step) -> None:
        self._time_ms = (self._time_ms + (1 << 2 * step.detail)) & 0xFFFFFFFF
        type_id = _TYPES[step.kind % len(_TYPES)]
        message = Message(4, self._time_ms, type_id, 1, step.payload)
        self.feed(self._writer.serialize(message))
        size = int.from_bytes(step.payload[:4], "big")
        if type_id == SET_CHUNK_SIZE and len(step.payload) >= 4:
            self._writer.chunk_size = max(1, size)

    def _wait(self, step: Step) -> None:
        self._now += step.detail
        self._core.handle_timer(self._now)


def play_session(data: bytes) -> int:
    """Hold a conversation from the handshake on; return the number of packets that came of it."""
    conversation = Conversation()
    conversation.feed(HELLO)
    conversation.play(parse_steps(data))
    return conversation.packets


def play_tags(data: bytes) -> int:
    """Publish audio, video and metadata in whatever form, as `play_session`: every step is a message of these."""
    conversation = Conversation()
    conversation.feed(_OPENING)
    steps = (Step(step.kind % 3, step.detail, step.payload) for step in parse_steps(data))
    conversation.play(steps)
    return conversation.packets
