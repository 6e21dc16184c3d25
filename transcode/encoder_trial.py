"""Whether an encoder works here: opened, fed and its pictures looked at, in a worker, which may crash or hang on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import av.logging
from av.video.frame import VideoFrame

from media.rendition import Rendition
from transcode.encoder_choice import FAULTS, Open, RungEncoder, reason_of
from transcode.message import EncoderTried
from transcode.preference import SOFTWARE
from transcode.rung import RungSpec, rung_spec
from transcode.scaler import PIXEL_FORMAT
from transcode.video_encoder import VideoEncoder

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

PICTURES = 8
KEYFRAMES = (0, 5)
"""Of the trial: one where every encoder puts one, one that only an encoder that obeys puts there."""

STEP = 3_000
"""Ticks between them, 30 a second."""

MAX_LUMA_ERROR = 12.0
"""Mean difference of a picture's brightness from what went in. A grey or green picture is 50 off, a coarse one 2."""


def try_encoder(name: str, openers: Mapping[str, Open]) -> EncoderTried:
    """Try one encoder, in this process."""
    av.logging.set_level(None)  # the faults are told in our words
    opener = VideoEncoder if name == SOFTWARE else openers.get(name)
    if opener is None:
        return EncoderTried(name, "there is no such encoder")
    spec = rung_spec(Rendition("720p", 1280, 720), Fraction(30))
    try:
        encoder = opener(spec)
    except av.codec.codec.UnknownCodecError:
        return EncoderTried(name, "not built in")
    except av.FFmpegError:
        return EncoderTried(name, "no such hardware")
    except FAULTS as error:
        return EncoderTried(name, reason_of(error))
    return EncoderTried(name, _fault(encoder, spec))


def _fault(encoder: RungEncoder, spec: RungSpec) -> str:
    """Encode some pictures and look at what comes out; return what is wrong."""
    try:
        units = [
            encoder.encode(_picture(spec, index), index * STEP, index in KEYFRAMES)
            for index in range(PICTURES)
        ]
        return _picture_fault(_decode(encoder.config, units), spec)
    except FAULTS as error:
        return reason_of(error)


def _picture_fault(pictures: Sequence[VideoFrame], spec: RungSpec) -> str:
    if len(pictures) != PICTURES:
        return f"only {len(pictures)} of its {PICTURES} pictures can be decoded"
    wanted = (_mean_luma(_picture(spec, index)) for index in range(PICTURES))
    errors = [abs(_mean_luma(picture) - luma) for picture, luma in zip(pictures, wanted, strict=True)]
    return "its pictures are not what went in" if max(errors) > MAX_LUMA_ERROR else ""


def _picture(spec: RungSpec, index: int) -> VideoFrame:
    """Draw a gradient that moves and gets brighter."""
    frame = VideoFrame(spec.width, spec.height, PIXEL_FORMAT)
    luma, *chroma = frame.planes
    row = bytes(16 + 12 * index + (x + 8 * index) % 120 for x in range(luma.line_size))
    luma.update(row * (luma.buffer_size // luma.line_size))
    for plane in chroma:
        plane.update(bytes([128]) * plane.buffer_size)
    return frame


def _mean_luma(picture: VideoFrame) -> float:
    plane = picture.planes[0]
    line = bytes(plane)[: picture.width]  # all lines are equal
    return sum(line) / len(line)


def _decode(config: bytes, units: Sequence[bytes]) -> list[VideoFrame]:
    codec = av.CodecContext.create("h264", "r")
    codec.extradata = config
    return list(_frames(codec, units))


def _frames(codec: VideoCodecContext, units: Sequence[bytes]) -> Iterator[VideoFrame]:
    for unit in units:
        yield from codec.decode(av.Packet(unit))
    yield from codec.decode(None)
