"""FLAC facts: the STREAMINFO block (RFC 9639, 8.2)."""

from __future__ import annotations

from media.bit import BitReader
from media.error import PeerError
from media.packet import AudioTrack

STREAMINFO_BYTES = 34

MIN_SAMPLE_RATE = 8_000
"""In Hz, as of telephones. A block of 65535 samples at 1 Hz would last 18 hours."""

_MARKER = b"fLaC"
_BLOCK_HEADER_BYTES = 4


def flac_track(header: bytes, bitrate_bps: int | None = None) -> AudioTrack:
    """Describe the track of a STREAMINFO block, alone or behind its block header or the marker of a file.

    Raises:
        PeerError: it is cut short or out of bounds.
    """
    header = header.removeprefix(_MARKER)
    # Encoders that kept the header of the block kept the blocks behind it too.
    if len(header) >= STREAMINFO_BYTES + _BLOCK_HEADER_BYTES and header[0] & 0x7F == 0:
        header = header[_BLOCK_HEADER_BYTES:]
    config = header[:STREAMINFO_BYTES]
    if len(config) < STREAMINFO_BYTES:
        raise PeerError("FLAC configuration (STREAMINFO) is missing or cut short")
    reader = BitReader(config)
    reader.skip(16)  # minimum block size
    block_samples = reader.read(16)
    reader.skip(24 + 24)  # frame sizes
    sample_rate, channels = reader.read(20), reader.read(3) + 1
    if sample_rate < MIN_SAMPLE_RATE or not block_samples:
        raise PeerError(f"FLAC of {sample_rate} Hz in blocks of {block_samples} samples")
    return AudioTrack("flac", config, "fLaC", sample_rate, channels, block_samples, bitrate_bps)
