"""Graphics cards and video units as encoders of a rung, behind the interface of `video_encoder.VideoEncoder`.

What they give is made the same as x264's: one access unit per picture at once, length-prefixed, IDR pictures only where
they were ordered, parameter sets outside. Whatever breaks that is a `TranscodeError`, and `encoder_choice` goes on
with x264. Whether one works at all is found by trial (`encoder_trial`), never by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import av
from av.codec.context import Flags
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc, VideoReformatter

from media.error import PeerError, TranscodeError
from media.h264 import (
    NAL_PPS,
    NAL_SPS,
    AvcConfig,
    contains_idr,
    join_length_prefixed,
    nal_type,
    parse_sps,
    split_annexb,
)
from transcode.filter import TIME_BASE
from transcode.quality import QualityMeter
from transcode.scaler import PIXEL_FORMAT
from transcode.video_encoder import ENDLESS_GOP, MATRIX_BT709

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

    from transcode.rung import RungSpec

NAL_DELIMITER, NAL_FILLER = 9, 12
"""H.264, table 7-1: not needed in fMP4, where samples have a size."""


@dataclass(frozen=True, slots=True)
class HardwareCodec:
    """How one kind of hardware is driven. Options are FFmpeg's; rate and level come from the rung."""

    name: str
    """FFmpeg's name of the encoder."""
    pixel_format: str = "nv12"
    options: Mapping[str, str] = field(default_factory=dict)


HARDWARE: dict[str, HardwareCodec] = {
    # No look-ahead, no reordering, no picture held back; p4 is still many times faster than real time.
    "h264_nvenc": HardwareCodec(
        "h264_nvenc",
        PIXEL_FORMAT,
        {
            "preset": "p4",
            "tune": "ull",
            "profile": "high",
            "rc": "vbr",
            "delay": "0",
            "zerolatency": "1",
            "forced-idr": "1",
            "no-scenecut": "1",
            "rc-lookahead": "0",
            "spatial-aq": "1",
        },
    ),
    # async_depth 1: a picture comes out before the next one goes in. The SEI would only cost bytes in each picture.
    "h264_qsv": HardwareCodec(
        "h264_qsv",
        "nv12",
        {
            "preset": "veryfast",
            "profile": "high",
            "async_depth": "1",
            "forced_idr": "1",
            "look_ahead": "0",
            "scenario": "livestreaming",
            "pic_timing_sei": "0",
            "idr_interval": "0",
        },
    ),
    "h264_amf": HardwareCodec(
        "h264_amf",
        "nv12",
        {
            "usage": "ultralowlatency",
            "profile": "high",
            "quality": "balanced",
            "rc": "vbr_latency",
            "forced_idr": "1",
            "async_depth": "1",
            "max_b_frames": "0",
            "filler_data": "0",
        },
    ),
    # What the driver's own controls say; it has no options.
    "h264_v4l2m2m": HardwareCodec("h264_v4l2m2m", PIXEL_FORMAT),
}
"""By the names of `preference.HARDWARE_NAMES`."""


class HardwareEncoder:
    """Encodes one rung. No delay, no reordering: dts equals pts.

    Raises:
        TranscodeError: the hardware's parameter sets are not those of this rung, or cannot be had.
        av.FFmpegError: it does not open.
    """

    def __init__(self, spec: RungSpec, codec: HardwareCodec) -> None:
        self.spec = spec
        self.quality = QualityMeter(spec.width, spec.height)
        self._kind = codec
        self._codec, self._sets = _open_with_sets(spec, codec)
        self._format = VideoReformatter()

    @property
    def config(self) -> bytes:
        """The avcC record; another one than x264's for the same rung."""
        return self._sets.serialize()

    def encode(self, picture: VideoFrame, pts: int, is_keyframe: bool) -> bytes:
        """Encode a picture of the rung's size and return its access unit with four-byte lengths.

        Raises:
            TranscodeError: the encoder kept the picture, lost it, or did not obey.
            PeerError: what it gave is not H.264.
            av.FFmpegError: it failed.
        """
        if self._kind.pixel_format != PIXEL_FORMAT:
            picture = self._format.reformat(picture, format=self._kind.pixel_format)
        picture.pts, picture.time_base = pts, TIME_BASE
        picture.pict_type = PictureType.I if is_keyframe else PictureType.NONE
        packets = self._codec.encode(picture)
        if len(packets) != 1 or packets[0].pts != pts:
            raise TranscodeError("it kept a picture, or gave another one")
        self.quality.add(packets[0])
        data = self._stripped(bytes(packets[0]))
        if contains_idr(data) != is_keyframe:
            raise TranscodeError(
                "it made no IDR picture where one was ordered"
                if is_keyframe
                else "it made an IDR picture by itself"
            )
        return data

    def _stripped(self, data: bytes) -> bytes:
        """Leave out what stands in avcC already, and what fMP4 does not need."""
        nals = split_annexb(data)
        sets = {NAL_SPS: self._sets.sps, NAL_PPS: self._sets.pps}
        if any(nal not in sets.get(nal_type(nal), (nal,)) for nal in nals):
            raise TranscodeError("it changed its parameter sets")
        unneeded = (*sets, NAL_DELIMITER, NAL_FILLER)
        return join_length_prefixed(nal for nal in nals if nal_type(nal) not in unneeded)


def _open_with_sets(spec: RungSpec, kind: HardwareCodec) -> tuple[VideoCodecContext, AvcConfig]:
    codec = _open(spec, kind)
    sets = _sets(bytes(codec.extradata or b""))
    if sets is None:
        # Some drivers tell them in their first picture only: one is spent on that.
        packets = codec.encode(_grey(spec, kind))
        sets = _sets(b"".join(map(bytes, packets)))
        codec = _open(spec, kind)
    if sets is None:
        raise TranscodeError("it tells no parameter sets")
    facts = parse_sps(sets.sps[0])
    if (facts.width, facts.height, facts.bit_depth, facts.chroma_format_idc) != (
        spec.width,
        spec.height,
        8,
        1,
    ):
        raise TranscodeError(f"it makes pictures of {facts.width}x{facts.height} or of another format")
    return codec, sets


def _open(spec: RungSpec, kind: HardwareCodec) -> VideoCodecContext:
    codec = cast("VideoCodecContext", av.CodecContext.create(kind.name, "w"))
    codec.width, codec.height, codec.pix_fmt = spec.width, spec.height, kind.pixel_format
    codec.time_base, codec.framerate = TIME_BASE, spec.frame_rate
    codec.bit_rate = spec.bitrate_bps
    codec.gop_size, codec.max_b_frames = ENDLESS_GOP, 0
    codec.color_range, codec.colorspace = ColorRange.MPEG, MATRIX_BT709
    codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    codec.flags |= Flags.global_header
    rate = {"maxrate": str(spec.max_bitrate_bps), "bufsize": str(spec.buffer_bits), "level": str(spec.level)}
    codec.options = rate | dict(kind.options)
    codec.open()
    return codec


def _sets(data: bytes) -> AvcConfig | None:
    """Find the parameter sets of an Annex B stream, None unless there are both kinds."""
    try:
        nals = split_annexb(data)
    except PeerError:
        return None
    sps = tuple(nal for nal in nals if nal_type(nal) == NAL_SPS)
    pps = tuple(nal for nal in nals if nal_type(nal) == NAL_PPS)
    return AvcConfig(sps, pps) if sps and pps else None


def _grey(spec: RungSpec, kind: HardwareCodec) -> VideoFrame:
    frame = VideoFrame(spec.width, spec.height, kind.pixel_format)
    for plane in frame.planes:
        plane.update(bytes([128]) * plane.buffer_size)
    frame.pts, frame.time_base = 0, TIME_BASE
    return frame
