"""HEVC facts at bit level: the hvcC record and the picture in its sequence parameter set.

Sources: ISO/IEC 14496-15 (8.3.3.1 hvcC, E.3 codec string), ITU-T H.265 (7.3.2.2 SPS).
"""

from __future__ import annotations

from media.bit import BitReader
from media.error import PeerError
from media.nal import unescape
from media.packet import VideoTrack

NAL_SPS = 33

MAX_DIMENSION = 16_384
"""Pixels on a side; level 6.2 ends at 16,888."""


def nal_type(nal: bytes) -> int:
    """Return the nal_unit_type of a NAL unit that is not empty."""
    return nal[0] >> 1 & 0x3F


def hevc_track(config: bytes, bitrate_bps: int | None = None) -> VideoTrack:
    """Describe the track of an hvcC record.

    Raises:
        PeerError: the record is cut short or holds no sequence parameter set.
    """
    if len(config) < 23 or config[0] > 1:
        raise PeerError("HEVC configuration (hvcC) is missing or cut short")
    sets = [nal for nal in _parameter_sets(config) if nal_type(nal) == NAL_SPS]
    if not sets:
        raise PeerError("HEVC configuration (hvcC) holds no sequence parameter set")
    chroma, width, height, depth = _read_picture(sets[0])
    return VideoTrack(
        codec="hevc",
        config=config,
        codec_string=codec_string(config),
        width=width,
        height=height,
        bit_depth=depth,
        chroma_format_idc=chroma,
        bitrate_bps=bitrate_bps,
    )


def codec_string(config: bytes) -> str:
    """Name the profile of an hvcC record for CODECS, such as `hvc1.1.6.L93.B0`."""
    space = ("", "A", "B", "C")[config[1] >> 6]
    tier = "H" if config[1] & 0x20 else "L"
    # The compatibility flags are written with their bits in reverse order, without leading zeros.
    compatibility = int(f"{int.from_bytes(config[2:6], 'big'):032b}"[::-1], 2)
    constraints = config[6:12].rstrip(b"\x00")
    fields = [f"hvc1.{space}{config[1] & 0x1F}", f"{compatibility:X}", f"{tier}{config[12]}"]
    return ".".join(fields + [f"{byte:X}" for byte in constraints])


def _parameter_sets(config: bytes) -> list[bytes]:
    reader = BitReader(config[22:])
    sets = []
    for _ in range(reader.read(8)):
        reader.skip(8)  # array_completeness, NAL_unit_type
        for _ in range(reader.read(16)):
            length = reader.read(16)
            nal = reader.read(8 * length).to_bytes(length, "big")
            if nal:
                sets.append(nal)
    return sets


def _read_picture(nal: bytes) -> tuple[int, int, int, int]:
    """Read chroma format, width, height and bit depth."""
    reader = BitReader(unescape(nal)[2:])
    reader.skip(4)  # sps_video_parameter_set_id
    _skip_profile_tier_level(reader, reader.read(3), reader.read_flag())
    reader.read_ue()  # sps_seq_parameter_set_id
    chroma = reader.read_ue()
    if chroma == 3:
        reader.skip(1)  # separate_colour_plane_flag
    width, height = reader.read_ue(), reader.read_ue()
    if reader.read_flag():
        unit_x, unit_y = 2 if chroma in (1, 2) else 1, 2 if chroma == 1 else 1
        width -= (reader.read_ue() + reader.read_ue()) * unit_x
        height -= (reader.read_ue() + reader.read_ue()) * unit_y
    depth = 8 + reader.read_ue()
    if chroma > 3 or depth > 16 or not (0 < width <= MAX_DIMENSION and 0 < height <= MAX_DIMENSION):
        raise PeerError(f"HEVC picture of {width}x{height}, {depth} bits, chroma {chroma} is out of bounds")
    return chroma, width, height, depth


def _skip_profile_tier_level(reader: BitReader, sub_layers: int, _temporal_nesting: bool) -> None:
    reader.skip(88 + 8)  # general profile, general_level_idc
    present = [(reader.read_flag(), reader.read_flag()) for _ in range(sub_layers)]
    if sub_layers:
        reader.skip(2 * (8 - sub_layers))
    for has_profile, has_level in present:
        reader.skip(88 * has_profile + 8 * has_level)
