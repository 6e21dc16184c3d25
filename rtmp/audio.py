"""Audio tags to packets (FLV 10.1, E.4.2; the codec layer of RTMP audio messages).

FFmpeg 8 and newer send AAC of more than two channels in the form of Enhanced RTMP, so AAC is read in both.
"""

from __future__ import annotations

from media.aac import aac_track, strip_adts
from media.packet import TICKS_PER_MS, AudioTrack, Packet
from media.timing import TimestampUnwrapper
from rtmp.error import RefusedError

_ENHANCED = 9
_AAC = 10
_SEQUENCE_HEADER = 0
_RAW = 1

_FOURCC_NAMES = {
    b"mp4a": "AAC", b"Opus": "Opus", b"fLaC": "FLAC", b".mp3": "MP3", b"ac-3": "AC-3", b"ec-3": "E-AC-3",
}  # fmt: skip
_ENHANCED_MULTITRACK = 5

_CODEC_NAMES = {
    0: "PCM", 1: "ADPCM", 2: "MP3", 3: "PCM", 4: "Nellymoser", 5: "Nellymoser", 6: "Nellymoser",
    7: "G.711 A-law", 8: "G.711 mu-law", 11: "Speex", 14: "MP3", 15: "device specific",
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
        kind, data = _read_enhanced(payload) if payload[0] >> 4 == _ENHANCED else _read_plain(payload)
        if kind == _SEQUENCE_HEADER:
            self._read_header(data, bitrate_bps)
        elif kind == _RAW and self._track is not None:
            return self._read_frame(data, timestamp, self._track)
        return None

    def _read_header(self, header: bytes, bitrate_bps: int | None) -> None:
        if header and header != self._header:
            self._track = aac_track(header, bitrate_bps)
            self._header = header

    def _read_frame(self, data: bytes, timestamp: int, track: AudioTrack) -> Packet | None:
        data = strip_adts(data)
        if not data:
            return None
        time = self._clock.unwrap(timestamp) * TICKS_PER_MS
        return Packet(track, time, time, data, is_keyframe=True)


def _read_plain(payload: bytes) -> tuple[int, bytes]:
    codec = payload[0] >> 4
    if codec != _AAC:
        raise _refusal(_CODEC_NAMES.get(codec, f"number {codec}"))
    return payload[1], payload[2:]


def _read_enhanced(payload: bytes) -> tuple[int, bytes]:
    """Read a tag of Enhanced RTMP v2, whose packet types 0 and 1 are those of AAC."""
    kind, fourcc = payload[0] & 0x0F, payload[1:5]
    if kind == _ENHANCED_MULTITRACK:
        detail = "several audio tracks over Enhanced RTMP are not supported: set the encoder to one track"
        raise RefusedError("NetStream.Publish.Rejected", detail)
    if fourcc != b"mp4a":
        name = _FOURCC_NAMES.get(fourcc, repr(fourcc)[2:-1])
        raise _refusal(f"{name} over Enhanced RTMP")
    return kind, payload[5:]


def _refusal(name: str) -> RefusedError:
    detail = f"audio codec {name} is not supported: set the encoder to AAC"
    return RefusedError("NetStream.Publish.Rejected", detail)
