"""The sequence parameter set of HEVC (ITU-T H.265, 7.3.2.2 and Annex E)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from media.bit import BitReader
from media.error import PeerError
from media.nal import unescape
from media.picture import check_picture_size, frame_rate, read_vui_head

MAX_BIT_DEPTH = 15
"""What an hvcC record can say, in three bits."""
MAX_REFERENCE_SETS = 64
"""num_short_term_ref_pic_sets (7.4.3.2.1)."""
MAX_REFERENCE_PICTURES = 16
"""In one set: sps_max_dec_pic_buffering is at most 16 (A.4.2)."""
MAX_LONG_TERM_PICTURES = 32
"""num_long_term_ref_pics_sps (7.4.3.2.1)."""


@dataclass(frozen=True, slots=True)
class HevcSps:
    """What a sequence parameter set says about the picture."""

    profile_tier_level: bytes
    """The 12 bytes from general_profile_space to general_level_idc, as hvcC has them too."""
    temporal_layers: int
    is_temporally_nested: bool
    width: int
    """After cropping, in pixels."""
    height: int
    """After cropping, in pixels."""
    chroma_format_idc: int
    bit_depth: int
    bit_depth_chroma: int
    frame_rate: Fraction | None
    sample_aspect_ratio: Fraction


def parse_hevc_sps(nal: bytes) -> HevcSps:
    """Parse a sequence parameter set with its NAL header.

    Frame rate and aspect ratio stand at its end, behind much that is of no use here. A set that cannot be
    followed so far has neither: the picture can be shown without them.

    Raises:
        PeerError: it is cut short or out of bounds before the coding tools begin.
    """
    reader = BitReader(unescape(nal)[2:])
    reader.skip(4)  # sps_video_parameter_set_id
    sub_layers, is_nested = reader.read(3), reader.read_flag()
    profile = reader.read(96).to_bytes(12, "big")
    _skip_sub_layers(reader, sub_layers)
    reader.read_ue()  # sps_seq_parameter_set_id
    chroma = reader.read_ue()
    width, height = _read_size(reader, chroma)
    depth, depth_chroma = 8 + reader.read_ue(), 8 + reader.read_ue()
    if max(depth, depth_chroma) > MAX_BIT_DEPTH:
        raise PeerError(f"HEVC bit depth {max(depth, depth_chroma)}; {MAX_BIT_DEPTH} is the most accepted")
    try:
        _skip_tools(reader, sub_layers)
        aspect, rate = _read_vui(reader) if reader.read_flag() else (Fraction(1), None)
    except PeerError:
        aspect, rate = Fraction(1), None
    return HevcSps(
        profile_tier_level=profile,
        temporal_layers=sub_layers + 1,
        is_temporally_nested=is_nested,
        width=width,
        height=height,
        chroma_format_idc=chroma,
        bit_depth=depth,
        bit_depth_chroma=depth_chroma,
        frame_rate=rate,
        sample_aspect_ratio=aspect,
    )


def _skip_sub_layers(reader: BitReader, sub_layers: int) -> None:
    present = [(reader.read_flag(), reader.read_flag()) for _ in range(sub_layers)]
    if sub_layers:
        reader.skip(2 * (8 - sub_layers))
    for has_profile, has_level in present:
        reader.skip(88 * has_profile + 8 * has_level)


def _read_size(reader: BitReader, chroma: int) -> tuple[int, int]:
    if chroma > 3:
        raise PeerError(f"HEVC chroma format {chroma} does not exist")
    if chroma == 3:
        reader.skip(1)  # separate_colour_plane_flag
    width, height = reader.read_ue(), reader.read_ue()
    if reader.read_flag():
        unit_x, unit_y = 2 if chroma in (1, 2) else 1, 2 if chroma == 1 else 1
        width -= (reader.read_ue() + reader.read_ue()) * unit_x
        height -= (reader.read_ue() + reader.read_ue()) * unit_y
    check_picture_size("HEVC", width, height)
    return width, height


def _skip_tools(reader: BitReader, sub_layers: int) -> None:
    """Pass over what stands between the bit depth and the video usability information."""
    order_bits = reader.read_ue() + 4  # log2_max_pic_order_cnt_lsb_minus4
    for _ in range(sub_layers + 1 if reader.read_flag() else 1):
        _skip_codes(reader, 3)  # buffering, reordering, latency
    _skip_codes(reader, 6)  # sizes of coding blocks and transform blocks, transform depths
    if reader.read_flag() and reader.read_flag():
        _skip_scaling_lists(reader)
    reader.skip(2)  # amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if reader.read_flag():
        reader.skip(8)  # bit depths of PCM samples
        _skip_codes(reader, 2)
        reader.skip(1)
    _skip_reference_sets(reader)
    if reader.read_flag():
        for _ in range(_bounded(reader.read_ue(), MAX_LONG_TERM_PICTURES)):
            reader.skip(order_bits + 1)
    reader.skip(2)  # sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag


def _skip_codes(reader: BitReader, count: int) -> None:
    for _ in range(count):
        reader.read_ue()


def _bounded(count: int, most: int) -> int:
    if count > most:
        raise PeerError(f"HEVC parameter set lists {count} where {most} are allowed")
    return count


def _skip_scaling_lists(reader: BitReader) -> None:
    """Pass over scaling_list_data (7.3.4)."""
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not reader.read_flag():
                reader.read_ue()  # scaling_list_pred_matrix_id_delta
                continue
            if size > 1:
                reader.read_se()  # scaling_list_dc_coef_minus8
            _skip_codes(reader, min(64, 1 << 4 + 2 * size))


def _skip_reference_sets(reader: BitReader) -> None:
    """Pass over the short-term reference picture sets (7.3.7); one may be told by its difference to the last."""
    last: list[int] = []
    for index in range(_bounded(reader.read_ue(), MAX_REFERENCE_SETS)):
        last = _read_difference(reader, last) if index and reader.read_flag() else _read_pictures(reader)


def _read_pictures(reader: BitReader) -> list[int]:
    before = _bounded(reader.read_ue(), MAX_REFERENCE_PICTURES)
    after = _bounded(reader.read_ue(), MAX_REFERENCE_PICTURES)
    return _read_side(reader, before, -1) + _read_side(reader, after, 1)


def _read_side(reader: BitReader, count: int, sign: int) -> list[int]:
    distances, distance = [], 0
    for _ in range(count):
        distance += sign * (reader.read_ue() + 1)
        reader.skip(1)  # used_by_curr_pic_flag
        distances.append(distance)
    return distances


def _read_difference(reader: BitReader, last: list[int]) -> list[int]:
    """Derive a set from the one before it (7.4.8), as distances in order: backwards first, nearest first."""
    sign = -1 if reader.read_flag() else 1
    shift = sign * (reader.read_ue() + 1)
    distances = [distance + shift for distance in [*last, 0] if reader.read_flag() or reader.read_flag()]
    before = sorted((distance for distance in distances if distance < 0), reverse=True)
    return before + sorted(distance for distance in distances if distance > 0)


def _read_vui(reader: BitReader) -> tuple[Fraction, Fraction | None]:
    aspect = read_vui_head(reader)
    reader.skip(3)  # neutral_chroma_indication_flag, field_seq_flag, frame_field_info_present_flag
    if reader.read_flag():
        _skip_codes(reader, 4)  # default display window
    if not reader.read_flag():
        return aspect, None
    units_in_tick, time_scale = reader.read(32), reader.read(32)
    return aspect, frame_rate(time_scale, units_in_tick)
