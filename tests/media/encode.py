"""Real codec configurations and frames, made by the encoders of PyAV, and bits written by hand."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np


def video_config(
    codec: str,
    width: int,
    height: int,
    *,
    rate: int | Fraction = 25,
    pix_fmt: str = "yuv420p",
    sar: Fraction | None = None,
    options: dict[str, str] | None = None,
) -> bytes:
    """Open an encoder and return its parameter sets: Annex B for H.264 and HEVC."""
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, pix_fmt
    context.framerate = Fraction(rate)
    context.time_base = 1 / Fraction(rate)
    if sar:
        context.sample_aspect_ratio = sar
    context.options = options or {}
    context.flags |= 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER
    context.open()
    assert context.extradata is not None
    return context.extradata


def decode_aac(config: bytes, frames: list[bytes]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Decode AAC frames; return samples by channel and time."""
    context = av.CodecContext.create("aac", "r")
    assert isinstance(context, av.AudioCodecContext)
    context.extradata = config
    blocks = [block.to_ndarray() for data in frames for block in context.decode(av.Packet(data))]
    return np.concatenate(blocks, axis=1).astype(np.float32)


def encode_aac(rate: int, layout: str, seconds: float = 0.2) -> tuple[bytes, list[bytes]]:
    """Encode a tone; return the AudioSpecificConfig and the frames."""
    context = av.CodecContext.create("aac", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout, context.format = rate, layout, "fltp"
    context.open()
    channels = context.layout.nb_channels
    packets: list[bytes] = []
    for start in range(0, int(rate * seconds), 1024):
        tone = np.sin((np.arange(1024) + start) * 2 * np.pi * 440 / rate).astype(np.float32) * 0.5
        frame = av.AudioFrame.from_ndarray(np.tile(tone, (channels, 1)), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, start
        packets += [bytes(packet) for packet in context.encode(frame)]
    packets += [bytes(packet) for packet in context.encode(None)]
    assert context.extradata is not None
    return context.extradata, packets


def bits(text: str) -> bytes:
    """Pack digits, blanks left out, into bytes."""
    text = text.replace(" ", "")
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")
