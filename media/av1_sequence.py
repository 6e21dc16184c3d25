"""The sequence header of AV1 (AV1 Bitstream, 5.5)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from media.bit import BitReader
from media.picture import check_picture_size, frame_rate

_BT709, _SRGB, _IDENTITY = 1, 13, 0
_UNSPECIFIED = 2


@dataclass(frozen=True, slots=True)
class ColorConfig:
    """How samples are stored (5.5.2)."""

    bit_depth: int
    is_monochrome: bool = False
    subsampling_x: int = 1
    subsampling_y: int = 1
    chroma_sample_position: int = 0

    @property
    def chroma_format_idc(self) -> int:
        """As H.264 numbers it: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4."""
        if self.is_monochrome:
            return 0
        return 3 - self.subsampling_x - self.subsampling_y


@dataclass(frozen=True, slots=True)
class Av1Sequence:
    """What a sequence header says about the picture."""

    profile: int
    level: int
    """seq_level_idx of the first operating point."""
    tier: int
    width: int
    """Largest, in pixels."""
    height: int
    """Largest, in pixels."""
    frame_rate: Fraction | None
    color: ColorConfig


@dataclass(frozen=True, slots=True)
class _Operation:
    level: int
    tier: int = 0
    rate: Fraction | None = None


def parse_av1_sequence(payload: bytes) -> Av1Sequence:
    """Parse the payload of a sequence header unit.

    Raises:
        PeerError: it is cut short or out of bounds.
    """
    reader = BitReader(payload)
    profile = reader.read(3)
    reader.skip(1)  # still_picture
    is_reduced = reader.read_flag()
    operation = _Operation(reader.read(5)) if is_reduced else _read_operation(reader)
    width_bits, height_bits = reader.read(4) + 1, reader.read(4) + 1
    width, height = reader.read(width_bits) + 1, reader.read(height_bits) + 1
    check_picture_size("AV1", width, height)
    _skip_tools(reader, is_reduced)
    color = _read_color(reader, profile)
    return Av1Sequence(profile, operation.level, operation.tier, width, height, operation.rate, color)


def _read_operation(reader: BitReader) -> _Operation:
    rate, has_decoder_model, delay_bits = None, False, 0
    if reader.read_flag():
        rate = _read_rate(reader)
        has_decoder_model = reader.read_flag()
        if has_decoder_model:
            delay_bits = reader.read(5) + 1
            reader.skip(32 + 5 + 5)  # num_units_in_decoding_tick, two more lengths
    has_display_delay = reader.read_flag()
    points = []
    for _ in range(reader.read(5) + 1):
        reader.skip(12)  # operating_point_idc
        level = reader.read(5)
        points.append((level, reader.read(1) if level > 7 else 0))
        if has_decoder_model and reader.read_flag():
            reader.skip(2 * delay_bits + 1)
        if has_display_delay and reader.read_flag():
            reader.skip(4)
    return _Operation(*points[0], rate)


def _read_rate(reader: BitReader) -> Fraction | None:
    units_in_tick, time_scale = reader.read(32), reader.read(32)
    if not reader.read_flag():  # equal_picture_interval
        return None
    ticks = reader.read_ue() + 1  # num_ticks_per_picture_minus_1: uvlc() reads as ue(v)
    return frame_rate(time_scale, units_in_tick * ticks)


def _skip_tools(reader: BitReader, is_reduced: bool) -> None:
    """Pass over what stands between the size and the colours."""
    if not is_reduced and reader.read_flag():
        reader.skip(4 + 3)  # lengths of frame ids
    reader.skip(3)  # use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
    if not is_reduced:
        _skip_inter_tools(reader)
    reader.skip(3)  # enable_superres, enable_cdef, enable_restoration


def _skip_inter_tools(reader: BitReader) -> None:
    reader.skip(4)  # interintra, masked and warped compounds, dual filter
    has_order_hint = reader.read_flag()
    if has_order_hint:
        reader.skip(2)  # enable_jnt_comp, enable_ref_frame_mvs
    # Each choice left to the frames (1), or forced (0) to the bit that follows.
    forces_screen_content = reader.read_flag() or reader.read_flag()
    if forces_screen_content and not reader.read_flag():
        reader.skip(1)  # seq_force_integer_mv
    if has_order_hint:
        reader.skip(3)  # order_hint_bits_minus_1


def _read_color(reader: BitReader, profile: int) -> ColorConfig:
    depth = 10 if reader.read_flag() else 8
    if profile == 2 and depth == 10 and reader.read_flag():
        depth = 12
    is_monochrome = profile != 1 and reader.read_flag()
    description = (_UNSPECIFIED, _UNSPECIFIED, _UNSPECIFIED)
    if reader.read_flag():
        description = (reader.read(8), reader.read(8), reader.read(8))
    if is_monochrome:
        return ColorConfig(depth, is_monochrome=True)
    if description == (_BT709, _SRGB, _IDENTITY):
        return ColorConfig(depth, subsampling_x=0, subsampling_y=0)
    reader.skip(1)  # color_range
    x, y = _read_subsampling(reader, profile, depth)
    return ColorConfig(depth, False, x, y, reader.read(2) if x and y else 0)


def _read_subsampling(reader: BitReader, profile: int, depth: int) -> tuple[int, int]:
    if profile < 2:
        return (1, 1) if profile == 0 else (0, 0)
    if depth < 12:
        return 1, 0
    x = reader.read(1)
    return x, reader.read(1) if x else 0
