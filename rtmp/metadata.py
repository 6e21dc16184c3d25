"""`onMetaData`: what the encoder says about its stream. Often absent, late or wrong: little is made of it."""

from __future__ import annotations

from collections.abc import Mapping

from media.error import PeerError
from rtmp.chunk import Message
from rtmp.command import message_values
from rtmp.message import DATA_AMF3

MAX_METADATA_BYTES = 256 << 10
"""Larger data messages are not for us; onMetaData has about a kilobyte."""

MAX_BITRATE_KBPS = 1_000_000
"""An announced bitrate above this is a mistake."""


def read_metadata(message: Message) -> Mapping[str, object] | None:
    """Read onMetaData, with or without @setDataFrame; None for any other data, damaged data included."""
    if len(message.payload) > MAX_METADATA_BYTES:
        return None
    try:
        values = message_values(message, DATA_AMF3)
    except PeerError:
        return None
    if values[:1] == ["@setDataFrame"]:
        values = values[1:]
    if len(values) < 2 or values[0] != "onMetaData" or not isinstance(values[1], dict):
        return None
    return values[1]


def bitrate_bps(metadata: Mapping[str, object], name: str) -> int | None:
    """Return an announced bitrate, which is in kilobits, if it is a sane number."""
    kilobits = metadata.get(name)
    if isinstance(kilobits, float) and 0 < kilobits <= MAX_BITRATE_KBPS:
        return int(kilobits * 1000)
    return None
