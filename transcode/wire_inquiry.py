"""Questions to a worker that serves no broadcast, and its answers, as bytes."""

from __future__ import annotations

import json
import struct

from media.packet import AudioTrack, VideoTrack
from transcode.message import DrawPicture, LoudnessMeasured, MeasureLoudness, PictureDrawn, SetTrack
from transcode.wire_json import read_track, write_json

_MEASURE = struct.Struct(">QHH")
_DRAW = struct.Struct(">qHH")
_NUMBER = struct.Struct(">q")


def write_measure(message: MeasureLoudness) -> bytes:
    """Write a piece of sound."""
    head = write_json(SetTrack(message.track))
    sizes = [len(data) for data in message.packets]
    layout = _MEASURE.pack(message.number, len(head), len(sizes)) + struct.pack(f">{len(sizes)}I", *sizes)
    return layout + head + b"".join(message.packets)


def read_measure(body: bytes) -> MeasureLoudness:
    """Read a piece of sound."""
    number, head_size, count = _MEASURE.unpack_from(body)
    sizes = struct.unpack_from(f">{count}I", body, _MEASURE.size)
    at = _MEASURE.size + 4 * count + head_size
    track = read_track(body[at - head_size : at]).track
    if not isinstance(track, AudioTrack) or at + sum(sizes) != len(body):
        raise ValueError("no sound, or cut short")
    packets = []
    for size in sizes:
        packets.append(body[at : at + size])
        at += size
    return MeasureLoudness(number, track, tuple(packets))


def read_measured(body: bytes) -> LoudnessMeasured:
    """Read how loud it is."""
    values = json.loads(body)
    return LoudnessMeasured(**values | {"blocks": tuple(map(float, values["blocks"]))})


def write_draw(message: DrawPicture) -> bytes:
    """Write a keyframe."""
    head = write_json(SetTrack(message.track))
    return _DRAW.pack(message.number, message.side, len(head)) + head + message.keyframe


def read_draw(body: bytes) -> DrawPicture:
    """Read a keyframe."""
    number, side, head_size = _DRAW.unpack_from(body)
    end = _DRAW.size + head_size
    track = read_track(body[_DRAW.size : end]).track
    if not isinstance(track, VideoTrack):
        raise TypeError("no picture")
    return DrawPicture(number, track, body[end:], side)


def read_picture(body: bytes) -> PictureDrawn:
    """Read a picture."""
    (number,) = _NUMBER.unpack_from(body)
    return PictureDrawn(number, body[_NUMBER.size :])


def write_picture(message: PictureDrawn) -> bytes:
    """Write a picture."""
    return _NUMBER.pack(message.number) + message.jpeg
