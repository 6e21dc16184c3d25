"""The encoder's side of RTMP, as bytes, and a connection driven by them."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from media.error import PeerError
from media.h264 import AvcConfig, join_length_prefixed, nal_type, split_annexb
from rtmp.amf import AmfValue
from rtmp.amf0 import serialize_values
from rtmp.chunk import ChunkWriter, Message
from rtmp.chunk_reader import ChunkReader
from rtmp.command import Command, parse_command
from rtmp.connection import ServerConnection
from rtmp.event import Event, PublishRequested
from rtmp.handshake import PACKET_BYTES
from rtmp.limit import RtmpLimits
from rtmp.message import AUDIO, COMMAND_AMF0, DATA_AMF0, VIDEO
from rtmp.message import set_chunk_size as set_chunk_size_message
from tests.media.encode import video_config

HELLO = b"\x03" + bytes(2 * PACKET_BYTES)

AAC_HEADER = bytes.fromhex("af001190")
IDR = b"\x65\x88\x84\x00\x10"
SLICE = b"\x41\x9a\x24\x6c\x41"


def avc_config(width: int = 320, height: int = 240, profile: str = "high", length_size: int = 4) -> bytes:
    """Build an avcC record with libx264's parameter sets."""
    options = {"profile": profile}
    nals = split_annexb(video_config("libx264", width, height, rate=Fraction(25), options=options))
    sps = tuple(nal for nal in nals if nal_type(nal) == 7)
    pps = tuple(nal for nal in nals if nal_type(nal) == 8)
    return AvcConfig(sps, pps, length_size).serialize()


def video_header(config: bytes) -> bytes:
    return b"\x17\x00\x00\x00\x00" + config


def video_frame(*nals: bytes, composition_ms: int = 0) -> bytes:
    first = b"\x17" if any(nal and nal_type(nal) == 5 for nal in nals) else b"\x27"
    return first + b"\x01" + composition_ms.to_bytes(3, "big", signed=True) + join_length_prefixed(nals)


def audio_frame(data: bytes = b"\x21\x00frame") -> bytes:
    return b"\xaf\x01" + data


class Client:
    """Writes what an encoder sends."""

    def __init__(self, chunk_size: int = 128) -> None:
        self._writer = ChunkWriter()
        self._chunk_size = chunk_size

    def message(self, type_id: int, payload: bytes, time_ms: int = 0, chunk_stream_id: int = 4) -> bytes:
        return self._writer.serialize(Message(chunk_stream_id, time_ms & 0xFFFFFFFF, type_id, 1, payload))

    def command(self, name: str, transaction_id: float, *arguments: AmfValue, stream_id: int = 0) -> bytes:
        return self._writer.serialize(Command(name, transaction_id, arguments).serialize(stream_id))

    def set_chunk_size(self, size: int) -> bytes:
        data = self._writer.serialize(set_chunk_size_message(size))
        self._writer.chunk_size = size
        return data

    def data(self, *values: AmfValue, type_id: int = DATA_AMF0) -> bytes:
        return self.message(type_id, serialize_values(values))

    def video(self, payload: bytes, time_ms: int = 0) -> bytes:
        return self.message(VIDEO, payload, time_ms)

    def audio(self, payload: bytes, time_ms: int = 0) -> bytes:
        return self.message(AUDIO, payload, time_ms)

    def connect(self, app: str = "live", **members: AmfValue) -> bytes:
        return self.command("connect", 1, {"app": app, "flashVer": "FMLE/3.0", **members})

    def publish(self, key: AmfValue = "key", *kind: AmfValue) -> bytes:
        return self.command("publish", 5, None, key, *kind, stream_id=1)

    def opening(self, key: str = "key") -> bytes:
        """All that OBS sends up to `publish`."""
        return b"".join(
            [
                HELLO,
                self.connect(),
                self.set_chunk_size(self._chunk_size),
                self.command("releaseStream", 2, None, key),
                self.command("FCPublish", 3, None, key),
                self.command("createStream", 4, None),
                self.publish(key, "live"),
            ]
        )


class Driver:
    """A `ServerConnection` with a clock that stands still until it is moved."""

    def __init__(self, limits: RtmpLimits | None = None, accept: bool = True) -> None:
        self.now = 100.0
        self.connection = ServerConnection(self.now, limits)
        self.events: list[Event] = []
        self.output = b""
        self._accept = accept

    def feed(self, *parts: bytes) -> list[Event]:
        """Give bytes to the connection; return the events they made."""
        before = len(self.events)
        try:
            for part in parts:
                self.connection.receive_data(part, self.now)
                self._take_events()
        finally:
            self.output += self.connection.data_to_send()
        return self.events[before:]

    def _take_events(self) -> None:
        while (event := self.connection.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, PublishRequested) and self._accept:
                self.connection.accept_publish(self.now)

    def fails(self, *parts: bytes) -> str:
        """Give bytes that the connection refuses; return the reason."""
        try:
            self.feed(*parts)
        except PeerError as problem:
            return str(problem)
        raise AssertionError("nothing was refused")

    def answers(self) -> list[Message]:
        """Return all messages that the server has sent."""
        return list(messages_of(self.output[1 + 2 * PACKET_BYTES :]))

    def commands(self) -> list[Command]:
        return [parse_command(message) for message in self.answers() if message.type_id == COMMAND_AMF0]

    def statuses(self) -> list[tuple[str, str]]:
        """Return code and description of all onStatus messages."""
        found = []
        for command in self.commands():
            information = command.argument(1)
            if command.name == "onStatus" and isinstance(information, dict):
                found.append((str(information["code"]), str(information["description"])))
        return found


def messages_of(data: bytes) -> Iterable[Message]:
    reader = ChunkReader()
    reader.receive_data(data)
    while (message := reader.next_message()) is not None:
        yield message
