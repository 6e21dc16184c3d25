"""The slate as a worker makes it: a picture, dimmed, with a caption, as one GOP per rung."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from av.video.frame import VideoFrame
from PIL import Image

from transcode.caption import Caption, draw_caption
from transcode.message import EncodedFrame, SlateDrawn
from transcode.scaler import PIXEL_FORMAT, Scaler
from transcode.video_encoder import VideoEncoder

if TYPE_CHECKING:
    from av.video.plane import VideoPlane

    from transcode.message import DrawSlate

BLACK, WHITE = 16, 235
GREY = 128
"""Of luma and chroma in limited range (ITU-R BT.709, 4.6)."""

BRIGHTNESS = 0.35
SATURATION = 0.5
"""Dark enough that nobody takes it for a live picture that is frozen, and what it shows can still be told."""

_DIM_LUMA = [round(BLACK + (max(value, BLACK) - BLACK) * BRIGHTNESS) for value in range(256)]
_DIM_CHROMA = [round(GREY + (value - GREY) * SATURATION) for value in range(256)]


def draw_slate(order: DrawSlate, last: VideoFrame | None, aspect: Fraction) -> Iterator[SlateDrawn]:
    """Make a slate.

    Args:
        order: what is wanted.
        last: the picture to show, black without one.
        aspect: its sample aspect ratio.
    """
    specs = sorted(order.specs, key=lambda spec: (spec.width, spec.height), reverse=True)
    sizes = [(spec.width, spec.height) for spec in specs]
    pictures = Scaler().scale(last or _black(*sizes[0]), aspect if last else Fraction(1), sizes)
    for spec, picture in zip(specs, pictures, strict=True):
        slate = dim(picture, draw_caption(order.caption, spec.width, spec.height))
        encoder = VideoEncoder(spec, is_still=True)
        frames = (
            EncodedFrame(spec.name, index == 0, encoder.encode(slate, index * order.frame_ticks, index == 0))
            for index in range(order.frame_count)
        )
        yield SlateDrawn(spec.name, encoder.config, tuple(frames))


def dim(picture: VideoFrame, caption: Caption) -> VideoFrame:
    """Return a darker and greyer picture with a caption; 8-bit 4:2:0, limited range."""
    luma, *chroma = (_image(plane) for plane in picture.planes)
    slate = VideoFrame(picture.width, picture.height, PIXEL_FORMAT)
    luma = luma.point(_DIM_LUMA)
    luma.paste(BLACK, mask=caption.outlined)
    luma.paste(WHITE, mask=caption.words)
    _fill(slate.planes[0], luma)
    for source, plane in zip(chroma, slate.planes[1:], strict=True):
        colour = source.point(_DIM_CHROMA)
        colour.paste(GREY, mask=caption.outlined.resize(colour.size, Image.Resampling.BOX))
        _fill(plane, colour)
    return slate


def _black(width: int, height: int) -> VideoFrame:
    frame = VideoFrame(width, height, PIXEL_FORMAT)
    for plane, value in zip(frame.planes, (BLACK, GREY, GREY), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


def _image(plane: VideoPlane) -> Image.Image:
    # Lines are padded in memory.
    padded = Image.frombytes(
        "L", (plane.line_size, plane.height), bytes(plane)[: plane.line_size * plane.height]
    )
    return padded.crop((0, 0, plane.width, plane.height))


def _fill(plane: VideoPlane, image: Image.Image) -> None:
    padded = Image.new("L", (plane.line_size, plane.height))
    padded.paste(image)
    plane.update(padded.tobytes().ljust(plane.buffer_size, b"\0"))
