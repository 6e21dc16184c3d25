"""H.264 facts: NAL unit types, the avcC record (ISO/IEC 14496-15, 5.3.3.1) and the track it describes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from media.configuration import check_configuration_size
from media.error import PeerError
from media.nal import join_annexb, join_length_prefixed, split_annexb, split_length_prefixed
from media.packet import VideoTrack
from media.sps import NAL_SPS, Sps, parse_sps

__all__ = [
    "NAL_SPS",
    "AvcConfig",
    "Sps",
    "contains_idr",
    "h264_track",
    "join_annexb",
    "join_length_prefixed",
    "nal_type",
    "parse_avc_config",
    "parse_sps",
    "split_annexb",
    "split_length_prefixed",
    "with_parameter_sets",
]

NAL_IDR = 5
NAL_PPS = 8

MAX_SPS, MAX_PPS = 31, 255
"""What the counts in an avcC record can say."""

# Profiles whose avcC lacks the extension with chroma format and bit depth (14496-15, 5.3.3.1.2).
_PROFILES_WITHOUT_EXTENSION = frozenset({66, 77, 88})


def nal_type(nal: bytes) -> int:
    """Return the nal_unit_type of a NAL unit that is not empty."""
    return nal[0] & 0x1F


def contains_idr(data: bytes) -> bool:
    """Tell whether an access unit with four-byte length prefixes holds a slice of an IDR picture."""
    position, end = 0, len(data) - 4
    while position < end:
        if data[position + 4] & 0x1F == NAL_IDR:
            return True
        position += 4 + int.from_bytes(data[position : position + 4], "big")
    return False


@dataclass(frozen=True, slots=True)
class AvcConfig:
    """AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1)."""

    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    length_size: int = 4
    """Bytes of the length before each NAL unit: 1, 2 or 4."""

    def serialize(self) -> bytes:
        """Write the record, for the High profiles with chroma format and bit depths.

        Raises:
            PeerError: it has no room for so much.
        """
        if len(self.sps) > MAX_SPS or len(self.pps) > MAX_PPS:
            raise PeerError(
                f"H.264 configuration of {len(self.sps)} sequence and {len(self.pps)} picture parameter sets"
            )
        check_configuration_size("H.264", sum(map(len, self.sps + self.pps)))
        facts = parse_sps(self.sps[0])
        record = bytes([1, facts.profile_idc, facts.constraint_flags, facts.level_idc])
        record += bytes([0xFC | self.length_size - 1, 0xE0 | len(self.sps)]) + _join_sets(self.sps)
        record += bytes([len(self.pps)]) + _join_sets(self.pps)
        if facts.profile_idc in _PROFILES_WITHOUT_EXTENSION:
            return record
        depths = [0xF8 | facts.bit_depth - 8, 0xF8 | facts.bit_depth_chroma - 8]
        return record + bytes([0xFC | facts.chroma_format_idc, *depths, 0])


def parse_avc_config(data: bytes) -> AvcConfig:
    """Parse an avcC record.

    Raises:
        PeerError: it is cut short, of another version, or without parameter sets.
    """
    if len(data) < 7 or data[0] != 1:
        raise PeerError("H.264 configuration (avcC) is missing or cut short")
    length_size = (data[4] & 3) + 1
    if length_size == 3:
        raise PeerError("H.264 configuration (avcC) has NAL unit lengths of 3 bytes, which do not exist")
    sps, position = _read_sets(data, 6, data[5] & 0x1F)
    if position >= len(data):
        raise PeerError("H.264 configuration (avcC) is cut short before its picture parameter sets")
    pps, _ = _read_sets(data, position + 1, data[position])
    if not sps or not pps:
        raise PeerError("H.264 configuration (avcC) holds no parameter sets")
    return AvcConfig(sps, pps, length_size)


def _read_sets(data: bytes, position: int, count: int) -> tuple[tuple[bytes, ...], int]:
    sets = []
    for _ in range(count):
        start = position + 2
        position = start + int.from_bytes(data[position:start], "big")
        if start > len(data) or position > len(data):
            raise PeerError("H.264 configuration (avcC) is cut short inside a parameter set")
        if position > start:
            sets.append(data[start:position])
    return tuple(sets), position


def _join_sets(sets: tuple[bytes, ...]) -> bytes:
    return b"".join(len(item).to_bytes(2, "big") + item for item in sets)


def h264_track(config: bytes, bitrate_bps: int | None = None) -> VideoTrack:
    """Describe the track of an avcC record.

    Returns:
        A track whose `config` says four-byte lengths, whatever the record said, as packets here have them.

    Raises:
        PeerError: the record is damaged or too large.
    """
    record = replace(parse_avc_config(config), length_size=4)
    sps = parse_sps(record.sps[0])
    return VideoTrack(
        codec="h264",
        config=record.serialize(),
        codec_string=sps.codec_string,
        width=sps.width,
        height=sps.height,
        frame_rate=sps.frame_rate,
        sample_aspect_ratio=sps.sample_aspect_ratio,
        bit_depth=sps.bit_depth,
        chroma_format_idc=sps.chroma_format_idc,
        bitrate_bps=bitrate_bps,
    )


def with_parameter_sets(config: bytes, data: bytes) -> bytes:
    """Put an avcC record's parameter sets in front of an access unit: it decodes whatever was known before.

    Raises:
        PeerError: the record is damaged.
    """
    record = parse_avc_config(config)
    return join_length_prefixed(record.sps + record.pps) + data
