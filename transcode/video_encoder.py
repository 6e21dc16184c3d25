"""x264 for one rung: a picture in, its access unit out at once; IDR pictures only where they were ordered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
from av.codec.context import Flags
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc

from media.error import TranscodeError
from transcode.filter import TIME_BASE
from transcode.quality import QualityMeter
from transcode.rung import PINNED, RungSpec
from transcode.scaler import PIXEL_FORMAT

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame

ENDLESS_GOP = 1 << 20
"""Frames; the timeline decides where IDR pictures go, the encoder never does."""

STILL_CRF = 20
"""A picture that stands is looked at for long, and its bits are spent once. `qcomp=1` holds the quality from picture to
picture: growing better and better shows as a pulse where the pictures are repeated."""

MATRIX_BT709 = 1
"""ISO/IEC 23091-2 MatrixCoefficients."""


class VideoEncoder:
    """Encodes one rung. No delay, no reordering: dts equals pts.

    Args:
        spec: the rung.
        is_still: all pictures are the same; the first one gets the bits at once, the others next to none.
    """

    def __init__(self, spec: RungSpec, *, is_still: bool = False) -> None:
        self.spec = spec
        self.quality = QualityMeter(spec.width, spec.height)
        self._codec = _open(spec, is_still=is_still)

    @property
    def config(self) -> bytes:
        """The avcC record, the same for every encoder of this size and frame rate."""
        return bytes(self._codec.extradata or b"")

    def encode(self, picture: VideoFrame, pts: int, is_keyframe: bool) -> bytes:
        """Encode a picture of the rung's size and return its access unit with four-byte lengths.

        Raises:
            TranscodeError: the encoder kept or lost the picture, which it must never do.
        """
        picture.pts, picture.time_base = pts, TIME_BASE
        # Decoded pictures keep the source's type, and x264 would obey it.
        picture.pict_type = PictureType.I if is_keyframe else PictureType.NONE
        packets = self._codec.encode(picture)
        if len(packets) != 1 or packets[0].pts != pts or packets[0].is_keyframe != is_keyframe:
            raise TranscodeError(f"x264 broke the order of pictures on rung {self.spec.name}")
        self.quality.add(packets[0])
        return bytes(packets[0])


def _open(spec: RungSpec, *, is_still: bool) -> VideoCodecContext:
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = spec.width, spec.height, PIXEL_FORMAT
    codec.time_base, codec.framerate = TIME_BASE, spec.frame_rate
    codec.bit_rate = 0
    codec.gop_size, codec.max_b_frames, codec.thread_count = ENDLESS_GOP, 0, 1
    codec.color_range = ColorRange.MPEG
    codec.colorspace = MATRIX_BT709
    codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    codec.flags |= Flags.global_header | Flags.psnr
    codec.options = {
        "preset": spec.preset,
        "tune": "zerolatency",
        "forced-idr": "1",
        "crf": str(STILL_CRF if is_still else spec.rate_factor),
        "maxrate": str(spec.max_bitrate_bps),
        "bufsize": str(spec.buffer_bits),
        "x264-params": x264_params(spec) + (":qcomp=1" if is_still else ""),
    }
    codec.open()
    return codec


def x264_params(spec: RungSpec) -> str:
    """List the options that make parameter sets a function of size and frame rate, and IDRs ours alone."""
    return f"{PINNED}:level={spec.level}:scenecut=0:open-gop=0:annexb=0"
