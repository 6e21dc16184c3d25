"""Messages, or heads of them, that are JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from fractions import Fraction
from typing import Any

from media.packet import AudioTrack, VideoTrack
from transcode.message import SetTrack


def write_json(message: Any) -> bytes:
    """Write a message."""
    values = asdict(message)
    return json.dumps(values, default=_json_value).encode()


def _json_value(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def read_track(body: bytes) -> SetTrack:
    """Read a track."""
    message = json.loads(body)
    values, threads, is_shrunk = message["track"], int(message["threads"]), bool(message["is_shrunk"])
    values["config"] = bytes.fromhex(values["config"])
    if "sample_rate" in values:
        return SetTrack(AudioTrack(**values), threads, is_shrunk)
    rate = values["frame_rate"]
    values["frame_rate"] = None if rate is None else Fraction(rate)
    values["sample_aspect_ratio"] = Fraction(values["sample_aspect_ratio"])
    return SetTrack(VideoTrack(**values), threads, is_shrunk)
