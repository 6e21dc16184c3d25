"""One RTMP connection, server side: bytes and time in, events and bytes out. No socket, no clock.

Drive it like this: give what was read to `receive_data`, take events from `next_event` until it returns
None, send `data_to_send`. When `get_timer` is reached call `handle_timer`. `PeerError` from any of these
means that the connection is over: send `data_to_send` once more, which tells the peer why, and close. Any
other exception is a bug.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from media.error import LocalStateError, PeerError
from media.timing import TimestampUnwrapper
from rtmp.audio import AudioTagReader
from rtmp.bitrate import BitrateLimit
from rtmp.chunk import SET_CHUNK_SIZE, ChunkWriter, Message
from rtmp.chunk_reader import ChunkReader
from rtmp.command import parse_command
from rtmp.error import RefusedError
from rtmp.event import Event, MetadataReceived, PublishEnded, PublishRequested
from rtmp.handshake import ServerHandshake
from rtmp.limit import RtmpLimits
from rtmp.message import (
    AGGREGATE,
    AUDIO,
    COMMAND_AMF0,
    COMMAND_AMF3,
    DATA_AMF0,
    DATA_AMF3,
    PING_REQUEST,
    PING_RESPONSE,
    USER_CONTROL,
    VIDEO,
    WINDOW_ACKNOWLEDGEMENT_SIZE,
    acknowledgement,
    split_aggregate,
    user_control,
)
from rtmp.metadata import bitrates_bps, read_metadata
from rtmp.session import WINDOW_BYTES, CommandSession, PublishState
from rtmp.video import VideoTagReader

_REQUESTED, _PUBLISHING = PublishState.REQUESTED, PublishState.PUBLISHING
# Looked up once, for they are asked for with every message: Python 3.11 takes a call for each member of an enum.


class ServerConnection:
    """The server's end of an RTMP connection.

    Args:
        now: seconds on any clock that never steps back; the same clock everywhere.
        limits: how long each stage may last.
    """

    def __init__(self, now: float, limits: RtmpLimits | None = None) -> None:
        self._limits = limits or RtmpLimits()
        self._handshake: ServerHandshake | None = ServerHandshake()
        self._reader = ChunkReader()
        self._writer = ChunkWriter()
        self._session = CommandSession(self._send, self._emit)
        self._events: deque[Event] = deque()
        self._output = bytearray()
        self._received_bytes = 0
        self._acknowledged_bytes = 0
        self._window_bytes = WINDOW_BYTES
        self._is_closed = False
        self._now = now
        self._bitrate = BitrateLimit(self._limits.max_bitrate_bps, self._limits.bitrate_window_s, now)
        self._idle_complaint = ("no audio or video", self._limits.idle_timeout_s)
        self._expect("no RTMP handshake", self._limits.handshake_timeout_s)
        self._open_media()
        self._handlers: dict[int, Callable[[Message], None]] = {
            AUDIO: self._on_media,
            VIDEO: self._on_media,
            AGGREGATE: self._on_aggregate,
            COMMAND_AMF0: self._on_command,
            COMMAND_AMF3: self._on_command,
            DATA_AMF0: self._on_data,
            DATA_AMF3: self._on_data,
            USER_CONTROL: self._on_user_control,
            WINDOW_ACKNOWLEDGEMENT_SIZE: self._on_window_size,
        }

    def _open_media(self) -> None:
        clock = TimestampUnwrapper()
        self._video = VideoTagReader(clock)
        self._audio = AudioTagReader(clock)
        self._video_bps: dict[int, int] = {}
        self._audio_bps: dict[int, int] = {}

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes of the peer, read at `now`.

        Raises:
            PeerError: the peer does not speak RTMP, or sends too much.
        """
        self._now = now
        self._received_bytes += len(data)
        if self._is_closed:
            return
        self._check_bitrate(len(data))
        if self._handshake is not None:
            self._shake_hands(self._handshake, data)
        else:
            self._reader.receive_data(data)
        if self._received_bytes - self._acknowledged_bytes >= self._window_bytes and self._handshake is None:
            self._acknowledged_bytes = self._received_bytes
            self._send(acknowledgement(self._received_bytes))

    def next_event(self) -> Event | None:
        """Return what happened next; None when more bytes are needed, or an answer to `PublishRequested`.

        Raises:
            PeerError: the peer broke the protocol or asked for what is not served; the connection is over.
        """
        try:
            while not self._events:
                if self._handshake is not None or self._is_closed or self._session.state is _REQUESTED:
                    return None
                message = self._reader.next_message()
                if message is None:
                    return None
                handler = self._handlers.get(message.type_id)
                if handler is not None:
                    handler(message)
        except PeerError as problem:
            self._fail(problem)
            raise
        return self._events.popleft()

    def data_to_send(self) -> bytes:
        """Return what has to go to the peer now."""
        data = bytes(self._output)
        self._output.clear()
        return data

    def accept_publish(self, now: float) -> None:
        """Let the peer publish, in answer to `PublishRequested`."""
        self._require_request()
        self._open_media()
        self._session.accept()
        self._now = now
        self._expect("no audio or video after the publish", self._limits.first_media_timeout_s)

    def reject_publish(self, detail: str) -> None:
        """Refuse the peer, in answer to `PublishRequested`; the connection is over."""
        self._require_request()
        self.close_with("NetStream.Publish.BadName", detail)

    def close_with(self, code: str, detail: str) -> None:
        """End the connection from this side and tell the peer why."""
        if not self._is_closed and self._handshake is None:
            self._session.refuse(code, detail)
        self._is_closed = True

    def request_reconnect(self, description: str) -> bool:
        """Ask a publisher to move to another connection; it goes on sending on this one until it does.

        Returns:
            Whether it was asked: only some encoders understand (E-RTMP v2, "Reconnect Request").
        """
        is_publishing = self._session.state is _PUBLISHING and not self._is_closed
        return is_publishing and self._session.request_reconnect(description)

    def get_timer(self) -> float | None:
        """Return when `handle_timer` wants to be called, None for never."""
        return None if self._is_closed or math.isinf(self._deadline) else self._deadline

    def handle_timer(self, now: float) -> None:
        """Look at the time.

        Raises:
            PeerError: the peer took too long; the connection is over.
        """
        if not self._is_closed and now >= self._deadline:
            complaint, timeout_s = self._complaint
            problem = RefusedError("NetConnection.Connect.Closed", f"{complaint} within {timeout_s:g} s")
            self._fail(problem)
            raise problem

    def extend_timer(self, seconds: float) -> None:
        """Give the peer more time, since it was us who did not read."""
        self._deadline += seconds

    def _require_request(self) -> None:
        if self._session.state is not _REQUESTED:
            raise LocalStateError("there is no publish request to answer")

    def _expect(self, complaint: str, timeout_s: float) -> None:
        self._deadline = self._now + timeout_s
        self._complaint = (complaint, timeout_s)

    def _check_bitrate(self, size_bytes: int) -> None:
        if self._bitrate.is_exceeded_by(size_bytes, self._now):
            limit = f"{self._limits.max_bitrate_bps / 1e6:g} Mbit/s"
            detail = f"the stream has more than {limit}: lower the bitrate of the encoder"
            problem = RefusedError("NetStream.Publish.Rejected", detail)
            self._fail(problem)
            raise problem

    def _fail(self, problem: PeerError) -> None:
        code = problem.code if isinstance(problem, RefusedError) else "NetConnection.Call.Failed"
        self.close_with(code, str(problem))

    def _shake_hands(self, handshake: ServerHandshake, data: bytes) -> None:
        try:
            rest = handshake.receive_data(data)
        except PeerError:
            self._is_closed = True
            raise
        finally:
            self._output += handshake.data_to_send()
        if rest is not None:
            self._handshake = None
            self._reader.receive_data(rest)
            self._expect("no publish", self._limits.publish_timeout_s)

    def _send(self, message: Message) -> None:
        self._output += self._writer.serialize(message)
        if message.type_id == SET_CHUNK_SIZE:
            self._writer.chunk_size = int.from_bytes(message.payload, "big")

    def _emit(self, event: Event) -> None:
        self._events.append(event)
        if isinstance(event, PublishRequested):
            self._deadline = math.inf
        elif isinstance(event, PublishEnded):
            self._expect("no publish", self._limits.publish_timeout_s)

    def _on_command(self, message: Message) -> None:
        self._session.handle(parse_command(message), message.stream_id)

    def _on_media(self, message: Message) -> None:
        if self._session.state is not _PUBLISHING:
            return
        if message.type_id == VIDEO:
            packets = self._video.read(message.payload, message.timestamp, self._video_bps)
        else:
            packets = self._audio.read(message.payload, message.timestamp, self._audio_bps)
        if packets:
            self._events.extend(packets)
            # As `_expect` does, but for every frame.
            self._deadline = self._now + self._limits.idle_timeout_s
            self._complaint = self._idle_complaint

    def _on_aggregate(self, message: Message) -> None:
        for part in split_aggregate(message):
            if part.type_id in (AUDIO, VIDEO, DATA_AMF0):
                self._handlers[part.type_id](part)

    def _on_data(self, message: Message) -> None:
        metadata = read_metadata(message)
        if metadata is not None and self._session.state is _PUBLISHING:
            self._video_bps = bitrates_bps(metadata, "video")
            self._audio_bps = bitrates_bps(metadata, "audio")
            self._events.append(MetadataReceived(metadata))

    def _on_user_control(self, message: Message) -> None:
        if message.payload[:2] == PING_REQUEST.to_bytes(2, "big"):
            self._send(user_control(PING_RESPONSE, message.payload[2:6]))

    def _on_window_size(self, message: Message) -> None:
        size_bytes = int.from_bytes(message.payload[:4], "big")
        self._window_bytes = size_bytes or WINDOW_BYTES
