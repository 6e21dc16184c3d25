"""What the parameter sets of H.264, HEVC, AV1 and VP9 say alike about the picture: its size, shape and frame rate."""

from __future__ import annotations

from fractions import Fraction

from media.bit import BitReader
from media.error import PeerError

MAX_DIMENSION = 16_384
"""Pixels on a side. Level 6.2 of H.264 and HEVC ends at 16,888; a larger one is a mistake or an attack."""
MAX_PIXELS = 139_264 * 256
"""Of level 6.2 of H.264 (table A-1), HEVC and AV1, the highest. A decoder would ask for gigabytes, and all
qualities would be made of it."""
MAX_FRAME_RATE = 300
"""x264 that is fed a millisecond clock announces 1000 frames a second: such a rate says nothing."""
MIN_FRAME_RATE = Fraction(1, 10)
MAX_RATE_DENOMINATOR = 10_000
"""1001 is the largest in use; codecs take 32 bits for each half of a rate, and parameter sets may hold 33."""

# Sample aspect ratio by aspect_ratio_idc (H.264, table E-1; HEVC, table E.1).
_ASPECT_RATIOS = {
    1: (1, 1), 2: (12, 11), 3: (10, 11), 4: (16, 11), 5: (40, 33), 6: (24, 11), 7: (20, 11), 8: (32, 11),
    9: (80, 33), 10: (18, 11), 11: (15, 11), 12: (64, 33), 13: (160, 99), 14: (4, 3), 15: (3, 2), 16: (2, 1),
}  # fmt: skip


def check_picture_size(codec: str, width: int, height: int) -> None:
    """Refuse a picture that no decoder here should be asked to make room for.

    Args:
        codec: its name, for the words.
        width: in pixels.
        height: in pixels.

    Raises:
        PeerError: a side is not positive, or the picture is too large.
    """
    if not (0 < width <= MAX_DIMENSION and 0 < height <= MAX_DIMENSION):
        raise PeerError(f"{codec} picture of {width}x{height}; up to {MAX_DIMENSION} on a side is accepted")
    if width * height > MAX_PIXELS:
        raise PeerError(f"{codec} picture of {width}x{height} is larger than any level allows")


def read_vui_head(reader: BitReader) -> Fraction:
    """Read video usability information up to the chroma sample location; H.264 and HEVC begin alike (Annex E).

    Returns:
        The sample aspect ratio.
    """
    aspect = _read_aspect(reader) if reader.read_flag() else Fraction(1)
    if reader.read_flag():
        reader.skip(1)  # overscan_appropriate_flag
    if reader.read_flag():
        reader.skip(4)  # video_format, video_full_range_flag
        if reader.read_flag():
            reader.skip(24)  # colour_primaries, transfer_characteristics, matrix_coefficients
    if reader.read_flag():
        reader.read_ue()  # chroma_sample_loc_type_top_field
        reader.read_ue()
    return aspect


def _read_aspect(reader: BitReader) -> Fraction:
    idc = reader.read(8)
    width, height = (reader.read(16), reader.read(16)) if idc == 255 else _ASPECT_RATIOS.get(idc, (1, 1))
    return Fraction(width, height) if width and height else Fraction(1)


def frame_rate(time_scale: int, ticks_per_frame: int) -> Fraction | None:
    """Return the frames per second of a clock of `time_scale` Hz; None for a rate that says nothing."""
    if not time_scale or not ticks_per_frame:
        return None
    rate = Fraction(time_scale, ticks_per_frame)
    return rate.limit_denominator(MAX_RATE_DENOMINATOR) if MIN_FRAME_RATE <= rate <= MAX_FRAME_RATE else None
