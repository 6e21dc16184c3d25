"""Parameter sets out of decoder configuration records, as packaging needs them (ISO/IEC 14496-15)."""

from __future__ import annotations

from collections.abc import Iterator

from media.h264 import parse_avc_config
from media.packet import VideoTrack

HEVC_SETS = range(32, 35)
"""NAL unit types of VPS, SPS and PPS (ITU-T H.265, table 7-1)."""

ARRAYS = 22
"""Where the number of arrays stands in hvcC (8.3.3.1.2)."""

COMPLETE = 0x80
"""`array_completeness`: no such NAL unit comes in the samples that the record does not hold."""


def parameter_sets(track: VideoTrack) -> list[bytes]:
    """List the NAL units that a decoder has to have before the first picture.

    Returns:
        Nothing for AV1, whose sequence header stands in each key temporal unit.
    """
    if track.codec == "h264":
        config = parse_avc_config(track.config)
        return [*config.sps, *config.pps]
    if track.codec == "hevc":
        return [nal for _, kind, nals in _arrays(track.config) if kind in HEVC_SETS for nal in nals]
    return []


def complete_arrays(config: bytes) -> bytes:
    """Say in hvcC that its parameter sets are all there are: `hvc1` demands it (8.4.1.1), encoders forget it."""
    record = bytearray(config)
    for position, kind, _ in _arrays(config):
        if kind in HEVC_SETS:
            record[position] |= COMPLETE
    return bytes(record)


def _arrays(config: bytes) -> Iterator[tuple[int, int, list[bytes]]]:
    """Yield where each array of hvcC begins, its NAL unit type and its NAL units."""
    position = ARRAYS + 1
    for _ in range(config[ARRAYS]):
        start, nals = position, []
        count = int.from_bytes(config[start + 1 : start + 3], "big")
        position += 3
        for _ in range(count):
            size = int.from_bytes(config[position : position + 2], "big")
            nals.append(config[position + 2 : position + 2 + size])
            position += 2 + size
        yield start, config[start] & 0x3F, nals
