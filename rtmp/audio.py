"""Audio tags to packets: FLV 10.1 (E.4.2) and Enhanced RTMP v2 (ExAudioTagHeader, ExAudioTagBody)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from media.aac import aac_track, strip_adts
from media.ac3 import ac3_track, eac3_track
from media.flac import flac_track
from media.mp3 import mp3_track
from media.packet import TICKS_PER_MS, Packet
from media.timing import TimestampUnwrapper
from rtmp.enhanced import CODED_FRAMES, SEQUENCE_START, parse_enhanced
from rtmp.sound_codec import AudioCodec, FrameCodec, HeaderCodec, OpusCodec, Sound, parse_channel_count
from rtmp.track_table import TrackTable

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

# MP3 has two numbers: of any sample rate, and of 8 kHz.
_LEGACY_CODECS = {2: _MP3_FOURCC, 10: _AAC_FOURCC, 14: _MP3_FOURCC}
_NAMES: dict[bytes | int, str] = {
    0: "PCM", 1: "ADPCM", 3: "PCM", 4: "Nellymoser", 5: "Nellymoser", 6: "Nellymoser",
    7: "G.711 A-law", 8: "G.711 mu-law", 11: "Speex", 15: "device specific",
}  # fmt: skip


class AudioTagReader:
    """Turns the payloads of audio messages into packets, of one track or several.

    Sample rate and channels in the tag are passed over: for AAC they are always "44 kHz, stereo", and they have no
    words for most rates. Each codec tells its own.

    Args:
        clock: shared with the video of the connection.
    """

    def __init__(self, clock: TimestampUnwrapper) -> None:
        self._clock = clock
        self._tracks = TrackTable("audio", _CODECS, _NAMES, _REMEDY)

    def read(
        self, payload: bytes, timestamp: int, bitrates_bps: Mapping[int, int] = MappingProxyType({})
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
        if payload[0] >> 4 != _ENHANCED:
            return self._read_legacy(payload, timestamp, bitrates_bps)
        tag = parse_enhanced(payload, _MULTITRACK, _KNOWN_TYPES)
        packets = []
        for body in tag.bodies:
            codec = self._tracks.codec(body.fourcc, body.track_id)
            if tag.packet_type == SEQUENCE_START:
                codec.configure(body.data, bitrates_bps.get(body.track_id))
            elif tag.packet_type == _MULTICHANNEL_CONFIG:
                codec.set_channels(parse_channel_count(body.data))
            elif (sound := codec.read(body.data)) is not None:
                packets.append(self._packet(sound, timestamp, tag.offset_ticks, body.track_id))
        return packets

    def _read_legacy(self, payload: bytes, timestamp: int, bitrates_bps: Mapping[int, int]) -> list[Packet]:
        """Read a tag with a sound format, the form that nearly all encoders use for AAC."""
        fourcc = _LEGACY_CODECS.get(payload[0] >> 4)
        if fourcc is None:
            raise self._tracks.refuse_number(payload[0] >> 4)
        codec = self._tracks.codec(fourcc)
        has_type = fourcc == _AAC_FOURCC
        kind = payload[1] if has_type else CODED_FRAMES
        if kind == SEQUENCE_START:
            codec.configure(payload[2:], bitrates_bps.get(0))
        if kind != CODED_FRAMES:
            return []
        sound = codec.read(payload[2:] if has_type else payload[1:])
        if sound is None:
            return []
        track, data = sound
        time = self._clock.unwrap(timestamp) * TICKS_PER_MS
        return [Packet(track, time, time, data, True)]

    def _packet(self, sound: Sound, timestamp: int, offset_ticks: int, track_id: int) -> Packet:
        track, data = sound
        time = self._clock.unwrap(timestamp) * TICKS_PER_MS + offset_ticks
        return Packet(track, time, time, data, True, track_id)
