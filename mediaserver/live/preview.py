"""The owner's preview of a stream: what its encoder sends before the start. None of it is ever part of the broadcast.

It costs memory for half a minute of media and nothing else: the source is copied, and nothing is written to disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog

from hls.config import HlsConfig
from hls.output import HlsOutput
from hls.timeline import Checkpoint
from media.error import PeerError
from media.packet import CLOCK_HZ, Packet, VideoTrack

from .broadcast import START
from .intake import Intake
from .open_part import OpenPart
from .preview_run import PreviewRenditions, PreviewRun, suits_preview

log = structlog.get_logger(__name__)

WINDOW_S = 30.0
"""How far the playlists reach back."""

WINDOW_BYTES = 32 << 20
"""Media kept in memory for one preview, as far as the specification allows so little."""

TARGET_DURATION_S = 10
"""At least: nothing is encoded here, and OBS sends a keyframe every 8.3 s unless told otherwise."""

LINGER_S = 15.0
"""How long the playlists can be read when the preview is over: each player asks for them within a target duration."""

GENERATIONS_SINCE = 1_735_689_600
"""2025-01-01T00:00:00Z in Unix time. Nothing of a preview outlives the server process, and still no address may ever
name other bytes: generations begin with the time, in seconds since then."""

CHROMA = ("monochrome", "4:2:0", "4:2:2", "4:4:4")
"""By `chroma_format_idc`."""

NO_ENCODER = "No encoder is connected: the preview begins with it."
NO_KEYFRAME = "The preview begins with a keyframe of the video, which has not come yet."
MUTE = "The preview is silent: this kind of sound is encoded, from the start of the stream on."


def preview_config(config: HlsConfig) -> HlsConfig:
    """Say the lengths and budgets of previews, from those of broadcasts."""
    return replace(
        config,
        target_duration_s=max(TARGET_DURATION_S, config.target_duration_s),
        window_s=WINDOW_S,
        window_bytes=WINDOW_BYTES,
        has_keyframe_playlists=False,
    )


class Preview:
    """The previews of one stream, one for each connection of an encoder.

    Args:
        stream_id: names it in logs.
        config: as `preview_config` makes it.
        wall_clock: seconds since the epoch.
    """

    def __init__(self, stream_id: str, config: HlsConfig, wall_clock: Callable[[], float]) -> None:
        self.output: HlsOutput | None = None
        """What can be read: also for a moment when it is over."""
        self._log = log.bind(stream_id=stream_id)
        self._config = config
        self._wall_clock = wall_clock
        self._left_at = Checkpoint()
        self._intake: Intake | None = None
        self._run: PreviewRun | None = None
        self._renditions: PreviewRenditions | None = None
        self._open_part = OpenPart(WINDOW_BYTES)
        self._refusal: str | None = None
        self._lingering: asyncio.TimerHandle | None = None

    @property
    def absence(self) -> str:
        """Why there is nothing to read, in words for the owner."""
        return self._refusal or (NO_ENCODER if self._intake is None else NO_KEYFRAME)

    @property
    def warnings(self) -> list[str]:
        """What is not as it should be, in words for the streamer."""
        if self._refusal is not None:
            return [self._refusal]
        return [MUTE] if self._run is not None and self._run.is_mute else []

    def begin(self) -> None:
        """Expect the packets of an encoder; what an earlier one has shown is over."""
        self.end()
        self._intake = Intake(needs_video=True)

    def expect_tracks(self, count: int) -> None:
        """Learn how many video tracks the encoder says that it sends, before its packets come."""
        if self._intake is not None:
            self._intake.tracks = count

    def receive(self, packet: Packet) -> None:
        """Take a packet of the encoder; what cannot be used costs the preview and not the connection."""
        try:
            self._receive(packet)
        except PeerError as error:
            self._refuse(f"The media cannot be used: {error}.")

    def end(self) -> None:
        """End the playlists: the encoder has gone, or the stream starts. What they list can be had for a moment."""
        self._intake = self._refusal = None
        self._end_run()
        self._renditions = None
        if self.output is None or self._lingering is not None:
            return
        self._left_at = self.output.timeline.checkpoint()
        self.output.finish()
        self._lingering = asyncio.get_running_loop().call_later(LINGER_S, self._forget)

    # Within.

    def _receive(self, packet: Packet) -> None:
        if self._intake is not None:
            self._intake.receive(packet)
            if self._intake.is_decided:
                self._start_run(self._intake)
        elif self._run is not None:
            self._receive_on(self._run, packet)

    def _receive_on(self, run: PreviewRun, packet: Packet) -> None:
        if packet.is_video and self.output is not None:
            self._open_part.add(len(packet.data), self.output.timeline.frontier)
        if not run.receive(packet):
            self._end_run()
            self._intake = Intake(run.audio, needs_video=True)
            self._receive(packet)

    def _start_run(self, intake: Intake) -> None:
        began_at = self._wall_clock() - intake.waited / CLOCK_HZ
        tracks, held = intake.release()
        self._intake, video = None, tracks.video
        if video is None or not suits_preview(video):
            named = _named(video) if video is not None else "audio alone"
            self._refuse(f"There is no preview of {named}: it is encoded, from the start of the stream on.")
            return
        if self._renditions is None:
            self._renditions = PreviewRenditions(self._new_output())
        at = max(self._renditions.output.timeline.position, START)
        self._run = PreviewRun(self._renditions, video, tracks, held[0], at=at, now=began_at)
        for packet in held:
            self._receive(packet)

    def _new_output(self) -> HlsOutput:
        self._forget()
        generation = max(self._left_at.generation, int(self._wall_clock()) - GENERATIONS_SINCE)
        self.output = HlsOutput(self._config, replace(self._left_at, generation=generation))
        self._log.info("preview begins")
        return self.output

    def _refuse(self, words: str) -> None:
        self._log.info("no preview", reason=words)
        self.end()
        self._refusal = words

    def _end_run(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.end()

    def _forget(self) -> None:
        self.output = None
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None


def _named(video: VideoTrack) -> str:
    return f"{video.codec}, {video.bit_depth} bits, {CHROMA[video.chroma_format_idc]}"
