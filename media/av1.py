"""AV1 facts: the av1C record (AV1 Codec ISO Media File Format Binding, 2.3.3) and the track it describes."""

from __future__ import annotations

from media.av1_sequence import Av1Sequence, parse_av1_sequence
from media.configuration import check_configuration_size
from media.error import PeerError
from media.obu import SEQUENCE_HEADER, split_obus, write_obu
from media.packet import VideoTrack

_MARKER_AND_VERSION = 0x81
_FIXED_BYTES = 4


def av1_config(sequence_header: bytes) -> bytes:
    """Write the av1C record of a sequence header.

    Args:
        sequence_header: the payload of the unit.

    Raises:
        PeerError: the header is damaged or too large.
    """
    check_configuration_size("AV1", len(sequence_header))
    sequence = parse_av1_sequence(sequence_header)
    color = sequence.color
    flags = sequence.tier << 7 | (color.bit_depth > 8) << 6 | (color.bit_depth == 12) << 5
    flags |= color.is_monochrome << 4 | color.subsampling_x << 3 | color.subsampling_y << 2
    head = [
        _MARKER_AND_VERSION,
        sequence.profile << 5 | sequence.level,
        flags | color.chroma_sample_position,
        0,
    ]
    return bytes(head) + write_obu(SEQUENCE_HEADER, sequence_header)


def sequence_header_of(config: bytes) -> bytes:
    """Return the payload of the sequence header in an av1C record; empty when there is none.

    Raises:
        PeerError: the record is cut short or of another version.
    """
    if len(config) < _FIXED_BYTES or config[0] != _MARKER_AND_VERSION:
        raise PeerError("AV1 configuration (av1C) is missing or cut short")
    units = split_obus(config[_FIXED_BYTES:])
    return next((unit.payload for unit in units if unit.kind == SEQUENCE_HEADER), b"")


def av1_track(config: bytes, bitrate_bps: int | None = None) -> VideoTrack:
    """Describe the track of an av1C record.

    Raises:
        PeerError: the record is damaged or holds no sequence header.
    """
    header = sequence_header_of(config)
    if not header:
        raise PeerError("AV1 configuration (av1C) holds no sequence header")
    sequence = parse_av1_sequence(header)
    return VideoTrack(
        codec="av1",
        config=config,
        codec_string=codec_string(sequence),
        width=sequence.width,
        height=sequence.height,
        frame_rate=sequence.frame_rate,
        bit_depth=sequence.color.bit_depth,
        chroma_format_idc=sequence.color.chroma_format_idc,
        bitrate_bps=bitrate_bps,
    )


def codec_string(sequence: Av1Sequence) -> str:
    """Name the profile for CODECS, such as `av01.0.08M.08` (section 5 of the binding)."""
    tier = "H" if sequence.tier else "M"
    return f"av01.{sequence.profile}.{sequence.level:02d}{tier}.{sequence.color.bit_depth:02d}"
