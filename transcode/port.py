"""What the transcoder asks of those who use it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from media.packet import AudioTrack, Packet, VideoTrack


class TranscoderSink(Protocol):
    """Takes what is encoded. All calls come from the event loop; none may block or raise."""

    def on_rung_opened(self, rung: str, track: VideoTrack) -> None:
        """Learn a rung's parameter sets; again only if they change."""

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
