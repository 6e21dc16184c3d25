"""Movie fragments: `moof` and `mdat` of one part (ISO/IEC 14496-12, 8.8).

A part is one fragment, a segment its fragments in a row. By hand: no muxer ends a fragment when told to.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from .initialization import TRACK_ID

SYNC_SAMPLE = 0x02000000  # sample_depends_on 2: on no other
NON_SYNC_SAMPLE = 0x01010000  # sample_depends_on 1, sample_is_non_sync_sample
_DEFAULT_BASE_IS_MOOF = 0x020000
_PER_SAMPLE_FIELDS = 0x000F01  # data offset; duration, size, flags and composition offset of each sample

HEAD = struct.Struct(">I4sI4sIII4sI4sIII4sIQ")
"""From `moof` to the end of `tfdt`; `head_fields` says what is in it."""
RUN_HEAD = struct.Struct(">I4sIIi")
"""`trun` up to its first sample; `run_fields` says what is in it."""
RUN_ENTRY = struct.Struct(">IIIi")
"""Duration, size, flags and composition offset of a sample."""
DATA_HEAD = struct.Struct(">I4s")
"""`mdat` up to its first byte."""

_MFHD_SIZE = 16
_TFHD_SIZE = 16
_TFDT_SIZE = 20


class FragmentSample(NamedTuple):
    """A sample as it is written; times in units of the track's timescale."""

    data: bytes
    duration: int
    is_sync: bool
    composition_offset: int
    """PTS minus DTS, may be negative."""


def fragment(sequence: int, decode_time: int, samples: Sequence[FragmentSample]) -> bytes:
    """Build a fragment.

    Args:
        sequence: `sequence_number`, rising from fragment to fragment of a track.
        decode_time: of the first sample, on the track's timescale.
        samples: in decoding order. None at all is allowed: the frame before lasts on.
    """
    count = len(samples)
    moof_size = HEAD.size + (run_size(count) if samples else 0)
    payload_size = sum(len(sample.data) for sample in samples)
    head = HEAD.pack(*head_fields(moof_size, sequence & 0xFFFFFFFF, decode_time))
    run = _track_run(samples, moof_size) if samples else b""
    return b"".join(
        (head, run, DATA_HEAD.pack(DATA_HEAD.size + payload_size, b"mdat"), *[item.data for item in samples])
    )


def head_fields(moof_size: int, sequence: int, decode_time: int) -> tuple[int | bytes, ...]:
    """List what `HEAD` holds."""
    return (
        *(moof_size, b"moof"),
        *(_MFHD_SIZE, b"mfhd", 0, sequence),
        *(moof_size - 8 - _MFHD_SIZE, b"traf"),
        *(_TFHD_SIZE, b"tfhd", _DEFAULT_BASE_IS_MOOF, TRACK_ID),
        *(_TFDT_SIZE, b"tfdt", 1 << 24, decode_time),
    )


def run_fields(count: int, moof_size: int) -> tuple[int | bytes, ...]:
    """List what `RUN_HEAD` holds; the first byte of the first sample lies behind `moof` and the head of `mdat`."""
    return run_size(count), b"trun", 1 << 24 | _PER_SAMPLE_FIELDS, count, moof_size + DATA_HEAD.size


def run_size(count: int) -> int:
    """Say how many bytes a `trun` of so many samples has."""
    return RUN_HEAD.size + RUN_ENTRY.size * count


def _track_run(samples: Sequence[FragmentSample], moof_size: int) -> bytes:
    entries: list[int] = []
    for data, duration, is_sync, composition_offset in samples:
        entries += (duration, len(data), SYNC_SAMPLE if is_sync else NON_SYNC_SAMPLE, composition_offset)
    count = len(samples)
    return RUN_HEAD.pack(*run_fields(count, moof_size)) + struct.pack(">" + "IIIi" * count, *entries)
