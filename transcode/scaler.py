"""From a decoded picture to the pictures of all rungs: 8-bit 4:2:0, BT.709, limited range, square samples.

A cascade: each rung is scaled from the next larger one, on one thread, which costs a half to a third of
scaling each from the source. The first step alone converts format, colours and shape; it is replaced whenever the
source changes, while a rung keeps its size for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)

from transcode.filter import open_filter
from transcode.tone_map import RGB_FORMAT, ToneMap, needs_table, tag_bt709

if TYPE_CHECKING:
    from av.filter import Graph
    from av.video.frame import VideoFrame

PIXEL_FORMAT = "yuv420p"

INTERPOLATION = Interpolation.BICUBLIN
"""Bicubic for brightness, bilinear for colour. Bilinear alone is a tenth cheaper and loses so much in every step of the
cascade that it is seen: 36 dB instead of 48 against a Lanczos filter, on the fourth."""

ASPECT_TOLERANCE = Fraction(1, 50)
"""Sides are rounded to even numbers: a difference in shape below 2 % is that (or invisible) and is stretched away."""

MAX_STEPS = 16
"""Scalers between two sizes that are kept, twice the rungs; rungs come, go and change their size with the source."""

MAX_FITS = 2
"""First steps that are kept: where all rungs leave out frames, not always the same one is the largest."""

_Size = tuple[int, int]

# From AVColorSpace (ISO/IEC 23091-2 MatrixCoefficients) to libswscale's names. What is not tagged counts as BT.709,
# as encoders for live video send it.
_MATRIX = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}


class Scaler:
    """Makes the pictures of a set of rungs, largest first."""

    def __init__(self) -> None:
        self._steps: dict[tuple[_Size, _Size], VideoReformatter] = {}
        self._fits: dict[_Shape, _Fit] = {}

    def scale(
        self, frame: VideoFrame, aspect: Fraction, sizes: Sequence[tuple[int, int]]
    ) -> list[VideoFrame]:
        """Scale a decoded picture.

        Args:
            frame: the source's picture.
            aspect: its sample aspect ratio.
            sizes: width and height of the rungs wanted, largest first.

        Returns:
            One picture per rung, no two the same object: they may go to different threads.
        """
        pictures: list[VideoFrame] = []
        for size in sizes:
            if pictures:
                pictures.append(self._resize(pictures[-1], size))
            else:
                pictures.append(self._first(frame, aspect, *size))
        return pictures

    def _resize(self, picture: VideoFrame, size: _Size) -> VideoFrame:
        key = ((picture.width, picture.height), size)
        # Each step keeps its tables between frames. Rungs that leave out frames are missing from every other set.
        step = self._steps.pop(key, None) or VideoReformatter()
        if len(self._steps) >= MAX_STEPS:
            del self._steps[next(iter(self._steps))]
        self._steps[key] = step
        return _resize(step, picture, *size)

    def _first(self, frame: VideoFrame, aspect: Fraction, width: int, height: int) -> VideoFrame:
        key = _Shape(frame.width, frame.height, aspect, frame.color_trc, frame.color_primaries, width, height)
        fit = self._fits.get(key)
        if fit is None:
            if len(self._fits) >= MAX_FITS:
                self._fits.clear()
            fit = self._fits[key] = _Fit(key)
        return fit.apply(frame)


class _Shape(NamedTuple):
    """What the first step depends on: sides and colours of the source's picture, sides of the rung."""

    source_width: int
    source_height: int
    aspect: Fraction
    transfer: int
    primaries: int
    width: int
    height: int


class _Fit:
    """The first step: any source picture into a rung's size and format, bars where the shapes differ."""

    def __init__(self, shape: _Shape) -> None:
        self._width, self._height = shape.width, shape.height
        self._step, self._last_step = VideoReformatter(), VideoReformatter()
        display_aspect = shape.source_width * (shape.aspect or Fraction(1)) / shape.source_height
        self._inner = fit(display_aspect, self._width, self._height)
        self._pad: Graph | None = None
        self._tone_map: ToneMap | None = None
        if needs_table(shape.transfer, shape.primaries):
            self._tone_map = ToneMap(shape.transfer, shape.primaries, *self._inner)

    def apply(self, frame: VideoFrame) -> VideoFrame:
        if self._tone_map is None:
            # Else libswscale would convert from the curves and primaries of BT.601 and sRGB as well, which nobody
            # tells apart from those of BT.709, at seven times the cost.
            tag_bt709(frame)
            picture = _convert(self._step, frame, *self._inner)
        else:
            picture = self._tone_map.apply(_to_rgb(self._step, frame, *self._inner))
            picture = _convert(self._last_step, picture, *self._inner)
        return picture if self._inner == (self._width, self._height) else self._padded(picture)

    def _padded(self, picture: VideoFrame) -> VideoFrame:
        if self._pad is None:
            left, top = (self._width - self._inner[0]) // 4 * 2, (self._height - self._inner[1]) // 4 * 2
            options = f"{self._width}:{self._height}:{left}:{top}:black"
            self._pad = open_filter("pad", options, *self._inner, PIXEL_FORMAT)
        self._pad.vpush(picture)
        return self._pad.vpull()


def fit(display_aspect: Fraction, width: int, height: int) -> tuple[int, int]:
    """Find the largest even size of this display aspect within a rung; the rung's own when it is nearly that."""
    ratio = display_aspect * height / width
    if abs(ratio - 1) <= ASPECT_TOLERANCE:
        return width, height
    if ratio > 1:
        return width, _even(height / ratio)
    return _even(width * ratio), height


def _even(value: Fraction) -> int:
    return max(2, round(value / 2) * 2)


def _resize(step: VideoReformatter, picture: VideoFrame, width: int, height: int) -> VideoFrame:
    return step.reformat(picture, width, height, PIXEL_FORMAT, interpolation=INTERPOLATION, threads=1)


def _to_rgb(step: VideoReformatter, frame: VideoFrame, width: int, height: int) -> VideoFrame:
    """Scale a picture of HDR or wide colours, still with its own transfer function and primaries."""
    return step.reformat(
        frame,
        width,
        height,
        RGB_FORMAT,
        src_colorspace=_MATRIX.get(frame.colorspace, Colorspace.BT2020),
        interpolation=INTERPOLATION,
        src_color_range=_range_of(frame),
        dst_color_range=ColorRange.JPEG.value,
        threads=1,
    )


def _range_of(frame: VideoFrame) -> int:
    is_full = frame.color_range == ColorRange.JPEG or frame.format.is_rgb
    return ColorRange.JPEG.value if is_full else ColorRange.MPEG.value


def _convert(step: VideoReformatter, frame: VideoFrame, width: int, height: int) -> VideoFrame:
    return step.reformat(
        frame,
        width,
        height,
        PIXEL_FORMAT,
        src_colorspace=_MATRIX.get(frame.colorspace, Colorspace.ITU709),
        dst_colorspace=Colorspace.ITU709,
        interpolation=INTERPOLATION,
        src_color_range=_range_of(frame),
        dst_color_range=ColorRange.MPEG.value,
        dst_color_trc=ColorTrc.BT709,
        dst_color_primaries=ColorPrimaries.BT709,
        threads=1,
    )
