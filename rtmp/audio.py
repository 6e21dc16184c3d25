"""Audio tags to packets: FLV 10.1 (E.4.2) and Enhanced RTMP v2 (ExAudioTagHeader, ExAudioTagBody)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from media.aac import aac_track, strip_adts
from media.ac3 import ac3_track, eac3_track
from media.flac import flac_track
from media.mp3 import mp3_track
from media.packet import TICKS_PER_MS, Packet
from media.timing import TimestampUnwrapper
from rtmp.enhanced import (
    CODED_FRAMES,
    MAX_TRACKS,
    SEQUENCE_END,
    SEQUENCE_START,
    EnhancedTag,
    TrackBody,
    parse_enhanced,
    refuse_codec,
    refuse_tracks,
)
from rtmp.error import RefusedError
from rtmp.sound_codec import AudioCodec, FrameCodec, HeaderCodec, OpusCodec, parse_channel_count

_ENHANCED = 9
_MULTICHANNEL_CONFIG = 4
_MULTITRACK = 5
_KNOWN_TYPES = frozenset({SEQUENCE_START, CODED_FRAMES, _MULTICHANNEL_CONFIG})
"""Others are passed over; the end of a sequence tells nothing that the end of the publication does not."""

_AAC_FOURCC, _MP3_FOURCC = b"mp4a", b".mp3"
_CODECS: dict[bytes, Callable[[], AudioCodec]] = {
    _AAC_FOURCC: lambda: HeaderCodec(aac_track, strip_adts),
    b"fLaC": lambda: HeaderCodec(flac_track),
    b"Opus": OpusCodec,
    _MP3_FOURCC: lambda: FrameCodec(mp3_track),
    b"ac-3": lambda: FrameCodec(ac3_track),
    b"ec-3": lambda: FrameCodec(eac3_track),
}
_REMEDY = "AAC"

_AAC = 10
_MP3 = (2, 14)
"""Of any sample rate, and of 8 kHz."""
_LEGACY_NAMES = {
    0: "PCM", 1: "ADPCM", 3: "PCM", 4: "Nellymoser", 5: "Nellymoser", 6: "Nellymoser",
    7: "G.711 A-law", 8: "G.711 mu-law", 11: "Speex", 15: "device specific",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Track:
    fourcc: bytes
    codec: AudioCodec


class AudioTagReader:
    """Turns the payloads of audio messages into packets, of one track or several.

    Sample rate and channels in the tag are passed over: for AAC they are always "44 kHz, stereo", and they have no
    words for most rates. Each codec tells its own.

    Args:
        clock: shared with the video of the connection.
    """

    def __init__(self, clock: TimestampUnwrapper) -> None:
        self._clock = clock
        self._tracks: dict[int, _Track] = {}

    def read(
        self, payload: bytes, timestamp: int, bitrates_bps: Mapping[int, int] | None = None
    ) -> list[Packet]:
        """Read one tag.

        Args:
            payload: of the message.
            timestamp: of the message, in milliseconds modulo 2**32.
            bitrates_bps: what the metadata announced, by track id; tracks opened by this tag carry it.

        Returns:
            The frames in it: none for configuration, for an empty tag, and before any configuration; several when the
            tag carries several tracks.

        Raises:
            RefusedError: the codec is not supported.
            PeerError: the tag is damaged.
        """
        if len(payload) < 2:
            return []
        if payload[0] >> 4 == _ENHANCED:
            tag = parse_enhanced(payload, _MULTITRACK, _KNOWN_TYPES)
        else:
            tag = _parse_legacy(payload)
        packets = []
        for body in tag.bodies:
            codec = self._codec(body)
            if tag.packet_type == SEQUENCE_START:
                codec.configure(body.data, (bitrates_bps or {}).get(body.track_id))
            elif tag.packet_type == _MULTICHANNEL_CONFIG:
                codec.set_channels(parse_channel_count(body.data))
            elif (sound := codec.read(body.data)) is not None:
                time = self._clock.unwrap(timestamp) * TICKS_PER_MS + tag.offset_ticks
                packets.append(Packet(sound.track, time, time, sound.data, True, body.track_id))
        return packets

    def _codec(self, body: TrackBody) -> AudioCodec:
        track = self._tracks.get(body.track_id)
        if track is None or track.fourcc != body.fourcc:
            if body.fourcc not in _CODECS:
                raise refuse_codec("audio", body.fourcc, {}, _REMEDY)
            if track is None and len(self._tracks) == MAX_TRACKS:
                raise refuse_tracks("audio")
            track = self._tracks[body.track_id] = _Track(body.fourcc, _CODECS[body.fourcc]())
        return track.codec


def _parse_legacy(payload: bytes) -> EnhancedTag:
    """Read a tag with a sound format, which says in other words what an enhanced one of AAC or MP3 says."""
    sound_format = payload[0] >> 4
    if sound_format in _MP3:
        return EnhancedTag(CODED_FRAMES, 0, (TrackBody(_MP3_FOURCC, 0, payload[1:]),))
    if sound_format != _AAC:
        name = _LEGACY_NAMES.get(sound_format, f"number {sound_format}")
        detail = f"audio codec {name} is not supported: set the encoder to {_REMEDY}"
        raise RefusedError("NetStream.Publish.Rejected", detail)
    if payload[1] not in (SEQUENCE_START, CODED_FRAMES):
        return EnhancedTag(SEQUENCE_END, 0, ())
    return EnhancedTag(payload[1], 0, (TrackBody(_AAC_FOURCC, 0, payload[2:]),))
