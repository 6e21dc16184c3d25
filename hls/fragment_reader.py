"""Movie fragments read back: the samples of a segment, as `hls.fragment` has written them.

No demuxer: one layout is known, and what departs from it is refused, since a segment may have been on a disk.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from media.error import MediaServerError

from .fragment import (
    DATA_HEAD,
    HEAD,
    NON_SYNC_SAMPLE,
    RUN_ENTRY,
    RUN_HEAD,
    SYNC_SAMPLE,
    head_fields,
    run_fields,
)

MAX_SAMPLES = 100_000
"""Of a segment: half an hour at 60 frames a second. Samples without bytes cost sixteen in the file and ten times that
in memory."""


class FragmentError(MediaServerError):
    """What should be a segment of ours is none."""


class StoredSample(NamedTuple):
    """A sample as it was written, times in units of the track's timescale."""

    dts: int
    """Earlier than on the timeline by the track's lead, see `hls.writer.VideoWriter.set_track`."""
    pts: int
    duration: int
    data: memoryview
    """A piece of the segment, which it keeps in memory."""
    is_sync: bool


def read_fragments(data: bytes | memoryview) -> list[StoredSample]:
    """Read the samples of a segment, in decoding order: fragments in a row, some of them empty.

    Raises:
        FragmentError: it is cut short, damaged, or was not written by `hls.fragment`.
    """
    samples: list[StoredSample] = []
    view, position = memoryview(data).toreadonly(), 0
    while position < len(view):
        try:
            position = _read_fragment(view, position, samples)
        except struct.error as error:
            raise FragmentError(f"the fragment at byte {position} is cut short") from error
    return samples


def _read_fragment(view: memoryview, start: int, samples: list[StoredSample]) -> int:
    """Read one fragment and return where it ends."""
    head = HEAD.unpack_from(view, start)
    moof_size, sequence, decode_time = head[0], head[5], head[-1]
    if head != head_fields(moof_size, sequence, decode_time):
        raise FragmentError(f"the fragment at byte {start} has another layout")
    entries = _read_run(view[start:], moof_size)
    if len(samples) + len(entries) > MAX_SAMPLES:
        raise FragmentError(f"a segment of more than {MAX_SAMPLES} samples")
    end: int = start + moof_size + DATA_HEAD.size
    dts: int = decode_time
    for duration, size, flags, offset in entries:
        if flags not in (SYNC_SAMPLE, NON_SYNC_SAMPLE):
            raise FragmentError(f"a sample of the fragment at byte {start} has flags {flags:#x}")
        samples.append(
            StoredSample(dts, dts + offset, duration, view[end : end + size], flags == SYNC_SAMPLE)
        )
        dts += duration
        end += size
    payload_size, kind = DATA_HEAD.unpack_from(view, start + moof_size)
    if kind != b"mdat" or start + moof_size + payload_size != end or end > len(view):
        raise FragmentError(f"the samples of the fragment at byte {start} do not fill its data")
    return end


def _read_run(fragment: memoryview, moof_size: int) -> list[tuple[int, int, int, int]]:
    if moof_size == HEAD.size:
        return []
    run = RUN_HEAD.unpack_from(fragment, HEAD.size)
    begin = HEAD.size + RUN_HEAD.size
    count, rest = divmod(moof_size - begin, RUN_ENTRY.size)
    if rest or count < 1 or run != run_fields(count, moof_size) or moof_size > len(fragment):
        raise FragmentError("a track run does not fill its fragment")
    return list(RUN_ENTRY.iter_unpack(fragment[begin:moof_size]))
