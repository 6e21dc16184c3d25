"""The sequence parameter set of H.264 (ITU-T H.264, 7.3.2.1 and Annex E)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from media.bit import BitReader
from media.error import PeerError
from media.nal import unescape
from media.picture import check_picture_size, frame_rate, read_vui_head

NAL_SPS = 7

MAX_BUFFERS = 32
"""Of the hypothetical reference decoder (cpb_cnt_minus1, E.2.2)."""

_BASELINE = 66
"""profile_idc of Baseline, which has no B slices (A.2.1)."""

_OUTPUT_ORDER = 2
"""pic_order_cnt_type with which pictures are shown in the order in which they are decoded (8.2.1.3)."""

# Profiles whose parameter sets say chroma format and bit depth (7.3.2.1.1).
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


@dataclass(frozen=True, slots=True)
class Sps:
    """What a sequence parameter set says about the picture."""

    profile_idc: int
    constraint_flags: int
    """The byte between profile_idc and level_idc."""
    level_idc: int
    width: int
    """After cropping, in pixels."""
    height: int
    """After cropping, in pixels."""
    frame_rate: Fraction | None
    sample_aspect_ratio: Fraction
    bit_depth: int
    chroma_format_idc: int
    is_interlaced: bool
    """Whether frames may be coded as fields (frame_mbs_only_flag is 0)."""
    bit_depth_chroma: int = 8
    max_reordered: int | None = None
    """How many pictures may come before one that is shown earlier: 0 when none is reordered, None when unsaid."""

    @property
    def codec_string(self) -> str:
        """RFC 6381, 3.3: `avc1.PPCCLL`."""
        return f"avc1.{self.profile_idc:02x}{self.constraint_flags:02x}{self.level_idc:02x}"


def parse_sps(nal: bytes) -> Sps:
    """Parse a sequence parameter set with its NAL header.

    Raises:
        PeerError: it is cut short or out of bounds.
    """
    if len(nal) < 4 or nal[0] & 0x1F != NAL_SPS:
        raise PeerError("H.264 sequence parameter set is missing or cut short")
    reader = BitReader(unescape(nal)[1:])
    profile_idc, constraint_flags, level_idc = reader.read(8), reader.read(8), reader.read(8)
    reader.read_ue()  # seq_parameter_set_id
    chroma, depth, depth_chroma = _read_format(reader) if profile_idc in _HIGH_PROFILES else (1, 8, 8)
    reader.read_ue()  # log2_max_frame_num_minus4
    order_type = _read_picture_order(reader)
    reader.read_ue()  # max_num_ref_frames
    reader.skip(1)  # gaps_in_frame_num_value_allowed_flag
    width, height, is_interlaced = _read_size(reader, chroma)
    aspect, rate, max_reordered = _read_vui(reader) if reader.read_flag() else (Fraction(1), None, None)
    if profile_idc == _BASELINE or order_type == _OUTPUT_ORDER:
        max_reordered = 0
    return Sps(
        profile_idc=profile_idc,
        constraint_flags=constraint_flags,
        level_idc=level_idc,
        width=width,
        height=height,
        frame_rate=rate,
        sample_aspect_ratio=aspect,
        bit_depth=depth,
        chroma_format_idc=chroma,
        is_interlaced=is_interlaced,
        bit_depth_chroma=depth_chroma,
        max_reordered=max_reordered,
    )


def _read_format(reader: BitReader) -> tuple[int, int, int]:
    chroma = reader.read_ue()
    if chroma > 3:
        raise PeerError(f"H.264 chroma format {chroma} does not exist")
    if chroma == 3:
        reader.skip(1)  # separate_colour_plane_flag
    depth, depth_chroma = 8 + reader.read_ue(), 8 + reader.read_ue()
    if max(depth, depth_chroma) > 14:
        raise PeerError(f"H.264 bit depth {max(depth, depth_chroma)} does not exist")
    reader.skip(1)  # qpprime_y_zero_transform_bypass_flag
    if reader.read_flag():
        for index in range(12 if chroma == 3 else 8):
            if reader.read_flag():
                _skip_scaling_list(reader, 16 if index < 6 else 64)
    return chroma, depth, depth_chroma


def _skip_scaling_list(reader: BitReader, size: int) -> None:
    last = next_scale = 8
    for _ in range(size):
        if next_scale:
            next_scale = (last + reader.read_se()) % 256
        last = next_scale or last


def _read_picture_order(reader: BitReader) -> int:
    order_type = reader.read_ue()
    if order_type == 0:
        reader.read_ue()  # log2_max_pic_order_cnt_lsb_minus4
    elif order_type == 1:
        reader.skip(1)  # delta_pic_order_always_zero_flag
        reader.read_se()
        reader.read_se()
        cycle = reader.read_ue()
        if cycle > 255:
            raise PeerError(f"H.264 picture order cycle of {cycle} frames; 255 are allowed")
        for _ in range(cycle):
            reader.read_se()
    return order_type


def _read_size(reader: BitReader, chroma: int) -> tuple[int, int, bool]:
    width = (reader.read_ue() + 1) * 16
    height = (reader.read_ue() + 1) * 16
    frames_only = reader.read_flag()
    if not frames_only:
        height *= 2
        reader.skip(1)  # mb_adaptive_frame_field_flag
    reader.skip(1)  # direct_8x8_inference_flag
    if reader.read_flag():
        unit_x = 2 if chroma in (1, 2) else 1
        unit_y = (2 if chroma == 1 else 1) * (1 if frames_only else 2)
        width -= (reader.read_ue() + reader.read_ue()) * unit_x
        height -= (reader.read_ue() + reader.read_ue()) * unit_y
    check_picture_size("H.264", width, height)
    return width, height, not frames_only


def _read_vui(reader: BitReader) -> tuple[Fraction, Fraction | None, int | None]:
    aspect, rate = read_vui_head(reader), None
    has_timing = reader.read_flag()
    if has_timing:
        units_in_tick, time_scale = reader.read(32), reader.read(32)
        rate = frame_rate(time_scale, 2 * units_in_tick)  # two ticks, as two fields, to a frame
    try:
        return aspect, rate, _read_max_reordered(reader, has_timing=has_timing)
    except PeerError:
        return aspect, rate, None  # cut short behind all that decoders need


def _read_max_reordered(reader: BitReader, *, has_timing: bool) -> int | None:
    """Read what follows the clock (E.1.1) up to max_num_reorder_frames."""
    reader.skip(int(has_timing))  # fixed_frame_rate_flag
    has_buffers = [_skip_buffers(reader) for _ in range(2)]  # of NAL units, and of slices alone
    if any(has_buffers):
        reader.skip(1)  # low_delay_hrd_flag
    reader.skip(1)  # pic_struct_present_flag
    if not reader.read_flag():
        return None
    reader.skip(1)  # motion_vectors_over_pic_boundaries_flag
    for _ in range(4):  # denominators and lengths of motion vectors
        reader.read_ue()
    return reader.read_ue()


def _skip_buffers(reader: BitReader) -> bool:
    """Skip the parameters of the hypothetical reference decoder (E.1.2); tell whether there are any."""
    if not reader.read_flag():
        return False
    count = reader.read_ue() + 1
    if count > MAX_BUFFERS:
        raise PeerError(f"H.264 parameter set with {count} buffers; {MAX_BUFFERS} are allowed")
    reader.skip(8)  # bit_rate_scale, cpb_size_scale
    for _ in range(count):
        reader.read_ue()  # bit_rate_value_minus1
        reader.read_ue()  # cpb_size_value_minus1
        reader.skip(1)  # cbr_flag
    reader.skip(20)  # lengths of delays and of the time offset
    return True
