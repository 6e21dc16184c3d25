"""A reader of fragments for tests: what a player would find in the bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf", b"dinf"}


class ReadSample(NamedTuple):
    dts: int
    pts: int
    duration: int
    is_sync: bool
    data: bytes


def walk(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start of payload, end) of all boxes, containers first."""
    end = len(data) if end is None else end
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        assert 8 <= size <= end - start, (kind, size)
        yield kind, start + 8, start + size
        if kind in CONTAINERS:
            yield from walk(data, start + 8, start + size)
        start += size
    assert start == end


def find(data: bytes, kind: bytes) -> bytes:
    start, end = next((start, end) for found, start, end in walk(data) if found == kind)
    return data[start:end]


def read_fragments(data: bytes) -> list[ReadSample]:
    """Read the samples of fragments in a row, each with a `tfdt` and at most one `trun` (both version 1)."""
    samples: list[ReadSample] = []
    moof = dts = 0
    for kind, start, end in walk(data):
        if kind == b"moof":
            moof = start - 8
        elif kind == b"tfhd":
            assert data[start:end] == struct.pack(">II", 0x020000, 1)
        elif kind == b"tfdt":
            assert data[start] == 1
            (dts,) = struct.unpack_from(">Q", data, start + 4)
        elif kind == b"trun":
            flags, count, offset = struct.unpack_from(">IIi", data, start)
            assert flags == 0x01000F01
            position = moof + offset
            for index in range(count):
                duration, size, sample_flags, shift = struct.unpack_from(
                    ">IIIi", data, start + 12 + 16 * index
                )
                is_sync = not sample_flags & 0x10000
                samples.append(
                    ReadSample(dts, dts + shift, duration, is_sync, data[position : position + size])
                )
                position += size
                dts += duration
            assert end == start + 12 + 16 * count
    return samples
