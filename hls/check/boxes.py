"""Boxes of the ISO base media file format, read from anybody's files (ISO/IEC 14496-12, 4.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from media.error import PeerError

MAX_BOXES = 100_000
"""In one level of a file. A segment has two per fragment, and a fragment at least one frame."""


class BoxError(PeerError):
    """What should be boxes is none."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where a box is in its file."""

    kind: str
    """Four characters."""
    start: int
    """First byte of its head."""
    payload: int
    """First byte behind its head."""
    end: int


def read_boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Read the boxes of one level.

    Raises:
        BoxError: a box is shorter than its head, or reaches past the end.
    """
    position, end = start, len(data) if end is None else end
    for _ in range(MAX_BOXES):
        if position >= end:
            return
        if end - position < 8:
            raise BoxError(f"{end - position} bytes at {position} are no box")
        size, name = struct.unpack_from(">I4s", data, position)
        payload = position + 8
        if size == 1 and end - position >= 16:
            size, payload = struct.unpack_from(">Q", data, payload)[0], position + 16
        elif size == 0:
            size = end - position
        kind = name.decode("latin-1")
        if size < payload - position or position + size > end:
            raise BoxError(f"box {kind!r} at {position} should have {size} bytes, there are {end - position}")
        yield Box(kind, position, payload, position + size)
        position += size
    raise BoxError(f"more than {MAX_BOXES} boxes")


def find_box(data: bytes, path: str, start: int = 0, end: int | None = None) -> Box | None:
    """Find the first box at a path such as `mdia/mdhd`.

    Raises:
        BoxError: what is there is broken.
    """
    name, _, rest = path.partition("/")
    for box in read_boxes(data, start, end):
        if box.kind == name:
            return find_box(data, rest, box.payload, box.end) if rest else box
    return None


def unpack(form: str, data: bytes, position: int, end: int) -> tuple[int, ...]:
    """Unpack integers of a box, big-endian.

    Raises:
        BoxError: the box is too short.
    """
    size = struct.calcsize(f">{form}")
    if position + size > end:
        raise BoxError(f"a box is too short: {size} bytes wanted at {position}, it ends at {end}")
    return struct.unpack_from(f">{form}", data, position)


def is_fragmented(data: bytes) -> bool:
    """Tell whether bytes look like boxes and not like MPEG-TS, packed audio or text."""
    return len(data) >= 8 and data[4:8] in (
        b"styp",
        b"moof",
        b"sidx",
        b"ftyp",
        b"emsg",
        b"prft",
        b"free",
        b"moov",
    )
