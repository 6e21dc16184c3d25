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

# Keys of the map that tells the other tracks of Enhanced RTMP ("Enhancing onMetaData"): track ids in one byte.
_TRACK_IDS = frozenset(str(track_id) for track_id in range(1, 256))


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


def bitrates_bps(metadata: Mapping[str, object], kind: str) -> dict[int, int]:
    """Return the announced bitrates that are sane numbers, by track id.

    Args:
        metadata: of onMetaData.
        kind: `audio` or `video`.
    """
    name = f"{kind}datarate"
    tracks: dict[int, object] = {0: metadata}
    others = metadata.get(f"{kind}TrackIdInfoMap")
    if isinstance(others, dict):
        tracks |= {int(key): value for key, value in others.items() if key in _TRACK_IDS}
    found = {
        track_id: _bitrate_bps(value.get(name))
        for track_id, value in tracks.items()
        if isinstance(value, Mapping)
    }
    return {track_id: bitrate for track_id, bitrate in found.items() if bitrate}


def _bitrate_bps(kilobits: object) -> int:
    """Return an announced bitrate, which is in kilobits; 0 when it is not a sane number."""
    if isinstance(kilobits, float) and 0 < kilobits <= MAX_BITRATE_KBPS:
        return int(kilobits * 1000)
    return 0
