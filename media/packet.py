"""What flows through the house: encoded packets and the tracks they belong to.

All times are integers on one clock of 90 kHz (`CLOCK_HZ`), which holds RTMP's milliseconds and video frame
times without rounding and is RTP's clock for video. Audio is put on its exact sample grid where it is packaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

CLOCK_HZ = 90_000
"""Ticks per second of every `pts`, `dts` and duration outside a container."""

TICKS_PER_MS = CLOCK_HZ // 1000
"""Exact: RTMP's millisecond clock loses nothing."""


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """How to decode a video track.

    A changed configuration is another track: consumers compare tracks with ``==`` to see a change.
    """

    codec: str
    """`h264`, `hevc`, `av1` or `vp9`."""
    config: bytes
    """Decoder configuration record: avcC and hvcC (ISO/IEC 14496-15), av1C, vpcC with its version and flags."""
    codec_string: str
    """RFC 6381, as in CODECS: `avc1.64001f`."""
    width: int
    """Coded width after cropping, in pixels."""
    height: int
    """Coded height after cropping, in pixels."""
    frame_rate: Fraction | None = None
    """Nominal frames per second, None when the stream does not say."""
    sample_aspect_ratio: Fraction = Fraction(1)
    """Width of a sample over its height."""
    bit_depth: int = 8
    chroma_format_idc: int = 1
    """0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4 (H.264, 6.2)."""
    bitrate_bps: int | None = None
    """What the sender announced; not to be trusted, only to be shown and to plan with."""


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """How to decode an audio track."""

    codec: str
    """`aac`, `opus`, `flac`, `mp3`, `ac3` or `eac3`."""
    config: bytes
    """AudioSpecificConfig for AAC (ISO/IEC 14496-3), the `dOps` payload for Opus, the 34 bytes of STREAMINFO for FLAC
    (RFC 9639, 8.2), empty for the others, whose frames say everything."""
    codec_string: str
    """RFC 6381: `mp4a.40.2`, `opus`, `fLaC`, `mp3`, `ac-3`, `ec-3`."""
    sample_rate: int
    """In Hz, of the decoded signal."""
    channels: int
    frame_samples: int = 1024
    """Samples per channel in a packet."""
    bitrate_bps: int | None = None


@dataclass(slots=True, unsafe_hash=True)
class Packet:
    """One encoded video frame or audio frame (access unit).

    `data` of H.264 and HEVC is length-prefixed with four bytes (never Annex B), of AV1 a temporal unit without its
    delimiter; of AAC a raw_data_block without ADTS.

    A value, which nobody changes. It is not `frozen` because one is made for every frame, and that would take three
    times as long: a sixth of all that RTMP costs.
    """

    track: VideoTrack | AudioTrack
    pts: int
    """Presentation time in ticks of `CLOCK_HZ`."""
    dts: int
    """Decoding time in ticks of `CLOCK_HZ`."""
    data: bytes
    is_keyframe: bool = False
    """For video: decoding can begin here (IDR; any IRAP picture of HEVC). For audio: always True."""
    track_id: int = 0
    """Which of a publisher's tracks of this kind, when it sends several (Enhanced RTMP); 0 is the main one."""

    @property
    def is_video(self) -> bool:
        """Whether this is a video frame."""
        return isinstance(self.track, VideoTrack)
