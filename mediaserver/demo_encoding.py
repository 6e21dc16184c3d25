"""How the demo broadcast is encoded: H.264 and AAC as any server takes them, and the tone with its beep."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from mediaserver.demo_picture import FLASH_MS

SAMPLE_RATE = 48_000
AUDIO_SAMPLES = 1024
"""Samples in an AAC frame."""
KEYFRAME_S = 2


def add_video_stream(
    container: OutputContainer, size: tuple[int, int], frame_rate: Fraction, bitrate_bps: int
) -> VideoStream:
    """x264's cheapest preset, no B-frames, a keyframe every two seconds and nowhere else."""
    stream = container.add_stream("libx264", rate=frame_rate)
    (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
    stream.bit_rate = bitrate_bps
    context = stream.codec_context
    context.time_base = 1 / frame_rate
    context.gop_size = round(KEYFRAME_S * frame_rate)
    context.max_b_frames = 0
    context.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "sc_threshold": "0",
        "threads": "1",
        "maxrate": str(bitrate_bps),
        "bufsize": str(bitrate_bps),
        "colorspace": "bt709",
    }
    return stream


def add_audio_stream(container: OutputContainer) -> AudioStream:
    """AAC-LC, 48 kHz, stereo."""
    stream = container.add_stream("aac", rate=SAMPLE_RATE)
    stream.codec_context.layout = "stereo"
    stream.bit_rate = 96_000
    return stream


def draw_tone() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """One second of 440 Hz, a beep of 1 kHz at its start; one frame longer, to slice over the end."""
    time_s = np.arange(SAMPLE_RATE + AUDIO_SAMPLES) / SAMPLE_RATE
    tone = 0.1 * np.sin(2 * np.pi * 440 * time_s)
    beep = 0.4 * np.sin(2 * np.pi * 1000 * time_s) * (time_s % 1 < FLASH_MS / 1000)
    return np.tile((tone + beep).astype(np.float32), (2, 1))
