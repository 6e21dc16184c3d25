"""What the stages of ingest hand on to each other."""

from __future__ import annotations

from typing import NamedTuple


class MediaPacket(NamedTuple):
    """An RTP packet of one stream, without what only matters on the way."""

    sequence: int
    """Does not wrap."""
    timestamp: int
    """As sent: 32 bits."""
    is_marked: bool
    payload: bytes
    """Empty where the packet held padding alone: it fills its place in the sequence."""
    arrived_at: float
    """When it came, or what it repeats should have: the order is by `sequence`, not by this."""


class Hole(NamedTuple):
    """Packets that will not come."""

    packets: int


class AccessUnit(NamedTuple):
    """All of one picture, or parameter sets alone."""

    timestamp: int
    """Of RTP, 32 bits."""
    nals: tuple[bytes, ...]
    has_picture: bool
    is_keyframe: bool
    """An IDR picture."""
    arrived_at: float
    """When its first packet came."""
