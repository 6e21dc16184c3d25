"""Messages as bytes, and bytes as pieces that a seqpacket socket takes.

Media is packed by hand, since it makes up nearly all; the rest, which is rare, is JSON.

A piece begins with a byte that says whether more of the same message follows.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction
from typing import Any

from media.error import PeerError
from media.packet import AudioTrack, VideoTrack
from webrtc.message import (
    Accept,
    Audio,
    Choose,
    Connected,
    Counters,
    Declare,
    End,
    Ended,
    Forget,
    KeyframeWanted,
    Listen,
    Listening,
    Message,
    Offer,
    Publish,
    PublishedFrame,
    PublishedLoss,
    PublishedTrack,
    Refused,
    Reply,
    Restart,
    RungChanged,
    Video,
    Wanted,
)
from webrtc.port import Rung, VideoFrame

MAX_PIECE = 60_000
"""A seqpacket message has to fit into one piece of kernel memory of at most 200 kB by default."""

MAX_MESSAGE = 32 << 20
"""A keyframe at the highest bitrate that RTMP lets in has a tenth of this."""

_JSON, _VIDEO, _AUDIO, _PUBLISHED = range(4)
_LAST, _MORE = b"\0", b"\1"
_VIDEO_HEAD = struct.Struct("!B?qBB")
_AUDIO_HEAD = struct.Struct("!BqB")
_PUBLISHED_HEAD = struct.Struct("!B??qB")

_CONTROL: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Listen, Listening, Declare, Forget, Offer, Accept, Publish, Restart, Choose, End, Reply, Refused, Wanted,
        KeyframeWanted, Connected, RungChanged, Ended, PublishedTrack, PublishedLoss, Counters,
    )
}  # fmt: skip
_TRACKS: dict[str, type[VideoTrack | AudioTrack]] = {"video": VideoTrack, "audio": AudioTrack}


def serialize(message: Message) -> bytes:
    """Pack a message."""
    match message:
        case Video(stream, rung, (pts, is_keyframe, data)):
            names = stream.encode(), rung.encode()
            head = _VIDEO_HEAD.pack(_VIDEO, is_keyframe, pts, len(names[0]), len(names[1]))
            return b"".join((head, *names, data))
        case Audio(stream, pts, data):
            name = stream.encode()
            return b"".join((_AUDIO_HEAD.pack(_AUDIO, pts, len(name)), name, data))
        case PublishedFrame(session, is_video, is_keyframe, pts, data):
            name = session.encode()
            head = _PUBLISHED_HEAD.pack(_PUBLISHED, is_video, is_keyframe, pts, len(name))
            return b"".join((head, name, data))
        case PublishedTrack(session, track):
            return _dump({"type": "PublishedTrack", "session": session, "track": _track_fields(track)})
        case _:
            return _dump({"type": type(message).__name__, **asdict(message)})


def parse(data: bytes) -> Message:
    """Unpack a message.

    Raises:
        PeerError: it is none.
    """
    try:
        return _parse(data)
    except (struct.error, ValueError, LookupError, TypeError, AttributeError) as error:
        raise PeerError(f"not a message of a WebRTC process: {error}") from error


def split(message: bytes) -> Iterator[bytes]:
    """Cut a message into pieces."""
    for start in range(0, len(message), MAX_PIECE):
        end = start + MAX_PIECE
        yield (_MORE if end < len(message) else _LAST) + message[start:end]


class PieceJoiner:
    """Puts pieces together again."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def receive_piece(self, piece: bytes) -> Message | None:
        """Take a piece; return the message that it completes.

        Raises:
            PeerError: it is none, or the message is too large.
        """
        self._pieces.append(piece[1:])
        self._size += len(piece)
        if self._size > MAX_MESSAGE:
            raise PeerError(f"a message of more than {MAX_MESSAGE} bytes")
        if piece[:1] == _MORE:
            return None
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return parse(data)


def _dump(fields: dict[str, Any]) -> bytes:
    return bytes((_JSON,)) + json.dumps(fields, separators=(",", ":")).encode()


def _parse(data: bytes) -> Message:
    match data[0]:
        case 1:
            _, is_keyframe, pts, size, rung_size = _VIDEO_HEAD.unpack_from(data)
            stream, at = _text(data, _VIDEO_HEAD.size, size)
            rung, at = _text(data, at, rung_size)
            return Video(stream, rung, VideoFrame(pts, is_keyframe, data[at:]))
        case 2:
            _, pts, size = _AUDIO_HEAD.unpack_from(data)
            stream, at = _text(data, _AUDIO_HEAD.size, size)
            return Audio(stream, pts, data[at:])
        case 3:
            _, is_video, is_keyframe, pts, size = _PUBLISHED_HEAD.unpack_from(data)
            session, at = _text(data, _PUBLISHED_HEAD.size, size)
            return PublishedFrame(session, is_video, is_keyframe, pts, data[at:])
        case 0:
            return _parse_control(json.loads(data[1:]))
        case kind:
            raise ValueError(f"kind {kind}")


def _text(data: bytes, start: int, size: int) -> tuple[str, int]:
    if start + size > len(data):
        raise ValueError("cut short")
    return data[start : start + size].decode(), start + size


def _parse_control(fields: dict[str, Any]) -> Message:
    kind = _CONTROL[fields.pop("type")]
    for name in ("rungs", "addresses"):
        if isinstance(value := fields.get(name), list):
            fields[name] = tuple(Rung(**item) if isinstance(item, dict) else item for item in value)
    if "track" in fields:
        fields["track"] = _parse_track(fields["track"])
    message: Message = kind(**fields)
    return message


def _track_fields(track: VideoTrack | AudioTrack) -> dict[str, Any]:
    fields = asdict(track) | {"config": track.config.hex()}
    for name in ("frame_rate", "sample_aspect_ratio"):
        if isinstance(value := fields.get(name), Fraction):
            fields[name] = str(value)
    return {"kind": "video" if isinstance(track, VideoTrack) else "audio", **fields}


def _parse_track(fields: dict[str, Any]) -> VideoTrack | AudioTrack:
    kind = _TRACKS[fields.pop("kind")]
    for name in ("frame_rate", "sample_aspect_ratio"):
        if fields.get(name) is not None:
            fields[name] = Fraction(fields[name])
    return kind(**fields | {"config": bytes.fromhex(fields["config"])})
