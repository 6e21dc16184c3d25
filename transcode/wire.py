"""Messages as bytes, both ways. No sockets here.

On the wire: length (4 bytes, big-endian, of what follows), type (1 byte), body. Media bodies are binary, rare
commands are JSON. Nothing is ever unpickled: a worker parses hostile media in C and must not own the server through
this socket.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

from media.error import TranscodeError
from transcode.message import (
    AUDIO_OUTPUTS,
    Activate,
    ActivateAudio,
    Deactivate,
    DeactivateAudio,
    DrawPicture,
    DrawSlate,
    EncodedAudio,
    EncodedFrame,
    EncoderFailed,
    EncoderTried,
    Failed,
    Flush,
    ForceKeyframe,
    Frames,
    LoudnessMeasured,
    MeasureLoudness,
    Media,
    Message,
    PictureDrawn,
    Ping,
    Progress,
    Quality,
    Ready,
    Reset,
    RungOpened,
    SetTrack,
    Skip,
    SlateDrawn,
    TryEncoder,
    UseEncoders,
)
from transcode.rung import RungSpec
from transcode.wire_inquiry import (
    read_draw,
    read_measure,
    read_measured,
    read_picture,
    write_draw,
    write_measure,
    write_picture,
)
from transcode.wire_json import read_track, write_json

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
"""All rungs of one frame fit many times over: a 2160p IDR picture has about 1 MB, a corrupt length has no bound."""

_LENGTH = struct.Struct(">I")
_MEDIA = struct.Struct(">B?qq")
_FRAMES = struct.Struct(">qB")
_DRAWN = struct.Struct(">BHH")
_FRAME = struct.Struct(">B?HI")
_PROGRESS = struct.Struct(">QQIIQB")
_COST = struct.Struct(">BQ")
_AUDIO = struct.Struct(">Bqqq")
_NUMBER = struct.Struct(">q")


def serialize(message: Message) -> bytes:
    """Write a message with its length."""
    code, write = _WRITERS[type(message)]
    body = write(message)
    return _LENGTH.pack(len(body) + 1) + bytes([code]) + body


class MessageReader:
    """Cuts a byte stream into messages. Any exception other than `TranscodeError` is a bug."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive_data(self, data: bytes) -> None:
        """Buffer what came from the socket."""
        self._buffer += data

    def next_event(self) -> Message | None:
        """Return the next whole message, None when more bytes are needed.

        Raises:
            TranscodeError: the stream is broken; the peer has to be replaced.
        """
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if not 1 <= length <= MAX_MESSAGE_BYTES:
            raise TranscodeError(f"message of {length} bytes between server and worker")
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        with memoryview(self._buffer) as view:
            message = _parse(view[_LENGTH.size], bytes(view[_LENGTH.size + 1 : end]))
        del self._buffer[:end]
        return message

    def events(self) -> Iterator[Message]:
        """Yield every whole message."""
        while (message := self.next_event()) is not None:
            yield message


def _parse(code: int, body: bytes) -> Message:
    try:
        message: Message = _READERS[code](body)
    except (KeyError, ValueError, TypeError, IndexError, ArithmeticError, struct.error) as error:
        raise TranscodeError(f"malformed message of type {code} between server and worker") from error
    return message


def _read_activate(body: bytes) -> Activate:
    values = json.loads(body)
    return Activate(_spec(values["spec"]), int(values["from_pts"]))


def _read_slate(body: bytes) -> DrawSlate:
    values = json.loads(body)
    values["specs"] = tuple(map(_spec, values["specs"]))
    return DrawSlate(**values)


def _spec(values: dict[str, Any]) -> RungSpec:
    return RungSpec(**values | {"frame_rate": Fraction(values["frame_rate"])})


def _write_opened(message: RungOpened) -> bytes:
    name = message.rung.encode()
    return bytes([len(name)]) + name + message.config


def _read_opened(body: bytes) -> RungOpened:
    end = 1 + body[0]
    return RungOpened(body[1:end].decode(), body[end:])


def _write_media(message: Media) -> bytes:
    return _MEDIA.pack(message.is_video, message.is_keyframe, message.pts, message.dts) + message.data


def _read_media(body: bytes) -> Media:
    kind, is_keyframe, pts, dts = _MEDIA.unpack_from(body)
    return Media(kind == 1, is_keyframe, pts, dts, body[_MEDIA.size :])


def _write_frames(message: Frames) -> bytes:
    return _FRAMES.pack(message.pts, len(message.frames)) + _join_frames(message.frames)


def _read_frames(body: bytes) -> Frames:
    pts, count = _FRAMES.unpack_from(body)
    return Frames(pts, _split_frames(body, _FRAMES.size, count))


def _write_drawn(message: SlateDrawn) -> bytes:
    name = message.rung.encode()
    head = _DRAWN.pack(len(name), len(message.config), len(message.frames))
    return head + name + message.config + _join_frames(message.frames)


def _read_drawn(body: bytes) -> SlateDrawn:
    name_size, config_size, count = _DRAWN.unpack_from(body)
    name_end = _DRAWN.size + name_size
    config_end = name_end + config_size
    frames = _split_frames(body, config_end, count)
    return SlateDrawn(body[_DRAWN.size : name_end].decode(), body[name_end:config_end], frames)


def _join_frames(frames: Iterable[EncodedFrame]) -> bytes:
    parts: list[bytes] = []
    for frame in frames:
        name = frame.rung.encode()
        head = _FRAME.pack(len(name), frame.is_keyframe, len(frame.config), len(frame.data))
        parts += (head, name, frame.config, frame.data)
    return b"".join(parts)


def _split_frames(body: bytes, at: int, count: int) -> tuple[EncodedFrame, ...]:
    frames = []
    for _ in range(count):
        name_size, is_keyframe, config_size, size = _FRAME.unpack_from(body, at)
        config_at = at + _FRAME.size + name_size
        start = config_at + config_size
        name, config = body[config_at - name_size : config_at].decode(), body[config_at:start]
        at = start + size
        if at > len(body):
            raise ValueError("frame is cut short")
        frames.append(EncodedFrame(name, is_keyframe, body[start:at], config))
    return tuple(frames)


def _write_audio(message: EncodedAudio) -> bytes:
    output = AUDIO_OUTPUTS.index(message.output)
    return _AUDIO.pack(output, message.pts, message.source_pts, message.source_position) + message.data


def _read_audio(body: bytes) -> EncodedAudio:
    output, pts, source_pts, position = _AUDIO.unpack_from(body)
    return EncodedAudio(AUDIO_OUTPUTS[output], pts, body[_AUDIO.size :], source_pts, position)


def _read_activate_audio(body: bytes) -> ActivateAudio:
    values = json.loads(body)
    placed = tuple((int(pts), int(position)) for pts, position in values["placed"])
    return ActivateAudio(values["output"], int(values["from_pts"]), placed)


def _write_progress(message: Progress) -> bytes:
    costs = [(name.encode(), cost_us) for name, cost_us in message.rungs]
    head = _PROGRESS.pack(
        message.consumed,
        message.busy_us,
        message.decode_errors,
        message.dropped_frames,
        message.base_us,
        len(costs),
    )
    return head + b"".join(_COST.pack(len(name), cost_us) + name for name, cost_us in costs)


def _read_progress(body: bytes) -> Progress:
    consumed, busy_us, errors, dropped, base_us, count = _PROGRESS.unpack_from(body)
    costs, at = [], _PROGRESS.size
    for _ in range(count):
        name_size, cost_us = _COST.unpack_from(body, at)
        start, at = at + _COST.size, at + _COST.size + name_size
        if at > len(body):
            raise ValueError("cost is cut short")
        costs.append((body[start:at].decode(), cost_us))
    return Progress(consumed, busy_us, errors, dropped, base_us, tuple(costs))


def _read_quality(body: bytes) -> Quality:
    values = json.loads(body)
    return Quality(int(values["pts"]), tuple((str(name), float(value)) for name, value in values["rungs"]))


def _numbers(layout: struct.Struct) -> Callable[[Any], bytes]:
    return lambda message: layout.pack(*(getattr(message, name) for name in message.__dataclass_fields__))


_Codec = tuple[int, type, Callable[[Any], bytes], Callable[[bytes], Any]]

_CODECS: tuple[_Codec, ...] = (
    (1, SetTrack, write_json, read_track),
    (2, Media, _write_media, _read_media),
    (3, Activate, write_json, _read_activate),
    (4, Deactivate, write_json, lambda body: Deactivate(**json.loads(body))),
    (5, ActivateAudio, write_json, _read_activate_audio),
    (6, DeactivateAudio, write_json, lambda body: DeactivateAudio(**json.loads(body))),
    (7, ForceKeyframe, write_json, lambda body: ForceKeyframe(**json.loads(body))),
    (8, Flush, _numbers(_NUMBER), lambda body: Flush(*_NUMBER.unpack(body))),
    (9, Skip, _numbers(_NUMBER), lambda body: Skip(*_NUMBER.unpack(body))),
    (10, Ping, _numbers(_NUMBER), lambda body: Ping(*_NUMBER.unpack(body))),
    (11, DrawSlate, write_json, _read_slate),
    (32, Ready, write_json, lambda _body: Ready()),
    (33, RungOpened, _write_opened, _read_opened),
    (34, Frames, _write_frames, _read_frames),
    (35, EncodedAudio, _write_audio, _read_audio),
    (36, Progress, _write_progress, _read_progress),
    (38, SlateDrawn, _write_drawn, _read_drawn),
    (37, Failed, write_json, lambda body: Failed(**json.loads(body))),
    (12, Reset, write_json, lambda _body: Reset()),
    (39, Quality, write_json, _read_quality),
    (20, UseEncoders, write_json, lambda body: UseEncoders(tuple(json.loads(body)["names"]))),
    (21, TryEncoder, write_json, lambda body: TryEncoder(**json.loads(body))),
    (50, EncoderTried, write_json, lambda body: EncoderTried(**json.loads(body))),
    (51, EncoderFailed, write_json, lambda body: EncoderFailed(**json.loads(body))),
    (22, MeasureLoudness, write_measure, read_measure),
    (52, LoudnessMeasured, write_json, read_measured),
    (23, DrawPicture, write_draw, read_draw),
    (53, PictureDrawn, write_picture, read_picture),
)

_WRITERS = {kind: (code, write) for code, kind, write, _ in _CODECS}
_READERS = {code: read for code, _, _, read in _CODECS}
