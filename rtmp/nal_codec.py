"""H.264 and HEVC in video tags: access units of NAL units, whatever their framing, with four-byte lengths out."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import ClassVar

from media import h264, hevc
from media.configuration import check_configuration_size
from media.error import PeerError
from media.h264 import AvcConfig, h264_track, parse_avc_config
from media.hevc import HevcConfig, hevc_track, is_hevc_config, parse_hevc_config
from media.nal import MAX_NALS, join_length_prefixed, split_annexb, split_length_prefixed
from media.packet import VideoTrack
from rtmp.picture import Frame

_START_CODES = (b"\x00\x00\x00\x01", b"\x00\x00\x01")

_NAL_HEAD = struct.Struct(">IB")
"""A length of four bytes, and the first byte of the NAL unit."""
_NAL_HEAD_BYTES = _NAL_HEAD.size

# What the first byte of a NAL unit marks its access unit as, for each of 256: it holds more than the type.
_HAS_SPS, _IS_KEY = 1, 2
_HEADS = [bytes([head]) for head in range(256)]
_H264_MARKS = bytes(
    {h264.NAL_SPS: _HAS_SPS, h264.NAL_IDR: _IS_KEY}.get(h264.nal_type(head), 0) for head in _HEADS
)
_HEVC_MARKS = bytes(
    _HAS_SPS * (hevc.nal_type(head) == hevc.NAL_SPS) + _IS_KEY * (hevc.nal_type(head) in hevc.NAL_IRAP)
    for head in _HEADS
)


class NalCodec:
    """One track of H.264 or HEVC.

    Args:
        is_hevc: whether the tag says HEVC. When it says H.264 the record decides: early HEVC encoders (OBS among
            them) kept the codec id of H.264.
    """

    has_composition_time = True

    def __init__(self, is_hevc: bool) -> None:
        self._is_hevc = is_hevc
        self._record = b""
        self._source: _H264Source | _HevcSource | None = None

    def configure(self, record: bytes, bitrate_bps: int | None) -> None:
        """Take an avcC or hvcC record."""
        if record == self._record or not record:
            return
        check_configuration_size("HEVC" if self._is_hevc else "H.264", len(record))
        if self._is_hevc or is_hevc_config(record):
            self._source = _HevcSource.open(parse_hevc_config(record), bitrate_bps)
        else:
            self._source = _H264Source.open(parse_avc_config(record), bitrate_bps)
        self._record = record

    def read(self, data: bytes, is_key_tag: bool) -> Frame | None:  # noqa: ARG002 - NAL unit types know better
        """Read an access unit, with lengths of any size or in Annex B."""
        source = self._source
        if source is None:
            return None
        marks = _marks(data, source.marks) if source.config.length_size == 4 else None
        if marks is None:
            nals = _split(data, source.config.length_size)
            data, marks = join_length_prefixed(nals), 0
            for nal in nals:
                marks |= source.marks[nal[0]]
        if not data:
            return None
        if marks & _HAS_SPS:
            source = self._source = source.adopt(split_length_prefixed(data))
        if source.track is None:
            return None
        return source.track, data, marks & _IS_KEY != 0


@dataclass(frozen=True, slots=True)
class _H264Source:
    config: AvcConfig
    """As received: its length size is that of the tags."""
    track: VideoTrack

    marks: ClassVar[bytes] = _H264_MARKS

    @classmethod
    def open(cls, config: AvcConfig, bitrate_bps: int | None) -> _H264Source:
        return cls(config, h264_track(config.serialize(), bitrate_bps))

    def adopt(self, nals: list[bytes]) -> _H264Source:
        """Follow parameter sets that change inside the stream, without a new header (yasea does that)."""
        sps = tuple(nal for nal in nals if h264.nal_type(nal) == h264.NAL_SPS)
        pps = tuple(nal for nal in nals if h264.nal_type(nal) == h264.NAL_PPS)
        if not pps or (set(sps) <= set(self.config.sps) and set(pps) <= set(self.config.pps)):
            return self
        return self.open(replace(self.config, sps=sps, pps=pps), self.track.bitrate_bps)


@dataclass(frozen=True, slots=True)
class _HevcSource:
    config: HevcConfig
    """As received: its length size is that of the tags."""
    bitrate_bps: int | None
    track: VideoTrack | None
    """None until there is a sequence parameter set: it may come with the first picture only."""

    marks: ClassVar[bytes] = _HEVC_MARKS

    @classmethod
    def open(cls, config: HevcConfig, bitrate_bps: int | None) -> _HevcSource:
        has_picture = bool(config.of_type(hevc.NAL_SPS))
        return cls(config, bitrate_bps, hevc_track(config.serialize(), bitrate_bps) if has_picture else None)

    def adopt(self, nals: list[bytes]) -> _HevcSource:
        """Follow parameter sets inside the stream; a video parameter set may be left out when it stays."""
        sets = [nal for nal in nals if hevc.nal_type(nal) in hevc.PARAMETER_SETS]
        kinds = {hevc.nal_type(nal) for nal in sets}
        if hevc.NAL_PPS not in kinds or set(sets) <= set(self.config.nals):
            return self
        kept = [nal for nal in self.config.nals if hevc.nal_type(nal) not in kinds]
        # Encoders may repeat a set within one access unit; the record names it once.
        merged = tuple(dict.fromkeys([*sets, *kept]))[: hevc.MAX_RECORD_SETS]
        return self.open(replace(self.config, nals=merged), self.bitrate_bps)


def _marks(data: bytes, marks_by_head: bytes) -> int | None:
    """Return what NAL units with four-byte lengths mark their access unit as.

    None when that has to be looked at closer: they are too many, or some are cut short, empty, or so short that a
    length may be a start code.
    """
    marks, position, last = 0, 0, len(data) - _NAL_HEAD_BYTES
    for _ in range(MAX_NALS):
        if position > last:
            break
        length, head = _NAL_HEAD.unpack_from(data, position)
        if length < 2:
            return None
        marks |= marks_by_head[head]
        position += 4 + length
    return marks if position == len(data) else None


def _split(data: bytes, length_size: int) -> list[bytes]:
    """Split an access unit, with lengths or in Annex B, whatever the record says."""
    if data.startswith(_START_CODES[0]):
        return split_annexb(data)
    try:
        return split_length_prefixed(data, length_size)
    except PeerError:
        if data.startswith(_START_CODES[1]):
            return split_annexb(data)
        raise
