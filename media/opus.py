"""Opus facts: the `dOps` payload and its relative OpusHead, and how long a packet lasts.

Sources: Opus in ISOBMFF (4.3.2 dOps), RFC 7845 (5.1 OpusHead), RFC 6716 (3.1 the first byte of a packet).
"""

from __future__ import annotations

import struct
from dataclasses import replace

from media.error import PeerError
from media.packet import AudioTrack

SAMPLE_RATE = 48_000
FRAME_SAMPLES = 960
"""20 ms, the frame that every encoder uses by default."""
MAX_PACKET_SAMPLES = 5760
"""120 ms (RFC 6716, R5)."""
PRE_SKIP = 312
"""Samples at 48 kHz to drop at the start: the delay of libopus."""

_MAGIC = b"OpusHead"
_HEAD = struct.Struct("<BBHIhB")
_DOPS = struct.Struct(">BBHIhB")

# Samples of a frame by configuration number, in rows of SILK, hybrid and CELT (RFC 6716, table 2).
_SILK, _HYBRID, _CELT = (480, 960, 1920, 2880), (480, 960), (120, 240, 480, 960)


def opus_track(channels: int, pre_skip: int = PRE_SKIP) -> AudioTrack:
    """Describe an Opus track of one or two channels in frames of 20 ms.

    Args:
        channels: 1 or 2 (channel mapping family 0).
        pre_skip: samples at 48 kHz to drop at the start; 312 is the delay of libopus.
    """
    config = _DOPS.pack(0, channels, pre_skip, SAMPLE_RATE, 0, 0)
    return AudioTrack("opus", config, "opus", SAMPLE_RATE, channels, FRAME_SAMPLES)


def parse_opus_head(data: bytes) -> AudioTrack:
    """Describe the track of an OpusHead, the identification header of Ogg.

    Raises:
        PeerError: it is cut short, of another version, or without channels.
    """
    if not data.startswith(_MAGIC) or len(data) < len(_MAGIC) + _HEAD.size:
        raise PeerError("Opus configuration (OpusHead) is missing or cut short")
    body = data[len(_MAGIC) :]
    version, channels, pre_skip, rate, gain, family = _HEAD.unpack_from(body)
    if version >> 4 or not channels:
        raise PeerError(f"Opus configuration (OpusHead) of version {version} with {channels} channels")
    mapping = body[_HEAD.size : _HEAD.size + 2 + channels] if family else b""
    if family and len(mapping) < 2 + channels:
        raise PeerError("Opus configuration (OpusHead) is cut short inside its channel mapping")
    if not family and channels > 2:
        raise PeerError(f"Opus configuration (OpusHead) has no mapping for its {channels} channels")
    config = _DOPS.pack(0, channels, pre_skip, rate, gain, family) + mapping
    return AudioTrack("opus", config, "opus", SAMPLE_RATE, channels, FRAME_SAMPLES)


def with_packet_duration(track: AudioTrack, packet: bytes) -> AudioTrack:
    """Return the track with frames as long as this packet; as it is when the packet says nothing sensible."""
    samples = packet_samples(packet)
    return replace(track, frame_samples=samples) if 0 < samples <= MAX_PACKET_SAMPLES else track


def packet_samples(packet: bytes) -> int:
    """Return the samples per channel at 48 kHz in a packet; 0 for one that is cut short."""
    if not packet:
        return 0
    configuration, code = packet[0] >> 3, packet[0] & 3
    if configuration < 12:
        samples = _SILK[configuration & 3]
    elif configuration < 16:
        samples = _HYBRID[configuration & 1]
    else:
        samples = _CELT[configuration & 3]
    if code == 3:
        return samples * (packet[1] & 0x3F) if len(packet) > 1 else 0
    return samples * (1, 2, 2)[code]


def is_stereo(packet: bytes) -> bool:
    """Tell whether a packet that is not empty is coded in stereo."""
    return bool(packet[0] & 4)
