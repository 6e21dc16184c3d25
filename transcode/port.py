"""What the transcoder asks of those who use it, and what it tells them about itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from media.packet import AudioTrack, Packet, VideoTrack


@dataclass(frozen=True, slots=True)
class TranscoderStats:
    """How a broadcast's encodings go, for health and metrics."""

    lag_s: float
    """Media time between the newest packet sent and the newest frame delivered."""
    speed: float | None
    """Seconds of media per second of work, None when unknown; below 1 the worker falls behind."""
    restarts: int
    skipped_gops: int
    dropped_packets: int
    decode_errors: int
    """Of the present worker."""
    base_cost: float | None = None
    """CPU seconds per second of media for decoding, scaling and sound, None when unknown."""
    costs: Mapping[str, float] = field(default_factory=dict)
    """CPU seconds per second of media for each rung's encoder, as far as it is known."""
    quality: Mapping[str, float] = field(default_factory=dict)
    """PSNR in dB of each rung against what its encoder was given, over the last seconds, as far as it is known."""
    encoders_failed: tuple[str, ...] = ()
    """Hardware that was given up, and why; x264 has taken its place."""
    has_begun: bool = True
    """Whether the present worker has delivered a frame. Until then lag says how long workers take to start, or to be
    replaced, and nothing about how fast they are."""


class TranscoderSink(Protocol):
    """Takes what is encoded. All calls come from the event loop; none may block or raise."""

    def on_rung_opened(self, rung: str, track: VideoTrack, from_pts: int) -> None:
        """Learn a rung's parameter sets, which say its size and frame rate; again before the first frame of others.

        They hold for frames from `from_pts` on, where the rung was to become what it is now.
        """

    def on_video(self, pts: int, frames: Mapping[str, Packet]) -> None:
        """Take all rungs of one source frame; dts equals pts."""

    def on_audio_opened(self, output: str, track: AudioTrack) -> None:
        """Learn the configuration of `aac` or `opus`."""

    def on_audio(self, output: str, packet: Packet) -> None:
        """Take an encoded audio packet."""

    def on_gap(self, rungs: Collection[str], until_pts: int) -> None:
        """Frames of these rungs before `until_pts`, beyond those delivered, will not come."""

    def on_flushed(self) -> None:
        """Everything that was sent before `flush` has been delivered."""

    def on_failed(self, reason: str) -> None:
        """Nothing will be encoded any more."""
