"""NAL unit framing, common to H.264 and HEVC: Annex B start codes and length prefixes (ISO/IEC 14496-15)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

from media.error import PeerError

START_CODE = b"\x00\x00\x00\x01"

MAX_NALS = 16_384
"""In an access unit: 8K in slices of a network packet each has some thousands. A unit costs about a microsecond, and a
message full of empty ones would hold up everybody else for seconds."""

_START_CODE = re.compile(b"\x00\x00\x01")
_EMULATION_PREVENTION = re.compile(b"\x00\x00\x03")


def split_annexb(data: bytes) -> list[bytes]:
    """Split an Annex B byte stream into NAL units that are not empty.

    Raises:
        PeerError: they are too many.
    """
    matches = list(islice(_START_CODE.finditer(data), MAX_NALS + 1))
    _check_count(len(matches))
    ends = [*(match.start() for match in matches), len(data)][1:]
    # A NAL unit never ends in a zero byte (7.4.1), so zeros before a start code belong to the start code.
    nals = [data[match.end() : end].rstrip(b"\x00") for match, end in zip(matches, ends, strict=True)]
    return [nal for nal in nals if nal]


def split_length_prefixed(data: bytes, length_size: int = 4) -> list[bytes]:
    """Split an access unit of length-prefixed NAL units; empty ones are left out.

    Raises:
        PeerError: a length reaches past the end, or they are too many.
    """
    nals: list[bytes] = []
    count, position, end = 0, 0, len(data)
    while position < end:
        count += 1
        _check_count(count)
        start = position + length_size
        position = start + int.from_bytes(data[position:start], "big")
        if start > end or position > end:
            raise PeerError(f"NAL unit is cut short: it should end at byte {position} of {end}")
        if position > start:
            nals.append(data[start:position])
    return nals


def _check_count(count: int) -> None:
    if count > MAX_NALS:
        raise PeerError(f"access unit of more than {MAX_NALS} NAL units")


def join_length_prefixed(nals: Iterable[bytes]) -> bytes:
    """Join NAL units, each behind its length in four bytes."""
    return b"".join(part for nal in nals for part in (len(nal).to_bytes(4, "big"), nal))


def join_annexb(nals: Iterable[bytes]) -> bytes:
    """Join NAL units, each behind a start code of four bytes."""
    return b"".join(part for nal in nals for part in (START_CODE, nal))


def unescape(nal: bytes) -> bytes:
    """Remove the emulation prevention bytes of a NAL unit (H.264 and HEVC, 7.3.1.1)."""
    return _EMULATION_PREVENTION.sub(b"\x00\x00", nal)
