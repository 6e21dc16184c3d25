"""Opus facts: the `dOps` payload of Opus in ISO base media files (Opus in ISOBMFF, 4.3.2)."""

from __future__ import annotations

import struct

from media.packet import AudioTrack

SAMPLE_RATE = 48_000
FRAME_SAMPLES = 960
"""20 ms, the frame that every encoder uses by default."""


def opus_track(channels: int, pre_skip: int = 312) -> AudioTrack:
    """Describe an Opus track of one or two channels in frames of 20 ms.

    Args:
        channels: 1 or 2 (channel mapping family 0).
        pre_skip: samples at 48 kHz to drop at the start; 312 is the delay of libopus.
    """
    config = struct.pack(">BBHIhB", 0, channels, pre_skip, SAMPLE_RATE, 0, 0)
    return AudioTrack("opus", config, "opus", SAMPLE_RATE, channels, FRAME_SAMPLES)
