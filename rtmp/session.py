"""The command conversation of a publisher (RTMP 1.0, 7.2), in whatever order its encoder holds it.

Answers go out through `send`, what matters to the outside through `emit`. Calls that are not known are
answered, never refused: encoders probe with `_checkbw` and the like and wait for the answer.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

from rtmp.address import ConnectAddress, publish_address, read_connect
from rtmp.amf import AmfValue
from rtmp.capability import CapsEx, ClientCapabilities, read_capabilities, server_capabilities
from rtmp.chunk import Message
from rtmp.command import Command, error, on_status, result, status
from rtmp.error import RefusedError
from rtmp.event import Event, PublishEnded, PublishRequested
from rtmp.message import set_chunk_size, set_peer_bandwidth, window_acknowledgement_size

WINDOW_BYTES = 2_500_000
"""Acknowledgement window and peer bandwidth: over a second of any stream; other servers say 2.5 to 5 MB."""

OUTPUT_CHUNK_SIZE = 4096
"""Some clients take a command to be one chunk, so ours must fit."""

OBJECT_ENCODINGS = (0.0, 3.0)
"""AMF 0, and AMF 0 that may switch to AMF 3."""

MAX_MESSAGE_STREAMS = 8
"""Encoders create one, some two."""


class PublishState(enum.Enum):
    """Where the publication of a connection stands."""

    IDLE = enum.auto()
    REQUESTED = enum.auto()
    PUBLISHING = enum.auto()


class CommandSession:
    """Answers commands and keeps the state of the one publication that a connection carries."""

    def __init__(self, send: Callable[[Message], None], emit: Callable[[Event], None]) -> None:
        self.state = PublishState.IDLE
        self.stream_id = 0
        """Message stream of the publication; where status messages go."""
        self._send = send
        self._emit = emit
        self._connect = ConnectAddress()
        self._capabilities = ClientCapabilities()
        self._name = ""
        self._streams = 0
        self._handlers: dict[str, Callable[[Command, int], None]] = {
            "connect": self._on_connect,
            "createStream": self._on_create_stream,
            "releaseStream": self._on_call,
            "FCPublish": self._on_fc_publish,
            "publish": self._on_publish,
            "FCUnpublish": self._on_fc_unpublish,
            "deleteStream": self._on_delete_stream,
            "closeStream": self._on_close_stream,
            "play": self._on_play,
            "play2": self._on_play,
            "_result": self._on_answer,
            "_error": self._on_answer,
            "onStatus": self._on_answer,
        }

    def handle(self, command: Command, stream_id: int) -> None:
        """Handle a command that came on a message stream.

        Raises:
            RefusedError: it cannot be met.
        """
        self._handlers.get(command.name, self._on_call)(command, stream_id)

    def accept(self) -> None:
        """Tell the peer that it may send."""
        self.state = PublishState.PUBLISHING
        self._send_status("status", "NetStream.Publish.Start", f"{self._name} is now published")

    def refuse(self, code: str, description: str) -> None:
        """Tell the peer why it has to go."""
        self._send_status("error", code, description)

    def request_reconnect(self, description: str) -> bool:
        """Ask the peer to connect anew, if it is one that does so; tell whether it was asked."""
        if not self._capabilities.caps_ex & CapsEx.RECONNECT:
            return False
        self._send_command(on_status("status", "NetConnection.Connect.ReconnectRequest", description))
        return True

    def _send_command(self, command: Command, stream_id: int = 0) -> None:
        self._send(command.serialize(stream_id))

    def _send_status(self, level: str, code: str, description: str) -> None:
        self._send_command(on_status(level, code, description), self.stream_id)

    def _on_answer(self, _command: Command, _stream_id: int) -> None:
        """Ignore answers to calls that were never made."""

    def _on_call(self, command: Command, _stream_id: int) -> None:
        if command.transaction_id:
            self._send_command(result(command.transaction_id, None, None))

    def _on_connect(self, command: Command, _stream_id: int) -> None:
        members = command.argument(0)
        self._connect = read_connect(members)
        self._capabilities = read_capabilities(members)
        self._send(window_acknowledgement_size(WINDOW_BYTES))
        self._send(set_peer_bandwidth(WINDOW_BYTES))
        self._send(set_chunk_size(OUTPUT_CHUNK_SIZE))
        properties: dict[str, AmfValue] = {"fmsVer": "FMS/3,0,1,123", "capabilities": 31.0}
        information = status("status", "NetConnection.Connect.Success", "Connection succeeded.")
        # As other servers do: the encoding that was asked for, whatever we ourselves write in.
        encoding = members.get("objectEncoding") if isinstance(members, dict) else None
        information["objectEncoding"] = encoding if encoding in OBJECT_ENCODINGS else 0.0
        if self._capabilities.is_enhanced:
            # The specification has them in "one of the parameters", and clients look in either.
            properties |= server_capabilities()
            information |= server_capabilities()
        self._send_command(result(command.transaction_id, properties, information))

    def _on_create_stream(self, command: Command, _stream_id: int) -> None:
        if self._streams >= MAX_MESSAGE_STREAMS:
            detail = f"more than {MAX_MESSAGE_STREAMS} streams on a connection"
            self._send_command(error(command.transaction_id, "NetConnection.Call.Failed", detail))
            return
        self._streams += 1
        self._send_command(result(command.transaction_id, None, float(self._streams)))

    def _on_fc_publish(self, command: Command, stream_id: int) -> None:
        self._on_call(command, stream_id)
        information = status("status", "NetStream.Publish.Start", command.text(1))
        self._send_command(Command("onFCPublish", 0.0, (None, information)))

    def _on_publish(self, command: Command, stream_id: int) -> None:
        name = command.text(1)
        if self.state is PublishState.PUBLISHING:
            self._on_second_publish(name)
            return
        self.state = PublishState.REQUESTED
        self.stream_id = stream_id
        self._name = name.partition("?")[0]
        address = publish_address(self._connect, name)
        self._emit(PublishRequested(address.app, address.stream_key, address.query, self._connect.encoder))

    def _on_second_publish(self, name: str) -> None:
        if name.partition("?")[0] != self._name:
            raise RefusedError("NetStream.Publish.Rejected", "a connection carries one publication at a time")
        self.accept()

    def _on_fc_unpublish(self, command: Command, stream_id: int) -> None:
        self._on_call(command, stream_id)
        information = status("status", "NetStream.Unpublish.Success", command.text(1))
        self._send_command(Command("onFCUnpublish", 0.0, (None, information)))
        self._end()

    def _on_delete_stream(self, command: Command, _stream_id: int) -> None:
        if command.argument(1) in (None, float(self.stream_id)):
            self._end()

    def _on_close_stream(self, _command: Command, stream_id: int) -> None:
        if stream_id in (0, self.stream_id):
            self._end()

    def _end(self) -> None:
        # Encoders send two or three of FCUnpublish, closeStream and deleteStream: the first one counts.
        if self.state is not PublishState.PUBLISHING:
            return
        self.state = PublishState.IDLE
        self._send_status("status", "NetStream.Unpublish.Success", f"{self._name} is no longer published")
        self._emit(PublishEnded())

    def _on_play(self, _command: Command, stream_id: int) -> None:
        self.stream_id = stream_id
        raise RefusedError(
            "NetStream.Play.Failed", "this server does not play over RTMP: use its HLS address"
        )
