"""AV1 facts at bit level: the av1C record and the sequence header in it.

Sources: AV1 Codec ISO Media File Format Binding (2.3.3 av1C, 5 codec string), AV1 Bitstream (5.5 sequence
header).
"""

from __future__ import annotations

from media.bit import BitReader
from media.error import PeerError
from media.packet import VideoTrack

OBU_SEQUENCE_HEADER = 1


def av1_track(config: bytes, bitrate_bps: int | None = None) -> VideoTrack:
    """Describe the track of an av1C record.

    Raises:
        PeerError: the record is cut short or holds no sequence header.
    """
    if len(config) < 4 or config[0] != 0x81:
        raise PeerError("AV1 configuration (av1C) is missing or cut short")
    width, height = _read_size(_sequence_header(config[4:]))
    return VideoTrack(
        codec="av1",
        config=config,
        codec_string=codec_string(config),
        width=width,
        height=height,
        bit_depth=_bit_depth(config),
        chroma_format_idc=_chroma_format(config),
        bitrate_bps=bitrate_bps,
    )


def codec_string(config: bytes) -> str:
    """Name the profile of an av1C record for CODECS, such as `av01.0.08M.08`."""
    profile, level = config[1] >> 5, config[1] & 0x1F
    tier = "H" if config[2] & 0x80 else "M"
    return f"av01.{profile}.{level:02d}{tier}.{_bit_depth(config):02d}"


def _bit_depth(config: bytes) -> int:
    high, twelve = config[2] & 0x40, config[2] & 0x20
    return 12 if high and twelve else 10 if high else 8


def _chroma_format(config: bytes) -> int:
    if config[2] & 0x10:
        return 0
    return {0b11: 1, 0b10: 2}.get(config[2] >> 2 & 3, 3)


def _sequence_header(obus: bytes) -> bytes:
    position = 0
    while position < len(obus):
        header = obus[position]
        position += 2 if header & 4 else 1
        size, position = _read_leb128(obus, position) if header & 2 else (len(obus) - position, position)
        if header >> 3 & 15 == OBU_SEQUENCE_HEADER:
            return obus[position : position + size]
        position += size
    raise PeerError("AV1 configuration (av1C) holds no sequence header")


def _read_leb128(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[position : position + 8]):
        value |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            return value, position + index + 1
    raise PeerError("AV1 configuration (av1C) is cut short inside a size")


def _read_size(header: bytes) -> tuple[int, int]:
    reader = BitReader(header)
    reader.skip(3 + 1)  # seq_profile, still_picture
    if reader.read_flag():  # reduced_still_picture_header
        reader.skip(5)
    else:
        _skip_operating_points(reader)
    width_bits, height_bits = reader.read(4) + 1, reader.read(4) + 1
    return reader.read(width_bits) + 1, reader.read(height_bits) + 1


def _skip_operating_points(reader: BitReader) -> None:
    has_decoder_model, delay_bits = _skip_timing(reader) if reader.read_flag() else (False, 0)
    has_display_delay = reader.read_flag()
    for _ in range(reader.read(5) + 1):
        reader.skip(12)  # operating_point_idc
        if reader.read(5) > 7:
            reader.skip(1)  # seq_tier
        if has_decoder_model and reader.read_flag():
            reader.skip(2 * delay_bits + 1)
        if has_display_delay and reader.read_flag():
            reader.skip(4)


def _skip_timing(reader: BitReader) -> tuple[bool, int]:
    reader.skip(64)  # num_units_in_display_tick, time_scale
    if reader.read_flag():
        reader.read_ue()  # num_ticks_per_picture_minus_1, uvlc() reads as ue(v)
    if not reader.read_flag():
        return False, 0
    delay_bits = reader.read(5) + 1
    reader.skip(32 + 5 + 5)  # num_units_in_decoding_tick, two more lengths
    return True, delay_bits
