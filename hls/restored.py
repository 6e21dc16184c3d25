"""A broadcast's past, put together again for the process that goes on with it."""

from __future__ import annotations

from dataclasses import dataclass

from media.error import LocalStateError
from media.packet import CLOCK_HZ, AudioTrack

from .initialization import audio_init, video_init
from .ledger import Entry, Remembered, RememberedRendition, Track
from .published import PublishedSegment
from .timeline import Checkpoint, Segment

MAX_MISSING = 8
"""Segments that the ledger may lack at its end: what was being cut, and what had not been written. They are gaps."""


@dataclass(slots=True)
class RestoredRendition:
    """One rendition's past."""

    items: list[PublishedSegment]
    """All settled; media sequence numbers without a hole, up to the last one that was used."""
    tracks: dict[int, Track]
    """By generation."""

    @property
    def inits(self) -> dict[int, bytes]:
        """Initialization segments by generation: they are a function of the track."""
        return {
            generation: audio_init(track) if isinstance(track, AudioTrack) else video_init(track)
            for generation, track in self.tracks.items()
        }


@dataclass(slots=True)
class Restored:
    """The past of all renditions."""

    segments: list[Segment]
    """Media sequence numbers without a hole, up to the last one that was used."""
    renditions: dict[str, RestoredRendition]


def restore(found: Remembered, checkpoint: Checkpoint) -> Restored | None:
    """Put the past together, as it leads up to a checkpoint.

    Returns:
        None when it does not lead there.
    """
    segments = _segments(found, checkpoint)
    if not segments:
        return None
    renditions = {
        name: restored
        for name, rendition in found.renditions.items()
        if (restored := _rendition(rendition, segments)) is not None
    }
    return Restored(segments, renditions)


def _segments(found: Remembered, checkpoint: Checkpoint) -> list[Segment]:
    newest_msn = max(found.segments, default=-1)
    segments: list[Segment] = []
    while (segment := found.segments.get(newest_msn - len(segments))) is not None:
        if segments and segment.end > segments[-1].start:
            break
        segments.append(segment)
    segments.reverse()
    missing = checkpoint.next_msn - 1 - newest_msn
    if not segments or not 0 <= missing <= MAX_MISSING:
        return []
    return segments + _missing(segments[-1], missing, checkpoint)


def _missing(last: Segment, count: int, checkpoint: Checkpoint) -> list[Segment]:
    """Stand in for segments of which nothing is known but that there were so many, up to a position."""
    made: list[Segment] = []
    discontinuities = last.discontinuities_before + last.is_discontinuity
    for index in range(count):
        start = made[-1].end if made else last.end
        length = max(1, (checkpoint.position - start) // (count - index))
        is_discontinuity = discontinuities < checkpoint.discontinuity_sequence
        date = last.program_date_time + (start - last.start) / CLOCK_HZ
        segment = Segment(
            last.msn + 1 + index, last.generation, start, date, is_discontinuity, discontinuities
        )
        segment.part_ends.append(start + length)
        segment.is_closed = True
        discontinuities += is_discontinuity
        made.append(segment)
    return made


def _rendition(found: RememberedRendition, segments: list[Segment]) -> RestoredRendition | None:
    entries = {segment.msn: found.entries.get(segment.msn) for segment in segments}
    first_msn = min((msn for msn, entry in entries.items() if entry is not None), default=None)
    if first_msn is None:
        return None
    items: list[PublishedSegment] = []
    for segment in segments:
        if segment.msn >= first_msn:
            items.append(_item(segment, entries[segment.msn], items[-1] if items else None, found))
    listed = {item.generation for item in items}
    return RestoredRendition(items, {gen: track for gen, track in found.tracks.items() if gen in listed})


def _item(
    segment: Segment, entry: Entry | None, before: PublishedSegment | None, found: RememberedRendition
) -> PublishedSegment:
    if entry is None:
        if before is None:
            raise LocalStateError("the first segment of a rendition is one that is known")
        return PublishedSegment.remembered(
            segment, before.generation, before.has_init, (segment.end - segment.start) / CLOCK_HZ
        )
    return PublishedSegment.remembered(
        segment,
        entry.generation,
        entry.generation in found.tracks,
        entry.duration_s,
        size_bytes=entry.size_bytes,
        is_promised=entry.is_promised and entry.generation in found.tracks,
    )
