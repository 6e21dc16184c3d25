"""Open bitstream units, the framing of AV1 (AV1 Bitstream, 5.3 and 4.10.5)."""

from __future__ import annotations

from dataclasses import dataclass

from media.error import PeerError

SEQUENCE_HEADER = 1
TEMPORAL_DELIMITER = 2

_HAS_EXTENSION = 0x04
_HAS_SIZE = 0x02

MAX_LEB128_BYTES = 8
"""Of a size (4.10.5)."""

MAX_OBUS = 1024
"""In a temporal unit: the largest picture has 128 tiles (A.3), each in a unit of its own at worst, in a few layers. A
message full of empty ones would hold up everybody else for seconds."""


@dataclass(frozen=True, slots=True)
class Obu:
    """One unit, with and without its header."""

    kind: int
    """obu_type."""
    payload: bytes
    data: bytes
    """The whole unit, header included."""


def split_obus(data: bytes) -> list[Obu]:
    """Split a temporal unit or what follows in an av1C record; the last unit may lack its size.

    Raises:
        PeerError: a unit reaches past the end, or they are too many.
    """
    obus: list[Obu] = []
    start, end = 0, len(data)
    while start < end:
        header = data[start]
        position = start + (2 if header & _HAS_EXTENSION else 1)
        size = end - position
        if header & _HAS_SIZE:
            size, position = _read_leb128(data, position)
        stop = position + size
        if size < 0 or stop > end:
            raise PeerError(f"AV1 unit is cut short: it should end at byte {stop} of {end}")
        obus.append(Obu(header >> 3 & 15, data[position:stop], data[start:stop]))
        if len(obus) > MAX_OBUS:
            raise PeerError(f"AV1 temporal unit of more than {MAX_OBUS} units")
        start = stop
    return obus


def write_obu(kind: int, payload: bytes) -> bytes:
    """Write a unit with its size."""
    size, length = len(payload), b""
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([kind << 3 | _HAS_SIZE]) + length + bytes([size]) + payload


def _read_leb128(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[position : position + MAX_LEB128_BYTES]):
        value |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            return value, position + index + 1
    raise PeerError("AV1 unit is cut short inside its size")
