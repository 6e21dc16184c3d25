"""Audio tags to packets (FLV 10.1, E.4.2; the codec layer of RTMP audio messages)."""

from __future__ import annotations

from media.aac import aac_track, strip_adts
from media.packet import AudioTrack, Packet
from media.timing import TimestampUnwrapper
from rtmp.error import RefusedError

_TICKS_PER_MS = 90

_AAC = 10
_SEQUENCE_HEADER = 0
_RAW = 1

_CODEC_NAMES = {
    0: "PCM", 1: "ADPCM", 2: "MP3", 3: "PCM", 4: "Nellymoser", 5: "Nellymoser", 6: "Nellymoser",
    7: "G.711 A-law", 8: "G.711 mu-law", 9: "of Enhanced RTMP", 11: "Speex", 14: "MP3", 15: "device specific",
}  # fmt: skip


class AudioTagReader:
    """Turns the payloads of audio messages into packets of AAC.

    Sample rate and channels in the tag are always "44 kHz, stereo" for AAC; the configuration tells.

    Args:
        clock: shared with the video of the connection.
    """

    def __init__(self, clock: TimestampUnwrapper) -> None:
        self._clock = clock
        self._header = b""
        self._track: AudioTrack | None = None

    def read(self, payload: bytes, timestamp: int, bitrate_bps: int | None = None) -> Packet | None:
        """Read one tag.

        Args:
            payload: of the message.
            timestamp: of the message, in milliseconds modulo 2**32.
            bitrate_bps: what the metadata announced; a track opened by this tag carries it.

        Returns:
            The frame in it, None for configuration, for an empty tag, and before any configuration.

        Raises:
            RefusedError: the codec is not supported.
            PeerError: the configuration is damaged.
        """
        if len(payload) < 2:
            return None
        codec = payload[0] >> 4
        if codec != _AAC:
            name = _CODEC_NAMES.get(codec, f"number {codec}")
            detail = f"audio codec {name} is not supported: set the encoder to AAC"
            raise RefusedError("NetStream.Publish.Rejected", detail)
        if payload[1] == _SEQUENCE_HEADER:
            self._read_header(payload[2:], bitrate_bps)
        elif payload[1] == _RAW and self._track is not None:
            return self._read_frame(payload[2:], timestamp, self._track)
        return None

    def _read_header(self, header: bytes, bitrate_bps: int | None) -> None:
        if header and header != self._header:
            self._track = aac_track(header, bitrate_bps)
            self._header = header

    def _read_frame(self, data: bytes, timestamp: int, track: AudioTrack) -> Packet | None:
        data = strip_adts(data)
        if not data:
            return None
        time = self._clock.unwrap(timestamp) * _TICKS_PER_MS
        return Packet(track, time, time, data, is_keyframe=True)
