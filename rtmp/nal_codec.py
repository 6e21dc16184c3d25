"""H.264 and HEVC in video tags: access units of NAL units, whatever their framing, with four-byte lengths out."""

from __future__ import annotations

from collections.abc import Iterable
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

# All first bytes of NAL units of a kind: the same bytes hold more than the type.
_HEADS = [bytes([head]) for head in range(256)]
_H264_SPS = frozenset(head[0] for head in _HEADS if h264.nal_type(head) == h264.NAL_SPS)
_H264_KEY = frozenset(head[0] for head in _HEADS if h264.nal_type(head) == h264.NAL_IDR)
_HEVC_SPS = frozenset(head[0] for head in _HEADS if hevc.nal_type(head) == hevc.NAL_SPS)
_HEVC_KEY = frozenset(head[0] for head in _HEADS if hevc.nal_type(head) in hevc.NAL_IRAP)


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
        data, heads = _normalize(data, source.config.length_size)
        if not data:
            return None
        if not source.sps_heads.isdisjoint(heads):
            source = self._source = source.adopt(split_length_prefixed(data))
        if source.track is None:
            return None
        return Frame(source.track, data, not source.key_heads.isdisjoint(heads))


@dataclass(frozen=True, slots=True)
class _H264Source:
    config: AvcConfig
    """As received: its length size is that of the tags."""
    track: VideoTrack

    sps_heads: ClassVar[frozenset[int]] = _H264_SPS
    key_heads: ClassVar[frozenset[int]] = _H264_KEY

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

    sps_heads: ClassVar[frozenset[int]] = _HEVC_SPS
    key_heads: ClassVar[frozenset[int]] = _HEVC_KEY

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


def _normalize(data: bytes, length_size: int) -> tuple[bytes, set[int]]:
    """Bring an access unit into the form with four-byte lengths; return it and its NAL units' first bytes."""
    if data.startswith(_START_CODES[0]):
        return _join(split_annexb(data))
    if length_size == 4:
        heads = _heads(data)
        if heads is not None:
            return data, heads
    try:
        return _join(split_length_prefixed(data, length_size))
    except PeerError:
        if data.startswith(_START_CODES[1]):
            return _join(split_annexb(data))
        raise


def _join(nals: Iterable[bytes]) -> tuple[bytes, set[int]]:
    nals = list(nals)
    return join_length_prefixed(nals), {nal[0] for nal in nals}


def _heads(data: bytes) -> set[int] | None:
    """Return the first bytes of NAL units with four-byte lengths; None when they are too many, empty or cut short."""
    heads = set()
    position, end = 0, len(data)
    for _ in range(MAX_NALS):
        if position >= end - 4:
            break
        length = int.from_bytes(data[position : position + 4], "big")
        if not length:
            return None
        heads.add(data[position + 4])
        position += 4 + length
    return heads if position == end else None
