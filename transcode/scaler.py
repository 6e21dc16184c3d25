"""From a decoded picture to the pictures of all rungs: 8-bit 4:2:0, BT.709, limited range, square samples.

A cascade: each rung is scaled from the next larger one, bilinear on one thread, which costs a half to a third of
scaling each from the source. The first step alone converts format, colours and shape; it is replaced whenever the
source changes, while a rung keeps its size for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)

from transcode.video_decoder import TIME_BASE

PIXEL_FORMAT = "yuv420p"

ASPECT_TOLERANCE = Fraction(1, 50)
"""Sides are rounded to even numbers: a difference in shape below 2 % is that (or invisible) and is stretched away."""

MAX_STEPS = 16
"""Scalers between two sizes that are kept, twice the rungs; rungs come, go and change their size with the source."""

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
        self._fit: _Fit | None = None

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
        key = (frame.width, frame.height, aspect, width, height)
        if self._fit is None or self._fit.key != key:
            self._fit = _Fit(key)
        return self._fit.apply(frame)


class _Fit:
    """The first step: any source picture into a rung's size and format, bars where the shapes differ."""

    def __init__(self, key: tuple[int, int, Fraction, int, int]) -> None:
        source_width, source_height, aspect, self._width, self._height = self.key = key
        self._step = VideoReformatter()
        self._inner = fit(source_width * (aspect or Fraction(1)) / source_height, self._width, self._height)
        self._pad: Graph | None = None

    def apply(self, frame: VideoFrame) -> VideoFrame:
        picture = _convert(self._step, frame, *self._inner)
        return picture if self._inner == (self._width, self._height) else self._padded(picture)

    def _padded(self, picture: VideoFrame) -> VideoFrame:
        if self._pad is None:
            self._pad = _pad_graph(self._inner, self._width, self._height)
        self._pad.push(picture)
        padded = self._pad.pull()
        assert isinstance(padded, VideoFrame)  # noqa: S101 - a graph of pictures gives pictures
        return padded


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
    return step.reformat(
        picture, width, height, PIXEL_FORMAT, interpolation=Interpolation.BILINEAR, threads=1
    )


def _convert(step: VideoReformatter, frame: VideoFrame, width: int, height: int) -> VideoFrame:
    source = _MATRIX.get(frame.colorspace, Colorspace.ITU709)
    limited = ColorRange.MPEG.value
    source_range = ColorRange.JPEG.value if frame.color_range == ColorRange.JPEG else limited
    return step.reformat(
        frame,
        width,
        height,
        PIXEL_FORMAT,
        src_colorspace=source,
        dst_colorspace=Colorspace.ITU709,
        interpolation=Interpolation.BILINEAR,
        src_color_range=source_range,
        dst_color_range=limited,
        dst_color_trc=ColorTrc.BT709,
        dst_color_primaries=ColorPrimaries.BT709,
        threads=1,
    )


def _pad_graph(inner: tuple[int, int], width: int, height: int) -> Graph:
    graph = Graph()
    pixel_format = av.VideoFormat(PIXEL_FORMAT)
    source = graph.add_buffer(width=inner[0], height=inner[1], format=pixel_format, time_base=TIME_BASE)
    left, top = (width - inner[0]) // 4 * 2, (height - inner[1]) // 4 * 2
    pad = graph.add("pad", f"{width}:{height}:{left}:{top}:black")
    sink = graph.add("buffersink")
    source.link_to(pad)
    pad.link_to(sink)
    graph.configure()
    return graph
