"""Which encoders work on this machine: opened and fed, not only listed."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import av.logging
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

SOFTWARE = ("libx264", "aac", "libopus")
HARDWARE = ("h264_nvenc", "h264_qsv", "h264_amf", "h264_v4l2m2m")
NEEDED = ("libx264", "aac")


@dataclass(frozen=True, slots=True)
class EncoderState:
    """One encoder and what became of the trial."""

    name: str
    is_hardware: bool
    is_needed: bool
    fault: str | None
    """None when it works."""


def try_encoders() -> list[EncoderState]:
    """Try every encoder that this server could use."""
    av.logging.set_level(None)  # the faults are told in our words
    return [
        EncoderState(name, name in HARDWARE, name in NEEDED, _fault(name)) for name in (*SOFTWARE, *HARDWARE)
    ]


def _fault(name: str) -> str | None:
    if name not in av.codecs_available:
        return "not built in"
    try:
        packets = _encode_audio(name) if name in ("aac", "libopus") else _encode_video(name)
    except (OSError, ValueError, av.error.FFmpegError) as error:
        return "no such hardware" if name in HARDWARE else str(error)
    return None if packets else "gives no output"


def _encode_video(name: str) -> int:
    encoder = cast(VideoCodecContext, av.CodecContext.create(name, "w"))
    encoder.width, encoder.height, encoder.pix_fmt = 640, 360, "yuv420p"
    encoder.time_base = Fraction(1, 25)
    frame = VideoFrame(640, 360, "yuv420p")
    frame.pts = 0
    return len([*encoder.encode(frame), *encoder.encode(None)])


def _encode_audio(name: str) -> int:
    encoder = cast(AudioCodecContext, av.CodecContext.create(name, "w"))
    encoder.sample_rate, encoder.layout = 48_000, "stereo"
    encoder.format = "s16" if name == "libopus" else "fltp"
    encoder.time_base = Fraction(1, 48_000)
    encoder.open()
    frame = AudioFrame(encoder.format.name, "stereo", encoder.frame_size)
    frame.sample_rate, frame.pts = 48_000, 0
    for plane in frame.planes:  # memory as it was found may hold NaN, which no encoder takes
        plane.update(bytes(plane.buffer_size))
    return len([*encoder.encode(frame), *encoder.encode(None)])
