"""Audio: AAC, Opus, FLAC, MP3, AC-3 and E-AC-3 in, AAC-LC and Opus out, both 48 kHz stereo on a fixed grid of samples.

The grid is absolute: frame k of an output begins at sample k * frame size of the timeline, whenever the output was
activated and whichever process encodes it. Source packets join without holes although their timestamps jitter; a worker
that takes over is told where the one before has put them, and puts each sample in the same place.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, cast

import av
from av.audio.frame import AudioFrame
from av.codec.context import Flags

from media.opus import opus_track
from media.packet import CLOCK_HZ, AudioTrack
from media.timing import rescale
from transcode.downmix import BYTES_PER_SAMPLE, LAYOUT, SAMPLE_FORMAT, SAMPLE_RATE, Mixer
from transcode.filter import TIME_BASE
from transcode.message import EncodedAudio

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext

TOLERANCE_SAMPLES = SAMPLE_RATE // 25
"""40 ms: timestamps in milliseconds jitter and drift; a larger hole is silence, a larger overlap is cut."""

ROUNDING_SAMPLES = 1
"""What two resamplers may differ by that began at different packets."""

MAX_HOLE_SAMPLES = 2 * SAMPLE_RATE
"""A longer hole is not filled: the output begins anew behind it."""


MIN_SAMPLE_RATE = 7_350
"""In Hz, the lowest of AAC. FLAC frames may say 1 Hz: a few bytes would become hours of samples."""


DECODERS = {"aac": "aac", "opus": "opus", "flac": "flac", "mp3": "mp3float", "ac3": "ac3", "eac3": "eac3"}
"""FFmpeg's names."""


_DOPS = struct.Struct(">BBHIh")
_OPUS_HEAD = struct.Struct("<BBHIh")
# Both go on with the channel mapping family and its table, which are bytes.


class Encoding(NamedTuple):
    """How an audio output is made."""

    codec: str
    sample_format: str
    bitrate_bps: int
    frame_samples: int
    options: dict[str, str]


ENCODINGS: dict[str, Encoding] = {
    # Transparent for speech, near it for music; stereo because every player has it.
    "aac": Encoding("aac", "fltp", 128_000, 1024, {}),
    # WebRTC: 20 ms, in-band error correction for 10 % loss. Opus is as good at 96 as AAC is at 128.
    "opus": Encoding(
        "libopus", "flt", 96_000, 960, {"frame_duration": "20", "fec": "1", "packet_loss": "10"}
    ),
}


class AudioDecoder:
    """Decodes to interleaved 48 kHz stereo; more channels are mixed down."""

    def __init__(self) -> None:
        self._codec: AudioCodecContext | None = None
        self._mixer: Mixer | None = None
        self.errors = 0

    @property
    def held(self) -> int:
        """Samples of what has been decoded that are still in the resampler's filter."""
        return self._mixer.held if self._mixer is not None else 0

    def set_track(self, track: AudioTrack) -> None:
        """Start over with another configuration."""
        self._codec = cast("AudioCodecContext", av.CodecContext.create(DECODERS[track.codec], "r"))
        self._codec.extradata = _opus_head(track.config) if track.codec == "opus" else track.config

    def decode(self, pts: int, data: bytes) -> bytes:
        """Decode one access unit; returns samples, none when it is broken."""
        if self._codec is None or not data:
            return b""
        packet = av.Packet(data)
        packet.pts, packet.time_base = pts, TIME_BASE
        try:
            return b"".join(self._convert(frame) for frame in self._codec.decode(packet))
        except av.FFmpegError:
            self.errors += 1
            return b""

    def _convert(self, frame: AudioFrame) -> bytes:
        if frame.sample_rate < MIN_SAMPLE_RATE:
            self.errors += 1
            return b""
        shape = (frame.sample_rate, frame.format.name, frame.layout.name)
        if self._mixer is None or self._mixer.shape != shape:
            # HE-AAC and wrong headers show their real shape in the samples only.
            self._mixer = Mixer(*shape)
        return self._mixer.mix(frame)


class AudioEncoder:
    """Cuts samples into frames on the grid and encodes them.

    Args:
        output: a key of `ENCODINGS`.
        from_pts: packets before this, in ticks, are encoded but not handed out.
        placed: where a worker before this one has put source packets, by their pts: positions on the grid.
    """

    def __init__(self, output: str, from_pts: int, placed: Mapping[int, int] = MappingProxyType({})) -> None:
        self._output = output
        self._encoding = ENCODINGS[output]
        self._from_pts = from_pts
        self._placed = placed
        self._newest = (0, 0)
        self._pending = bytearray()
        self._codec: AudioCodecContext | None = None
        self._planes = av.AudioResampler(self._encoding.sample_format, LAYOUT, SAMPLE_RATE)
        self._next = 0  # sample position behind `_pending`
        self._at = 0  # sample position of the next frame

    def encode(self, pts: int, samples: bytes, held: int = 0) -> Iterator[EncodedAudio]:
        """Take the samples of a source packet and yield the packets that are complete.

        Args:
            pts: of the source packet, in ticks.
            samples: decoded.
            held: samples of the packets before it that are still in the resampler, and come with these.
        """
        known = self._placed.get(pts)
        position = rescale(pts, SAMPLE_RATE, CLOCK_HZ) if known is None else known - held
        if self._codec is None or not -MAX_HOLE_SAMPLES < position - self._next < MAX_HOLE_SAMPLES:
            yield from self.drain()
            self._begin(position)
        offset = position - self._next
        if abs(offset) <= (TOLERANCE_SAMPLES if known is None else ROUNDING_SAMPLES):
            offset = 0
        self._newest = (pts, self._next + offset + held)
        samples = bytes(max(0, offset) * BYTES_PER_SAMPLE) + samples[max(0, -offset) * BYTES_PER_SAMPLE :]
        self._pending += samples
        self._next += len(samples) // BYTES_PER_SAMPLE
        yield from self._encode_whole_frames()

    def drain(self) -> Iterator[EncodedAudio]:
        """Yield what can be made of the samples so far; the next ones begin anew."""
        if self._codec is not None:
            yield from self._packets(None)
        self._codec = None
        self._pending.clear()

    def _begin(self, position: int) -> None:
        frame = self._encoding.frame_samples
        self._at = position // frame * frame
        self._next = position
        self._pending = bytearray((position - self._at) * BYTES_PER_SAMPLE)
        # The encoder's first packet lies before this and holds nothing but its own warming up.
        self._from_pts = max(self._from_pts, rescale(self._at, CLOCK_HZ, SAMPLE_RATE))
        self._codec = _open(self._encoding)

    def _encode_whole_frames(self) -> Iterator[EncodedAudio]:
        size = self._encoding.frame_samples * BYTES_PER_SAMPLE
        while len(self._pending) >= size:
            frame = _frame(bytes(self._pending[:size]), self._encoding.frame_samples, self._at)
            del self._pending[:size]
            self._at += self._encoding.frame_samples
            for arranged in self._planes.resample(frame):
                yield from self._packets(arranged)

    def _packets(self, frame: AudioFrame | None) -> Iterator[EncodedAudio]:
        assert self._codec is not None  # noqa: S101 - both callers have looked
        for packet in self._codec.encode(frame):
            pts = rescale(packet.pts or 0, CLOCK_HZ, SAMPLE_RATE)
            if pts >= self._from_pts:
                self._from_pts = pts + 1
                yield EncodedAudio(self._output, pts, bytes(packet), *self._newest)


def _opus_head(config: bytes) -> bytes:
    """Turn a `dOps` payload into the identification header that FFmpeg wants (RFC 7845, 5.1).

    Its pre-skip is left out: packets have times of their own, and samples taken from the first would move the rest.
    """
    if len(config) < _DOPS.size:
        config = opus_track(2).config  # nearly all Opus is stereo, and a decoder of stereo takes mono packets
    _, channels, _, sample_rate, gain = _DOPS.unpack_from(config)
    return b"OpusHead" + _OPUS_HEAD.pack(1, channels, 0, sample_rate, gain) + config[_DOPS.size :]


def _frame(samples: bytes, count: int, position: int) -> AudioFrame:
    frame = AudioFrame(format=SAMPLE_FORMAT, layout=LAYOUT, samples=count)
    frame.sample_rate = SAMPLE_RATE
    frame.pts, frame.time_base = position, Fraction(1, SAMPLE_RATE)
    frame.planes[0].update(samples)
    return frame


def _open(encoding: Encoding) -> AudioCodecContext:
    codec = cast("AudioCodecContext", av.CodecContext.create(encoding.codec, "w"))
    codec.sample_rate, codec.layout, codec.format = SAMPLE_RATE, LAYOUT, encoding.sample_format
    codec.bit_rate = encoding.bitrate_bps
    codec.time_base = Fraction(1, SAMPLE_RATE)
    codec.flags |= Flags.global_header
    codec.options = encoding.options
    codec.open()
    return codec
