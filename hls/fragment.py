"""Movie fragments: `moof` and `mdat` of one part (ISO/IEC 14496-12, 8.8).

A part is one fragment, a segment its fragments in a row. By hand: no muxer ends a fragment when told to.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from .initialization import TRACK_ID

_SYNC_SAMPLE = 0x02000000  # sample_depends_on 2: on no other
_NON_SYNC_SAMPLE = 0x01010000  # sample_depends_on 1, sample_is_non_sync_sample
_DEFAULT_BASE_IS_MOOF = 0x020000
_PER_SAMPLE_FIELDS = 0x000F01  # data offset; duration, size, flags and composition offset of each sample

_MFHD_SIZE = 16
_TFHD_SIZE = 16
_TFDT_SIZE = 20
_TRUN_SIZE = 20
_TRUN_ENTRY_SIZE = 16


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
    run_size = _TRUN_SIZE + _TRUN_ENTRY_SIZE * len(samples) if samples else 0
    traf_size = 8 + _TFHD_SIZE + _TFDT_SIZE + run_size
    moof_size = 8 + _MFHD_SIZE + traf_size
    payload_size = sum(len(sample.data) for sample in samples)
    head = struct.pack(
        ">I4sI4sIII4sI4sIII4sIQ",
        *(moof_size, b"moof"),
        *(_MFHD_SIZE, b"mfhd", 0, sequence & 0xFFFFFFFF),
        *(traf_size, b"traf"),
        *(_TFHD_SIZE, b"tfhd", _DEFAULT_BASE_IS_MOOF, TRACK_ID),
        *(_TFDT_SIZE, b"tfdt", 1 << 24, decode_time),
    )
    run = _track_run(samples, moof_size + 8, run_size) if samples else b""
    mdat = struct.pack(">I4s", 8 + payload_size, b"mdat")
    return b"".join((head, run, mdat, *[sample.data for sample in samples]))


def _track_run(samples: Sequence[FragmentSample], data_offset: int, size: int) -> bytes:
    entries: list[int] = []
    for data, duration, is_sync, composition_offset in samples:
        entries += (duration, len(data), _SYNC_SAMPLE if is_sync else _NON_SYNC_SAMPLE, composition_offset)
    count = len(samples)
    header = struct.pack(">I4sIIi", size, b"trun", 1 << 24 | _PER_SAMPLE_FIELDS, count, data_offset)
    return header + struct.pack(">" + "IIIi" * count, *entries)
