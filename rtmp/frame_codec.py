"""AV1 and VP9 in video tags: whole frames, without composition times."""

from __future__ import annotations

from media.av1 import av1_config, av1_track, sequence_header_of
from media.configuration import check_configuration_size
from media.obu import SEQUENCE_HEADER, TEMPORAL_DELIMITER, split_obus
from media.packet import VideoTrack
from media.vp9 import parse_vp9_config, parse_vp9_keyframe, vp9_track
from rtmp.picture import Frame


class Av1Codec:
    """One track of AV1.

    The sequence header in a keyframe counts, not the one in the record: SVT-AV1 announces another one than it
    uses, and some encoders announce none.
    """

    has_composition_time = False

    def __init__(self) -> None:
        self._record = b""
        self._bitrate_bps: int | None = None
        self._header = b""
        self._track: VideoTrack | None = None

    def configure(self, record: bytes, bitrate_bps: int | None) -> None:
        """Take an av1C record."""
        if record == self._record or not record:
            return
        check_configuration_size("AV1", len(record))
        header = sequence_header_of(record)
        self._track = av1_track(record, bitrate_bps) if header else None
        self._record, self._header, self._bitrate_bps = record, header, bitrate_bps

    def read(self, data: bytes, is_key_tag: bool) -> Frame | None:
        """Read a temporal unit; its delimiter is left out."""
        if not self._record:
            return None
        units = [unit for unit in split_obus(data) if unit.kind != TEMPORAL_DELIMITER]
        if not units:
            return None
        header = next((unit.payload for unit in units if unit.kind == SEQUENCE_HEADER), b"")
        if is_key_tag and header and header != self._header:
            self._track = av1_track(av1_config(header), self._bitrate_bps)
            self._header = header
        if self._track is None:
            return None
        return self._track, b"".join(unit.data for unit in units), is_key_tag


class Vp9Codec:
    """One track of VP9; its size is known from the first key frame on."""

    has_composition_time = False

    def __init__(self) -> None:
        self._record = b""
        self._bitrate_bps: int | None = None
        self._track: VideoTrack | None = None

    def configure(self, record: bytes, bitrate_bps: int | None) -> None:
        """Take a vpcC record."""
        if record:
            record = parse_vp9_config(record)
        if record == self._record or not record:
            return
        self._record, self._bitrate_bps, self._track = record, bitrate_bps, None

    def read(self, data: bytes, is_key_tag: bool) -> Frame | None:  # noqa: ARG002 - the frame's header knows better
        """Read a frame or superframe."""
        if not data or not self._record:
            return None
        keyframe = parse_vp9_keyframe(data)
        if keyframe is not None:
            track = vp9_track(self._record, keyframe, self._bitrate_bps)
            self._track = self._track if track == self._track else track
        return None if self._track is None else (self._track, data, keyframe is not None)
