"""MP3 facts: the header of a frame (ISO/IEC 11172-3, 2.4.1.3, and 13818-3 for the lower sample rates)."""

from __future__ import annotations

from media.error import PeerError
from media.packet import AudioTrack

_SAMPLE_RATES = (44_100, 48_000, 32_000)
"""In Hz, of MPEG-1; half of it in MPEG-2, a quarter in MPEG-2.5."""

# By version bits: what the rate is divided by, and the samples of a frame of layer III.
_VERSIONS = {3: (1, 1152), 2: (2, 576), 0: (4, 576)}
_LAYER_3 = 1
_MONO = 3


def mp3_track(frame: bytes) -> AudioTrack:
    """Describe the track that begins with this frame.

    Raises:
        PeerError: it does not begin with the header of a frame of layer III.
    """
    if len(frame) < 4 or frame[0] != 0xFF or frame[1] >> 5 != 7:
        raise PeerError("MP3 frame without its header")
    version, layer, rate_index = frame[1] >> 3 & 3, frame[1] >> 1 & 3, frame[2] >> 2 & 3
    if version not in _VERSIONS or layer != _LAYER_3 or rate_index == 3:
        raise PeerError("MP3 frame of a version, layer or sample rate that does not exist")
    divisor, samples = _VERSIONS[version]
    channels = 1 if frame[3] >> 6 == _MONO else 2
    return AudioTrack("mp3", b"", "mp3", _SAMPLE_RATES[rate_index] // divisor, channels, samples)
