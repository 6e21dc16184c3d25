"""What a media initialization section says of its tracks (ISO/IEC 14496-12, 8; 14496-15; 14496-14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from media.aac import parse_audio_specific_config
from media.error import PeerError
from media.h264 import parse_avc_config
from media.hevc import codec_string as hevc_codec_string
from media.hevc import parse_hevc_config
from media.sps import parse_sps

from .boxes import Box, BoxError, find_box, read_boxes, unpack

_CONFIGURATIONS = {
    "avc1": "avcC", "avc3": "avcC", "hvc1": "hvcC", "hev1": "hvcC", "av01": "av1C", "vp09": "vpcC", "mp4a": "esds",
}  # fmt: skip
_AUDIO_NAMES = {"Opus": "Opus", "fLaC": "fLaC", "ac-3": "ac-3", "ec-3": "ec-3"}
_VISUAL_HEAD, _AUDIO_HEAD = 78, 28
"""Bytes of a sample entry before its boxes."""
_ESDS_CONFIG, _ES_DESCRIPTOR, _DECODER_CONFIG = 5, 3, 4
"""Descriptor tags of ISO/IEC 14496-1, 7.2.2.1."""


@dataclass(frozen=True, slots=True)
class Track:
    """A track."""

    id: int
    kind: str
    """`video`, `audio` or `other`."""
    timescale: int
    """Units of a second."""
    entry: str
    """Four characters of the sample entry, such as `avc1`."""
    codec_string: str
    """For CODECS, from the configuration; the sample entry's name when that cannot be read."""
    width: int = 0
    height: int = 0
    """Of the picture in pixels."""
    length_size: int = 4
    """Bytes of the length before a NAL unit."""
    shift: int = 0
    """First media time that is presented, by the edit list, in units of the timescale."""
    empty_edit: int = 0
    """Duration before the media is presented, in units of the movie's timescale."""
    sample_rate: int = 0
    default_duration: int = 0
    default_size: int = 0
    default_flags: int = 0


@dataclass(frozen=True, slots=True)
class Initialization:
    """A media initialization section."""

    kinds: tuple[str, ...]
    """Boxes of the outermost level."""
    tracks: Mapping[int, Track]
    has_extends: bool
    """Whether there is `mvex`, without which there are no fragments (3.1.2)."""


def read_initialization(data: bytes) -> Initialization:
    """Read a media initialization section.

    Raises:
        PeerError: it is broken, or has no `moov`.
    """
    boxes = list(read_boxes(data))
    movie = next((box for box in boxes if box.kind == "moov"), None)
    if movie is None:
        raise BoxError("there is no `moov`")
    defaults: dict[int, tuple[int, ...]] = {}
    extends = find_box(data, "mvex", movie.payload, movie.end)
    if extends is not None:
        for box in read_boxes(data, extends.payload, extends.end):
            if box.kind == "trex":
                track_id, *rest = unpack("5I", data, box.payload + 4, box.end)
                defaults[track_id] = tuple(rest)
    tracks = {}
    for box in read_boxes(data, movie.payload, movie.end):
        if box.kind == "trak":
            track = _read_track(data, box, defaults)
            tracks[track.id] = track
    return Initialization(tuple(box.kind for box in boxes), tracks, extends is not None)


def _need(data: bytes, path: str, inside: Box) -> Box:
    box = find_box(data, path, inside.payload, inside.end)
    if box is None:
        raise BoxError(f"{inside.kind!r} has no {path!r}")
    return box


def _read_track(data: bytes, trak: Box, defaults: Mapping[int, tuple[int, ...]]) -> Track:
    head = _need(data, "tkhd", trak)
    is_long = data[head.payload : head.payload + 1] == b"\x01"
    (track_id,) = unpack("I", data, head.payload + (20 if is_long else 12), head.end)
    media_head = _need(data, "mdia/mdhd", trak)
    is_long = data[media_head.payload : media_head.payload + 1] == b"\x01"
    (timescale,) = unpack("I", data, media_head.payload + (20 if is_long else 12), media_head.end)
    if not timescale:
        raise BoxError(f"track {track_id} has a timescale of 0")
    handler = _need(data, "mdia/hdlr", trak)
    name = data[handler.payload + 8 : handler.payload + 12]
    kind = {b"vide": "video", b"soun": "audio"}.get(name, "other")
    shift, empty_edit = _read_edits(data, trak)
    _, duration, size, flags = defaults.get(track_id, (1, 0, 0, 0))
    entry = _read_entry(data, _need(data, "mdia/minf/stbl/stsd", trak), kind)
    return Track(
        id=track_id,
        kind=kind,
        timescale=timescale,
        entry=entry.name,
        codec_string=entry.codec_string,
        width=entry.width,
        height=entry.height,
        length_size=entry.length_size,
        shift=shift,
        empty_edit=empty_edit,
        sample_rate=entry.sample_rate,
        default_duration=duration,
        default_size=size,
        default_flags=flags,
    )


def _read_edits(data: bytes, trak: Box) -> tuple[int, int]:
    box = find_box(data, "edts/elst", trak.payload, trak.end)
    if box is None:
        return 0, 0
    is_long = data[box.payload : box.payload + 1] == b"\x01"
    (count,) = unpack("I", data, box.payload + 4, box.end)
    position, empty = box.payload + 8, 0
    for _ in range(min(count, 2)):
        duration, start = unpack("Qq" if is_long else "Ii", data, position, box.end)
        if start >= 0:
            return start, empty
        empty += duration
        position += 20 if is_long else 12
    return 0, empty


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    codec_string: str
    width: int = 0
    height: int = 0
    length_size: int = 4
    sample_rate: int = 0


def _read_entry(data: bytes, table: Box, kind: str) -> _Entry:
    box = next(read_boxes(data, table.payload + 8, table.end), None)
    if box is None:
        raise BoxError("there is no sample entry")
    if kind == "video":
        width, height = unpack("HH", data, box.payload + 24, box.end)
        config = _configuration(data, box, _VISUAL_HEAD)
        codec, length_size, size = _video_codec(box.kind, config)
        return _Entry(box.kind, codec, *(size or (width, height)), length_size)
    if kind == "audio":
        (rate,) = unpack("I", data, box.payload + 24, box.end)
        config = _configuration(data, box, _AUDIO_HEAD)
        return _Entry(box.kind, _audio_codec(box.kind, config), sample_rate=rate >> 16)
    return _Entry(box.kind, box.kind)


def _configuration(data: bytes, entry: Box, head: int) -> bytes:
    name = _CONFIGURATIONS.get(entry.kind)
    box = find_box(data, name, entry.payload + head, entry.end) if name is not None else None
    return data[box.payload : box.end] if box is not None else b""


def _video_codec(name: str, config: bytes) -> tuple[str, int, tuple[int, int] | None]:
    """Return the codec string, bytes of a NAL unit's length, and the size that the parameter sets say."""
    try:
        if name in ("avc1", "avc3"):
            avc = parse_avc_config(config)
            sps = parse_sps(avc.sps[0]) if avc.sps else None
            size = (sps.width, sps.height) if sps is not None else None
            return f"{name}.{config[1:4].hex()}", avc.length_size, size
        if name in ("hvc1", "hev1"):
            length_size = parse_hevc_config(config).length_size
            return name + hevc_codec_string(config)[4:], length_size, None
        if name == "av01" and len(config) >= 4:
            return _av1_codec(config), 0, None
    except PeerError:
        pass  # The codec string stays unknown, which `init-codecs` tells.
    return name, 4, None


def _av1_codec(config: bytes) -> str:
    """Name an av1C record (AV1 Codec ISO Media File Format Binding, 2.3.3 and 5)."""
    tier = "H" if config[2] & 0x80 else "M"
    depth = (12 if config[2] & 0x20 else 10) if config[2] & 0x40 else 8
    return f"av01.{config[1] >> 5}.{config[1] & 0x1F:02d}{tier}.{depth:02d}"


def _audio_codec(name: str, config: bytes) -> str:
    if name != "mp4a":
        return _AUDIO_NAMES.get(name, name)
    object_type, specific = _read_esds(config)
    if object_type == 0x40:
        try:
            return f"mp4a.40.{parse_audio_specific_config(specific).object_type}"
        except PeerError:
            return f"mp4a.40.{specific[0] >> 3}" if specific else name
    return f"mp4a.{object_type:X}" if object_type else name


def _read_esds(payload: bytes) -> tuple[int, bytes]:
    """Find objectTypeIndication and DecoderSpecificInfo in an `esds` box."""
    position, object_type = 4, 0
    while position + 2 <= len(payload):
        tag, size = payload[position], 0
        position += 1
        for _ in range(4):
            byte = payload[position] if position < len(payload) else 0
            position += 1
            size = size << 7 | byte & 0x7F
            if not byte & 0x80:
                break
        if tag == _ES_DESCRIPTOR:
            position += 3
        elif tag == _DECODER_CONFIG:
            object_type = payload[position] if position < len(payload) else 0
            position += 13
        elif tag == _ESDS_CONFIG:
            return object_type, payload[position : position + size]
        else:
            position += size
    return object_type, b""
