"""AC-3 and E-AC-3 facts: what a synchronization frame says about itself (ATSC A/52, 5.3 and E.1.2)."""

from __future__ import annotations

from media.bit import BitReader
from media.error import PeerError
from media.packet import AudioTrack

_SYNC_WORD = 0x0B77
_SAMPLE_RATES = (48_000, 44_100, 32_000)
_CHANNELS = (2, 1, 2, 3, 3, 4, 4, 5)
"""Full-range channels by acmod (table 5.8)."""
_BLOCK_SAMPLES = 256
_FRAME_BLOCKS = 6
"""Blocks in a frame of AC-3, and in a packet of E-AC-3, however many frames they are in (E.1.2)."""
_MAX_BSID = 10
"""Of AC-3; 9 and 10 have half and quarter sample rates."""
_EAC3_BSID = range(11, 17)


def ac3_track(frame: bytes) -> AudioTrack:
    """Describe the track that begins with this frame of AC-3.

    Raises:
        PeerError: it does not begin with a synchronization frame of AC-3.
    """
    reader = _open("AC-3", frame)
    reader.skip(16)  # crc1
    rate_index = reader.read(2)
    reader.skip(6)  # frmsizecod
    bsid = reader.read(5)
    reader.skip(3)  # bsmod
    mode = reader.read(3)
    if rate_index == 3 or bsid > _MAX_BSID:
        raise PeerError("AC-3 frame of a sample rate or version that does not exist")
    reader.skip(_mix_level_bits(mode))
    channels = _CHANNELS[mode] + reader.read(1)
    rate = _SAMPLE_RATES[rate_index] >> max(bsid - 8, 0)
    return AudioTrack("ac3", b"", "ac-3", rate, channels, _FRAME_BLOCKS * _BLOCK_SAMPLES)


def eac3_track(frame: bytes) -> AudioTrack:
    """Describe the track that begins with this frame of E-AC-3; channels are those of its first substream.

    Raises:
        PeerError: it does not begin with a synchronization frame of E-AC-3.
    """
    reader = _open("E-AC-3", frame)
    reader.skip(2 + 3 + 11)  # strmtyp, substreamid, frmsiz
    rate_index, second_index = (
        reader.read(2),
        reader.read(2),
    )  # the second is numblkscod but for the low rates
    mode = reader.read(3)
    channels = _CHANNELS[mode] + reader.read(1)
    if reader.read(5) not in _EAC3_BSID or (rate_index == 3 and second_index == 3):
        raise PeerError("E-AC-3 frame of a sample rate or version that does not exist")
    rate = _SAMPLE_RATES[second_index] // 2 if rate_index == 3 else _SAMPLE_RATES[rate_index]
    return AudioTrack("eac3", b"", "ec-3", rate, channels, _FRAME_BLOCKS * _BLOCK_SAMPLES)


def _open(codec: str, frame: bytes) -> BitReader:
    reader = BitReader(frame[:16])
    if reader.remaining < 64 or reader.read(16) != _SYNC_WORD:
        raise PeerError(f"{codec} frame without its header")
    return reader


def _mix_level_bits(mode: int) -> int:
    """Count the bits between acmod and lfeon: levels of the centre, of the surround, and Dolby Surround."""
    has_center, has_surround = mode & 1 and mode != 1, mode & 4
    return (2 if has_center else 0) + (2 if has_surround else 0) + (2 if mode == 2 else 0)
