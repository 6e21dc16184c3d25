"""A broadcast's sound as Opus, while somebody watches over WebRTC.

A worker of its own makes it, from the source's packets: pictures that take long to encode hold up no sound, and a
broadcast that is copied needs no other. A source that is Opus already goes through as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import structlog

from media.opus import FRAME_SAMPLES, SAMPLE_RATE, packet_samples
from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack
from transcode.supervisor import Transcoder, WorkerPool

log = structlog.get_logger(__name__)

FRAME = FRAME_SAMPLES * CLOCK_HZ // SAMPLE_RATE
"""Ticks of 20 ms."""


def suits_opus(track: AudioTrack) -> bool:
    """Tell whether a track's packets go to WebRTC as they are: Opus of up to two channels, in frames of 20 ms."""
    return track.codec == "opus" and track.channels <= 2 and track.frame_samples == FRAME_SAMPLES


class RelaySound:
    """Makes or hands through the Opus of one broadcast. Implements the transcoder's sink.

    Args:
        pool: codec workers.
        forward: takes a packet of 20 ms and its place on the timeline, in ticks.
    """

    def __init__(self, pool: WorkerPool, forward: Callable[[int, bytes], None]) -> None:
        self._pool = pool
        self._forward = forward
        self._track: AudioTrack | None = None
        self._transcoder: Transcoder | None = None
        self._is_wanted = False
        self._has_failed = False
        self._has_other_frames = False  # Opus whose packets are not what its track says
        self._from: int | None = None  # where what the encoder has been given begins
        self._next = 0  # where the next frame that goes through belongs

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker at work."""
        return self._transcoder.worker_pid if self._transcoder is not None else None

    def begin(self, track: AudioTrack | None) -> None:
        """Begin a run of the source; None: nothing is to be heard."""
        self._track = track
        self._has_other_frames = False
        if self._has_failed:
            self._transcoder, self._has_failed = None, False
        self._settle()

    def end_run(self) -> None:
        """End the run: what the encoder holds of it comes out."""
        self._track = None
        if self._transcoder is not None and self._is_wanted:
            self._transcoder.flush()

    def want(self, is_wanted: bool) -> None:
        """Give sound from now on, or none."""
        if is_wanted != self._is_wanted:
            self._is_wanted = is_wanted
            self._settle()

    def receive(self, packet: Packet) -> None:
        """Take a packet of the source on the timeline."""
        if not self._is_wanted or packet.track != self._track:
            return
        samples = FRAME_SAMPLES if self._needs_encoder else packet_samples(packet.data)
        if samples not in (0, FRAME_SAMPLES):
            self._has_other_frames = True
            self._settle()
        if self._needs_encoder:
            self._encode(packet)
        elif samples:
            self._hand_through(packet)

    async def close(self) -> None:
        """Stop the worker."""
        self._is_wanted = False
        if self._transcoder is not None:
            await self._transcoder.close()

    # What the transcoder reports.

    def on_rung_opened(self, rung: str, track: VideoTrack, from_pts: int) -> None:
        """Encode no pictures."""

    def on_video(self, pts: int, frames: Mapping[str, Packet]) -> None:
        """Encode no pictures."""

    def on_audio_opened(self, output: str, track: AudioTrack) -> None:
        """Learn nothing new: viewers are told of Opus before."""

    def on_audio(self, output: str, packet: Packet) -> None:  # noqa: ARG002 - there is no other
        """Take an encoded packet; of when it was wanted before, some may come as well."""
        if self._from is not None and packet.pts >= self._from - FRAME:
            self._forward(packet.pts, packet.data)

    def on_gap(self, rungs: Collection[str], until_pts: int) -> None:
        """Encode no pictures."""

    def on_flushed(self) -> None:
        """Wait for nothing."""

    def on_failed(self, reason: str) -> None:
        """Go on without sound until the next run of the source: this one's packets break decoders."""
        log.error("no sound over WebRTC", reason=reason)
        self._has_failed = True

    # Within.

    @property
    def _needs_encoder(self) -> bool:
        return self._track is not None and (self._has_other_frames or not suits_opus(self._track))

    def _settle(self) -> None:
        """Have the encoder at work while it is needed, and no longer."""
        if self._is_wanted and self._needs_encoder and not self._has_failed:
            if self._transcoder is None:
                self._transcoder = Transcoder(self._pool, self)
            self._transcoder.activate_audio("opus")
        elif self._transcoder is not None:
            self._transcoder.deactivate_audio("opus")
            self._from = None

    def _encode(self, packet: Packet) -> None:
        if self._transcoder is not None:
            self._from = packet.pts if self._from is None else self._from
            self._transcoder.send(packet)

    def _hand_through(self, packet: Packet) -> None:
        """Place a packet behind the one before: timestamps in milliseconds jitter."""
        at = self._next if abs(packet.pts - self._next) <= FRAME // 2 else packet.pts
        if at >= self._next:
            self._next = at + FRAME
            self._forward(at, packet.data)
