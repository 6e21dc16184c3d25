"""A keyframe as a small JPEG, as a worker makes it."""

from __future__ import annotations

import io
from fractions import Fraction

from transcode.message import DrawPicture, PictureDrawn
from transcode.scaler import Scaler, fit
from transcode.video_decoder import VideoDecoder

QUALITY = 75


def draw_picture(order: DrawPicture) -> PictureDrawn:
    """Decode a keyframe, scale it to its display aspect and write it as JPEG; empty when it cannot be decoded."""
    from PIL import Image  # noqa: F401, PLC0415 - `to_image` needs it, who encodes live does not

    decoder = VideoDecoder()
    decoder.set_track(order.track)
    frames = [*decoder.decode(0, 0, order.keyframe, True), *decoder.drain()]
    if not frames:
        return PictureDrawn(order.number, b"")
    frame = frames[0]
    shape = Fraction(frame.width, frame.height) * (decoder.aspect or Fraction(1))
    # The longer side is as asked, the other follows the shape.
    size = fit(shape, order.side, order.side)
    (picture,) = Scaler().scale(frame, decoder.aspect, [size])
    buffer = io.BytesIO()
    picture.to_image().save(buffer, "JPEG", quality=QUALITY)  # type: ignore[no-untyped-call]
    return PictureDrawn(order.number, buffer.getvalue())
