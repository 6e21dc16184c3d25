"""VP9 facts: the vpcC record, the header of a key frame, and the track that both describe.

Sources: VP Codec ISO Media File Format Binding (vpcC, codecs parameter), VP9 Bitstream (6.2 uncompressed header).
"""

from __future__ import annotations

from dataclasses import dataclass

from media.bit import BitReader
from media.error import PeerError
from media.packet import VideoTrack
from media.picture import check_picture_size

_FULL_BOX = b"\x01\x00\x00\x00"
_RECORD_BYTES = 8

_SYNC_CODE = 0x498342
_SRGB = 7


@dataclass(frozen=True, slots=True)
class Vp9Keyframe:
    """What the header of a key frame says about the picture."""

    profile: int
    bit_depth: int
    chroma_format_idc: int
    width: int
    """In pixels."""
    height: int
    """In pixels."""


def parse_vp9_config(data: bytes) -> bytes:
    """Read a vpcC record, with or without the version and flags that stand before it in a file.

    Returns:
        The body of a `vpcC` box: version and flags, then the record.

    Raises:
        PeerError: it is cut short.
    """
    record = data.removeprefix(_FULL_BOX) if len(data) >= len(_FULL_BOX) + _RECORD_BYTES else data
    if len(record) < _RECORD_BYTES:
        raise PeerError("VP9 configuration (vpcC) is missing or cut short")
    return _FULL_BOX + record[:_RECORD_BYTES]


def parse_vp9_keyframe(data: bytes) -> Vp9Keyframe | None:
    """Read the uncompressed header of a frame, or of the first frame of a superframe; None if it is no key frame.

    Raises:
        PeerError: the header is cut short or out of bounds.
    """
    reader = BitReader(data[:16])
    if reader.read(2) != 2:
        raise PeerError("VP9 frame without its frame marker")
    profile = reader.read(1) | reader.read(1) << 1
    if profile == 3:
        reader.skip(1)
    if reader.read_flag() or reader.read_flag():  # show_existing_frame, frame_type
        return None
    reader.skip(2)  # show_frame, error_resilient_mode
    if reader.read(24) != _SYNC_CODE:
        raise PeerError("VP9 key frame without its sync code")
    depth, chroma = _read_color(reader, profile)
    width, height = reader.read(16) + 1, reader.read(16) + 1
    check_picture_size("VP9", width, height)
    return Vp9Keyframe(profile, depth, chroma, width, height)


def _read_color(reader: BitReader, profile: int) -> tuple[int, int]:
    depth = 8
    if profile >= 2:
        depth = 12 if reader.read_flag() else 10
    is_rgb = reader.read(3) == _SRGB
    has_subsampling = profile in (1, 3)
    if is_rgb:
        reader.skip(1 if has_subsampling else 0)
        return depth, 3
    reader.skip(1)  # color_range
    if not has_subsampling:
        return depth, 1
    chroma = 3 - reader.read(1) - reader.read(1)
    reader.skip(1)
    return depth, chroma


def vp9_track(config: bytes, keyframe: Vp9Keyframe, bitrate_bps: int | None = None) -> VideoTrack:
    """Describe the track of a vpcC box body; the record knows no size, so a key frame tells."""
    level = config[5]
    return VideoTrack(
        codec="vp9",
        config=config,
        codec_string=f"vp09.{keyframe.profile:02d}.{level:02d}.{keyframe.bit_depth:02d}",
        width=keyframe.width,
        height=keyframe.height,
        bit_depth=keyframe.bit_depth,
        chroma_format_idc=keyframe.chroma_format_idc,
        bitrate_bps=bitrate_bps,
    )
