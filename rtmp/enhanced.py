"""The headers of Enhanced RTMP v2 that video and audio have in common: ModEx, FourCC and multitrack.

Source: Veovera, Enhanced RTMP v2, "Enhanced Audio" and "Enhanced Video" (ExAudioTagHeader, ExVideoTagHeader).
"""

from __future__ import annotations

from dataclasses import dataclass

from media.error import PeerError
from media.packet import CLOCK_HZ
from media.timing import rescale

SEQUENCE_START = 0
CODED_FRAMES = 1
_MOD_EX = 7

_ONE_TRACK, _MANY_TRACKS, _MANY_CODECS = 0, 1, 2

_TIMESTAMP_OFFSET_NANO = 0
MAX_OFFSET_NS = 999_999
"""A whole millisecond belongs into the timestamp; a larger number is another unit or garbage."""

MAX_MODIFIERS = 16
"""ModEx headers before one packet; one kind is defined."""

MAX_TRACKS = 8
"""Tracks of a kind that a publisher may send: OBS offers six of sound and sends up to five of video. Each has the
state of a decoder configuration, and each video track may become a quality."""


@dataclass(frozen=True, slots=True)
class TrackBody:
    """What one tag holds of one track."""

    fourcc: bytes
    track_id: int
    data: bytes
    """Behind all headers; of coded frames with their composition time where the codec has one."""


@dataclass(frozen=True, slots=True)
class EnhancedTag:
    """A tag, its headers read."""

    packet_type: int
    """Of all bodies; never Multitrack or ModEx."""
    offset_ns: int
    """To be added to the time of the message."""
    bodies: tuple[TrackBody, ...]
    """Empty for what is not known here: new kinds of packets may appear, and old receivers pass over them."""

    @property
    def offset_ticks(self) -> int:
        """`offset_ns` on the clock of packets, rounded."""
        return rescale(self.offset_ns, CLOCK_HZ, 1_000_000_000)


class _Cursor:
    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._position = position

    @property
    def is_at_end(self) -> bool:
        return self._position >= len(self._data)

    def take(self, size: int) -> bytes:
        start, self._position = self._position, self._position + size
        if self._position > len(self._data):
            raise PeerError(f"Enhanced RTMP tag is cut short at byte {len(self._data)}")
        return self._data[start : self._position]

    def take_int(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def take_rest(self) -> bytes:
        return self.take(len(self._data) - self._position)


def parse_enhanced(payload: bytes, multitrack_type: int, known_types: frozenset[int]) -> EnhancedTag:
    """Parse a tag of Enhanced RTMP.

    Args:
        payload: of the message; the packet type is in the low half of its first byte.
        multitrack_type: the packet type that stands for Multitrack; audio and video differ.
        known_types: of packets that carry something for the caller; others come without bodies.

    Raises:
        PeerError: a header or the body of a track is cut short, or over a bound.
    """
    packet_type, cursor, offset_ns = payload[0] & 0x0F, _Cursor(payload, 1), 0
    modifiers = 0
    while packet_type == _MOD_EX:
        modifiers += 1
        if modifiers > MAX_MODIFIERS:
            raise PeerError(f"Enhanced RTMP tag with more than {MAX_MODIFIERS} modifiers")
        packet_type, offset_ns = _read_modifier(cursor, offset_ns)
    if packet_type == multitrack_type:
        packet_type, bodies = _read_tracks(cursor, known_types)
        return EnhancedTag(packet_type, offset_ns, bodies)
    if packet_type not in known_types:
        return EnhancedTag(packet_type, offset_ns, ())
    return EnhancedTag(packet_type, offset_ns, (TrackBody(cursor.take(4), 0, cursor.take_rest()),))


def _read_modifier(cursor: _Cursor, offset_ns: int) -> tuple[int, int]:
    """Read a ModEx header; return the packet type that follows and the offset, changed if it is about that."""
    size = cursor.take_int(1) + 1
    if size == 256:
        size = cursor.take_int(2) + 1
    data = cursor.take(size)
    kinds = cursor.take_int(1)
    if kinds >> 4 == _TIMESTAMP_OFFSET_NANO:
        value = int.from_bytes(data[:3], "big")
        if len(data) >= 3 and value <= MAX_OFFSET_NS:
            offset_ns = value
    return kinds & 0x0F, offset_ns


def _read_tracks(cursor: _Cursor, known_types: frozenset[int]) -> tuple[int, tuple[TrackBody, ...]]:
    kinds = cursor.take_int(1)
    layout, packet_type = kinds >> 4, kinds & 0x0F
    if layout > _MANY_CODECS or packet_type not in known_types:
        return packet_type, ()
    fourcc = b"" if layout == _MANY_CODECS else cursor.take(4)
    if layout == _ONE_TRACK:
        return packet_type, (TrackBody(fourcc, cursor.take_int(1), cursor.take_rest()),)
    bodies = []
    while not cursor.is_at_end:
        own_fourcc = fourcc or cursor.take(4)
        track_id = cursor.take_int(1)
        bodies.append(TrackBody(own_fourcc, track_id, cursor.take(cursor.take_int(3))))
        if len(bodies) > MAX_TRACKS:
            raise PeerError(f"Enhanced RTMP tag with more than {MAX_TRACKS} tracks")
    return packet_type, tuple(bodies)
