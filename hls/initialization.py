"""Initialization segments: `ftyp` and `moov` of a fragmented MP4 with one track.

Sources: ISO/IEC 14496-12 (8, 12), 14496-14 (mp4a, esds), 14496-15 (avc1, hvc1), 23000-19 (CMAF brands),
Encapsulation of Opus in ISOBMFF, AV1 in ISOBMFF.
"""

from __future__ import annotations

import struct

from media.error import LocalStateError
from media.packet import CLOCK_HZ, AudioTrack, VideoTrack

from .box import box, full_box

TRACK_ID = 1
MOVIE_TIMESCALE = 1000

_UNITY_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_LANGUAGE_UND = 0x55C4
_FILE_TYPE = box(b"ftyp", b"iso6", bytes(4), b"iso6cmfcmp41")

# Sample entry and configuration box by codec. `hvc1`, not `hev1`: Apple reads parameter sets there only.
_VIDEO_ENTRIES = {"h264": (b"avc1", b"avcC"), "hevc": (b"hvc1", b"hvcC"), "av1": (b"av01", b"av1C")}


def video_init(track: VideoTrack) -> bytes:
    """Build the initialization segment of a video track; its timescale is `CLOCK_HZ`."""
    header = full_box(b"vmhd", 0, 1, bytes(8))
    aspect = track.sample_aspect_ratio
    width = round(track.width * aspect)
    return _init(b"vide", CLOCK_HZ, header, _video_entry(track), size=(width, track.height), volume=0)


def audio_init(track: AudioTrack) -> bytes:
    """Build the initialization segment of an audio track; its timescale is the sample rate."""
    header = full_box(b"smhd", 0, 0, bytes(4))
    return _init(b"soun", track.sample_rate, header, _audio_entry(track), size=(0, 0), volume=0x100)


def _video_entry(track: VideoTrack) -> bytes:
    try:
        kind, config_kind = _VIDEO_ENTRIES[track.codec]
    except KeyError as error:
        raise LocalStateError(f"no sample entry is known for video codec {track.codec}") from error
    aspect = track.sample_aspect_ratio
    return box(
        kind,
        struct.pack(">6xH16xHHII4xH32xHh", 1, track.width, track.height, 0x480000, 0x480000, 1, 24, -1),
        box(config_kind, track.config),
        box(b"pasp", struct.pack(">II", aspect.numerator, aspect.denominator)),
    )


def _audio_entry(track: AudioTrack) -> bytes:
    # The 16.16 field cannot hold rates from 65536 Hz on; decoders read the configuration instead.
    rate = track.sample_rate if track.sample_rate < 1 << 16 else 0
    fields = struct.pack(">6xH8xHHHHI", 1, track.channels, 16, 0, 0, rate << 16)
    if track.codec == "aac":
        return box(b"mp4a", fields, full_box(b"esds", 0, 0, _elementary_stream(track)))
    if track.codec == "opus":
        return box(b"Opus", fields, box(b"dOps", track.config))
    raise LocalStateError(f"no sample entry is known for audio codec {track.codec}")


def _elementary_stream(track: AudioTrack) -> bytes:
    """Build the ES_Descriptor of an AAC track (ISO/IEC 14496-1, 7.2.6.5)."""
    bitrate = track.bitrate_bps or 0
    specific = _descriptor(0x05, track.config)
    audio_object, audio_stream = 0x40, 0x15
    decoder = struct.pack(">BB3xII", audio_object, audio_stream, bitrate, bitrate) + specific
    return _descriptor(
        0x03, struct.pack(">HB", 0, 0) + _descriptor(0x04, decoder) + _descriptor(0x06, b"\x02")
    )


def _descriptor(tag: int, payload: bytes) -> bytes:
    size = len(payload)
    return (
        bytes((tag, size >> 21 & 0x7F | 0x80, size >> 14 & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size & 0x7F))
        + payload
    )


def _init(
    handler: bytes, timescale: int, media_header: bytes, entry: bytes, *, size: tuple[int, int], volume: int
) -> bytes:
    table = box(
        b"stbl",
        full_box(b"stsd", 0, 0, struct.pack(">I", 1), entry),
        full_box(b"stts", 0, 0, bytes(4)),
        full_box(b"stsc", 0, 0, bytes(4)),
        full_box(b"stsz", 0, 0, bytes(8)),
        full_box(b"stco", 0, 0, bytes(4)),
    )
    self_contained = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1)))
    media = box(
        b"mdia",
        full_box(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, timescale, 0, _LANGUAGE_UND, 0)),
        full_box(b"hdlr", 0, 0, bytes(4), handler, bytes(12), b"\0"),
        box(b"minf", media_header, self_contained, table),
    )
    header = struct.pack(">IIIII8xHHHH", 0, 0, TRACK_ID, 0, 0, 0, 0, volume, 0)
    sides = struct.pack(">II", size[0] << 16, size[1] << 16)
    track = box(b"trak", full_box(b"tkhd", 0, 7, header, _UNITY_MATRIX, sides), media)
    defaults = box(b"mvex", full_box(b"trex", 0, 0, struct.pack(">IIIII", TRACK_ID, 1, 0, 0, 0)))
    return _FILE_TYPE + box(b"moov", _movie_header(), track, defaults)


def _movie_header() -> bytes:
    fields = struct.pack(">IIIIIH10x", 0, 0, MOVIE_TIMESCALE, 0, 0x10000, 0x100)
    return full_box(b"mvhd", 0, 0, fields, _UNITY_MATRIX, bytes(24), struct.pack(">I", TRACK_ID + 1))
