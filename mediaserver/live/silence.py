"""Silence where a source has none to give, so that every video broadcast has an audio rendition.

None can be added once players have read the multivariant playlist. A silent AAC-LC frame is a handful of constant
bytes, so this needs no encoder and no worker.
"""

from __future__ import annotations

from collections.abc import Iterator

from media.aac import silent_frame
from media.packet import CLOCK_HZ, AudioTrack, Packet
from media.timing import rescale


def silent_packets(track: AudioTrack, start: int, end: int) -> Iterator[Packet]:
    """Yield silent packets of an AAC-LC track that begin in [start, end), in ticks, on the track's sample grid."""
    data = silent_frame(min(track.channels, 2))
    frame = track.frame_samples
    index = start * track.sample_rate // (CLOCK_HZ * frame)
    while (at := rescale(index * frame, CLOCK_HZ, track.sample_rate)) < end:
        if at >= start:
            yield Packet(track, at, at, data, is_keyframe=True)
        index += 1
