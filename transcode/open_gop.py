"""Keyframes at which decoding can begin, but not without loss. Pure."""

from __future__ import annotations

from media.hevc import nal_type
from media.packet import Packet, VideoTrack

_CRA_NUT = 21
_FIRST_NON_VCL = 32
_LENGTH_SIZE = 4


def is_open(packet: Packet) -> bool:
    """Tell whether pictures behind this keyframe may be shown before it and refer to what precedes it.

    That is a CRA picture of HEVC (ITU-T H.265, 3.11): a decoder that begins there leaves its leading pictures out. The
    keyframes of the other codecs, and IDR pictures of HEVC, are closed to what came before.
    """
    if not isinstance(packet.track, VideoTrack) or packet.track.codec != "hevc":
        return False
    position, data = 0, packet.data
    while position + _LENGTH_SIZE < len(data):
        kind = nal_type(data[position + _LENGTH_SIZE :][:1])
        if kind < _FIRST_NON_VCL:
            return kind == _CRA_NUT
        position += _LENGTH_SIZE + int.from_bytes(data[position : position + _LENGTH_SIZE], "big")
    return False
