"""Video tags to packets (FLV 10.1, E.4.3; the codec layer of RTMP video messages)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from media.error import PeerError
from media.h264 import (
    NAL_IDR,
    NAL_PPS,
    NAL_SPS,
    AvcConfig,
    h264_track,
    join_length_prefixed,
    nal_type,
    parse_avc_config,
    split_annexb,
    split_length_prefixed,
)
from media.packet import TICKS_PER_MS, Packet, VideoTrack
from media.timing import TimestampUnwrapper
from rtmp.error import RefusedError

_IS_ENHANCED = 0x80
_COMMAND_FRAME = 5
_AVC = 7
_SEQUENCE_HEADER = 0
_NAL_UNITS = 1

_CODEC_NAMES = {
    1: "JPEG",
    2: "Sorenson H.263",
    3: "Screen Video",
    4: "VP6",
    5: "VP6",
    6: "Screen Video 2",
    12: "HEVC",
}
_FOURCC_NAMES = {
    b"hvc1": "HEVC",
    b"av01": "AV1",
    b"vp09": "VP9",
    b"vp08": "VP8",
    b"vvc1": "VVC",
    b"avc1": "H.264",
}

_START_CODES = (b"\x00\x00\x00\x01", b"\x00\x00\x01")


class VideoTagReader:
    """Turns the payloads of video messages into packets of H.264.

    Args:
        clock: shared with the audio of the connection, so that both roll over together. Only frames go through it:
            configuration often has time 0 whatever the media's time is.
    """

    def __init__(self, clock: TimestampUnwrapper) -> None:
        self._clock = clock
        self._header = b""
        self._source: _Source | None = None

    def read(self, payload: bytes, timestamp: int, bitrate_bps: int | None = None) -> Packet | None:
        """Read one tag.

        Args:
            payload: of the message.
            timestamp: of the message, in milliseconds modulo 2**32.
            bitrate_bps: what the metadata announced; a track opened by this tag carries it.

        Returns:
            The frame in it, None for configuration, for what carries no picture, and before a configuration.

        Raises:
            RefusedError: the codec is not supported.
            PeerError: the tag is damaged.
        """
        if not payload or payload[0] >> 4 & 7 == _COMMAND_FRAME:
            return None
        _check_codec(payload)
        if len(payload) < 5:
            return None
        if payload[1] == _SEQUENCE_HEADER:
            self._read_header(payload[5:], bitrate_bps)
        elif payload[1] == _NAL_UNITS:
            composition_ms = int.from_bytes(payload[2:5], "big", signed=True)
            return self._read_frame(payload[5:], timestamp, composition_ms)
        return None

    def _read_header(self, header: bytes, bitrate_bps: int | None) -> None:
        # Encoders repeat the header, some with every keyframe: only another one is a change.
        if header == self._header or not header:
            return
        self._source = _Source.open(parse_avc_config(header), bitrate_bps)
        self._header = header

    def _read_frame(self, data: bytes, timestamp: int, composition_ms: int) -> Packet | None:
        if self._source is None:
            return None
        data, types = _normalize(data, self._source.config.length_size)
        if not data:
            return None
        if NAL_SPS in types:
            self._source = self._source.adopt(data)
        dts = self._clock.unwrap(timestamp) * TICKS_PER_MS
        pts = dts + composition_ms * TICKS_PER_MS
        return Packet(self._source.track, pts, dts, data, NAL_IDR in types)


@dataclass(frozen=True, slots=True)
class _Source:
    config: AvcConfig
    """As received: its length size is that of the tags."""
    track: VideoTrack

    @classmethod
    def open(cls, config: AvcConfig, bitrate_bps: int | None) -> _Source:
        return cls(config, h264_track(config.serialize(), bitrate_bps))

    def adopt(self, data: bytes) -> _Source:
        """Follow parameter sets that change inside the stream, without a new header (yasea does that)."""
        nals = split_length_prefixed(data)
        sps = tuple(nal for nal in nals if nal_type(nal) == NAL_SPS)
        pps = tuple(nal for nal in nals if nal_type(nal) == NAL_PPS)
        if not pps or (set(sps) <= set(self.config.sps) and set(pps) <= set(self.config.pps)):
            return self
        return self.open(replace(self.config, sps=sps, pps=pps), self.track.bitrate_bps)


def _check_codec(payload: bytes) -> None:
    first = payload[0]
    if first & _IS_ENHANCED:
        name = _FOURCC_NAMES.get(payload[1:5], repr(payload[1:5])[2:-1]) + " over Enhanced RTMP"
    elif first & 0x0F != _AVC:
        name = _CODEC_NAMES.get(first & 0x0F, f"number {first & 0x0F}")
    else:
        return
    detail = f"video codec {name} is not supported: set the encoder to H.264"
    raise RefusedError("NetStream.Publish.Rejected", detail)


def _normalize(data: bytes, length_size: int) -> tuple[bytes, set[int]]:
    """Bring an access unit into the form with four-byte lengths; return it and the NAL unit types in it."""
    if data.startswith(_START_CODES[0]):
        return _join(split_annexb(data))
    if length_size == 4:
        types = _types(data)
        if types is not None:
            return data, types
    try:
        return _join(split_length_prefixed(data, length_size))
    except PeerError:
        if data.startswith(_START_CODES[1]):
            return _join(split_annexb(data))
        raise


def _join(nals: list[bytes]) -> tuple[bytes, set[int]]:
    return join_length_prefixed(nals), {nal_type(nal) for nal in nals}


def _types(data: bytes) -> set[int] | None:
    """Return the types of NAL units with four-byte lengths; None when some are empty or cut short."""
    types = set()
    position, end = 0, len(data)
    while position < end - 4:
        length = int.from_bytes(data[position : position + 4], "big")
        if not length:
            return None
        types.add(data[position + 4] & 0x1F)
        position += 4 + length
    return types if position == end else None
