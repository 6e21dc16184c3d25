"""Sources of known colours: upright bars, written as Y'CbCr of any matrix, range, depth and subsampling, with tags."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np
from av.codec.context import Flags
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from media.h264 import h264_track
from media.packet import CLOCK_HZ, Packet, VideoTrack

from .source import FPS, STEP, messages

__all__ = ["BT601", "BT709", "BT2020", "Coding", "Colour", "coloured", "messages", "shown"]

Colour = tuple[float, float, float]
"""R', G', B' from 0 to 1."""

BT709, BT601, BT2020 = 1, 6, 9
"""ISO/IEC 23091-2 MatrixCoefficients; ColourPrimaries have the same numbers."""

WIDTH, HEIGHT = 320, 180

_LUMA = {BT709: (0.2126, 0.0722), BT601: (0.299, 0.114), BT2020: (0.2627, 0.0593)}
_SUBSAMPLING = {"yuv420p": (2, 2), "yuv422p": (1, 2), "yuv444p": (1, 1)}


class Coding(NamedTuple):
    """How a source says its colours; 2 is "unspecified"."""

    pixel_format: str = "yuv420p"
    matrix: int = BT709
    is_full: bool = False
    transfer: int = 2
    primaries: int = 2
    is_tagged: bool = True
    encoder: str = "libx264"

    @property
    def depth(self) -> int:
        return 10 if self.pixel_format.endswith("10le") else 8


def coloured(colours: Sequence[Colour], coding: Coding, *, frames: int = 3, start: int = 0) -> list[Packet]:
    """Encode bars of these colours, almost without loss, from picture `start` on."""
    codec: Any = av.CodecContext.create(coding.encoder, "w")
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, coding.pixel_format
    codec.time_base, codec.framerate = Fraction(1, CLOCK_HZ), Fraction(FPS)
    codec.max_b_frames, codec.thread_count = 0, 1
    codec.flags |= Flags.global_header
    if coding.is_tagged:
        codec.colorspace, codec.color_range = coding.matrix, 2 if coding.is_full else 1
    codec.color_trc, codec.color_primaries = coding.transfer, coding.primaries
    codec.options = {"preset": "ultrafast", "crf": "2", **_OPTIONS[coding.encoder]}
    codec.open()
    encoded = []
    for index in range(frames):
        frame = _bars(colours, coding)
        frame.pts, frame.time_base = (start + index) * STEP, Fraction(1, CLOCK_HZ)
        encoded += codec.encode(frame)
    encoded += codec.encode(None)
    config = bytes(codec.extradata or b"")
    track = (
        h264_track(config)
        if coding.encoder == "libx264"
        else VideoTrack(_CODECS[coding.encoder], b"", "", WIDTH, HEIGHT)
    )
    sets = b"" if coding.encoder == "libx264" else config
    return [
        Packet(track, p.pts, p.pts, (sets if p.is_keyframe else b"") + bytes(p), bool(p.is_keyframe))
        for p in encoded
    ]


_CODECS = {"libx265": "hevc", "libvpx-vp9": "vp9"}
_OPTIONS = {
    "libx264": {"x264-params": "annexb=0:bframes=0"},
    "libx265": {"x265-params": "log-level=none:bframes=0:pools=1:frame-threads=1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}


def _bars(colours: Sequence[Colour], coding: Coding) -> VideoFrame:
    rows, columns = _SUBSAMPLING[coding.pixel_format.removesuffix("10le")]
    rgb = np.repeat(np.array(colours), -(-WIDTH // len(colours)), axis=0)[:WIDTH]
    planes = [plane[:: 1 if index == 0 else columns] for index, plane in enumerate(_encode(rgb, coding).T)]
    frame = VideoFrame(WIDTH, HEIGHT, coding.pixel_format)
    for index, (plane, values) in enumerate(zip(frame.planes, planes, strict=True)):
        line = np.zeros(plane.line_size * 8 // (16 if coding.depth > 8 else 8), values.dtype)
        line[: len(values)] = values
        lines = HEIGHT if index == 0 else -(-HEIGHT // rows)
        plane.update(np.tile(line, (lines, 1)).tobytes().ljust(plane.buffer_size, b"\0"))
    return frame


def _encode(rgb: NDArray[np.float64], coding: Coding) -> NDArray[Any]:
    red, blue = _LUMA[coding.matrix]
    luma = rgb @ np.array([red, 1 - red - blue, blue])
    cb, cr = (rgb[:, 2] - luma) / (2 - 2 * blue), (rgb[:, 0] - luma) / (2 - 2 * red)
    unit = 1 << (coding.depth - 8)
    if coding.is_full:
        top = (1 << coding.depth) - 1
        values = np.stack([luma * top, cb * top + 128 * unit, cr * top + 128 * unit], axis=1)
    else:
        values = unit * np.stack([16 + 219 * luma, 128 + 224 * cb, 128 + 224 * cr], axis=1)
    return np.round(values).astype(np.uint16 if coding.depth > 8 else np.uint8)


def shown(picture: VideoFrame, count: int) -> list[Colour]:
    """Read the colours of bars as a player does that takes BT.709, limited range."""
    luma, cb, cr = (_line(picture, index) for index in range(3))
    found = []
    for index in range(count):
        x = (2 * index + 1) * picture.width // (2 * count)
        y, b, r = (luma[x] - 16) / 219, (cb[x // 2] - 128) / 224, (cr[x // 2] - 128) / 224
        red, blue = y + 1.5748 * r, y + 1.8556 * b
        found.append((red, (y - 0.2126 * red - 0.0722 * blue) / 0.7152, blue))
    return found


def _line(picture: VideoFrame, index: int) -> NDArray[np.float64]:
    plane = picture.planes[index]
    start = plane.height // 2 * plane.line_size
    return np.frombuffer(bytes(plane), np.uint8)[start : start + plane.width].astype(np.float64)
