"""Which encoders work on this machine: opened and fed, not only listed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import av.logging
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from media.error import TranscodeError
from transcode.encoder_search import find_faults
from transcode.pool import WorkerPool
from transcode.preference import HARDWARE_NAMES, SOFTWARE

AUDIO = ("aac", "libopus")
NEEDED = (SOFTWARE, "aac")


@dataclass(frozen=True, slots=True)
class EncoderState:
    """One encoder and what became of the trial."""

    name: str
    is_hardware: bool
    is_needed: bool
    fault: str | None
    """None when it works."""


def try_encoders() -> list[EncoderState]:
    """Try every encoder that this server could use; those for video in a worker, as the server does at its start."""
    av.logging.set_level(None)  # the faults are told in our words
    faults = asyncio.run(_video_faults())
    faults |= {name: _audio_fault(name) for name in AUDIO}
    return [
        EncoderState(name, name in HARDWARE_NAMES, name in NEEDED, faults[name])
        for name in (SOFTWARE, *AUDIO, *HARDWARE_NAMES)
    ]


async def _video_faults() -> dict[str, str | None]:
    names = (SOFTWARE, *HARDWARE_NAMES)
    pool = WorkerPool(warm=0)
    try:
        return {name: fault or None for name, fault in (await find_faults(pool, names)).items()}
    except TranscodeError as error:
        return dict.fromkeys(names, str(error))
    finally:
        await pool.close()


def _audio_fault(name: str) -> str | None:
    if name not in av.codecs_available:
        return "not built in"
    try:
        packets = _encode_audio(name)
    except (OSError, ValueError, av.error.FFmpegError) as error:
        return str(error)
    return None if packets else "gives no output"


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
