"""The codecs of audio tags: AAC, Opus, FLAC, MP3, AC-3 and E-AC-3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from media.configuration import check_configuration_size
from media.error import PeerError
from media.opus import is_stereo, opus_track, parse_opus_head, with_packet_duration
from media.packet import AudioTrack

MAX_CHANNELS = 24
"""Of 22.2 sound, the largest layout that Enhanced RTMP has names for."""

_CUSTOM_ORDER, _NATIVE_ORDER = 2, 1
_OPUS_TAGS = b"OpusTags"


Sound = tuple[AudioTrack, bytes]
"""A coded audio frame in the form that packets have: track and data. A plain tuple, because one is made for every
packet and taken apart at once."""


def parse_channel_count(data: bytes) -> int:
    """Read a multichannel configuration (ExAudioTagBody, MultichannelConfig); return its number of channels.

    Where each channel is heard is not kept: every codec here says that itself, or has one order only.

    Raises:
        PeerError: it is cut short, or over a bound.
    """
    if len(data) < 2:
        raise PeerError("multichannel configuration is cut short")
    order, channels = data[0], data[1]
    if not 0 < channels <= MAX_CHANNELS:
        raise PeerError(
            f"multichannel configuration of {channels} channels; up to {MAX_CHANNELS} are accepted"
        )
    if len(data) < 2 + {_CUSTOM_ORDER: channels, _NATIVE_ORDER: 4}.get(order, 0):
        raise PeerError("multichannel configuration is cut short inside its order of channels")
    return channels


class AudioCodec(Protocol):
    """The state of one track of audio: its configuration, and frames in, frames out."""

    def configure(self, header: bytes, bitrate_bps: int | None) -> None:
        """Take a sequence header; encoders repeat it, and only another one is a change.

        Raises:
            PeerError: it is damaged.
        """

    def set_channels(self, channels: int) -> None:
        """Take the number of channels from a multichannel configuration."""

    def read(self, data: bytes) -> Sound | None:
        """Read a frame; None when there is none, or no configuration yet.

        Raises:
            PeerError: the frame is damaged.
        """


class HeaderCodec:
    """AAC and FLAC, whose sequence headers say everything.

    Args:
        open_track: makes the track of a sequence header and the bitrate that was announced.
        strip: takes from a frame what does not belong there.
    """

    def __init__(
        self,
        open_track: Callable[[bytes, int | None], AudioTrack],
        strip: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self._open_track = open_track
        self._strip = strip
        self._header = b""
        self._track: AudioTrack | None = None

    def configure(self, header: bytes, bitrate_bps: int | None) -> None:
        """Take an AudioSpecificConfig or a STREAMINFO block."""
        if header and header != self._header:
            check_configuration_size("audio", len(header))
            self._track = self._open_track(header, bitrate_bps)
            self._header = header

    def set_channels(self, channels: int) -> None:
        """Pass over it: the header knows."""

    def read(self, data: bytes) -> Sound | None:
        """Read a frame."""
        if self._track is None:
            return None
        data = self._strip(data)
        return (self._track, data) if data else None


class FrameCodec:
    """MP3, AC-3 and E-AC-3, each frame of which says everything; there is no sequence header, or an empty one.

    Args:
        open_track: makes the track of a frame.
    """

    def __init__(self, open_track: Callable[[bytes], AudioTrack]) -> None:
        self._open_track = open_track
        self._track: AudioTrack | None = None

    def configure(self, header: bytes, bitrate_bps: int | None) -> None:
        """Pass over it: the frames know."""

    def set_channels(self, channels: int) -> None:
        """Pass over it: the frames know."""

    def read(self, data: bytes) -> Sound | None:
        """Read a frame."""
        if not data:
            return None
        track = self._open_track(data)
        if self._track is None or track != self._track:
            self._track = track
        return self._track, data


class OpusCodec:
    """Opus, which can be decoded without its header: then the packets say whether there are one or two channels."""

    def __init__(self) -> None:
        self._header = b""
        self._channels = 0
        self._bitrate_bps: int | None = None
        self._announced: AudioTrack | None = None
        self._track: AudioTrack | None = None

    def configure(self, header: bytes, bitrate_bps: int | None) -> None:
        """Take an identification header; a comment header, which may come as well, says nothing of use."""
        if header and header != self._header and not header.startswith(_OPUS_TAGS):
            check_configuration_size("Opus", len(header))
            self._announced = parse_opus_head(header)
            self._header, self._bitrate_bps, self._track = header, bitrate_bps, None

    def set_channels(self, channels: int) -> None:
        """Take the number of channels; more than two need a header, which says how they are coded."""
        self._channels = channels

    def read(self, data: bytes) -> Sound | None:
        """Read a packet; the first one says how long packets are."""
        if not data:
            return None
        if self._track is None:
            track = self._announced or self._track_without_header(data)
            self._track = replace(with_packet_duration(track, data), bitrate_bps=self._bitrate_bps)
        return self._track, data

    def _track_without_header(self, data: bytes) -> AudioTrack:
        if self._channels > 2:
            raise PeerError(f"Opus of {self._channels} channels without its header (OpusHead)")
        return opus_track(self._channels or (2 if is_stereo(data) else 1))
