"""A broadcast: what one live stream is while it is on the air.

Sources come and go (`begin_source`, `receive`, `end_source`); the timeline goes on. Nothing here waits or owns a
socket; time is asked of the clock that was handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Protocol

import structlog

from hls.output import HlsOutput
from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack
from transcode.slate import SlateRequest, SlateRung

from .audio_run import AudioRun
from .driver import Driver
from .encoding import GAP_WARNING
from .intake import Intake
from .interlude import Screen
from .keyframe_memory import announces_keyframes
from .last_gop import LastGop
from .open_part import OpenPart
from .plan import Tracks
from .run import Run, VideoRun
from .rungs import Rungs
from .slate_run import SlateRun, frame_count, frame_ticks

log = structlog.get_logger(__name__)

START = 10 * CLOCK_HZ
"""Where a broadcast begins on its timeline. Not at 0: pictures that are reordered are decoded before the first one is
shown, and decoding times cannot be negative in fMP4."""

MAX_OPEN_BYTES = 128 << 20
"""Of video in the open part: five seconds at the highest bitrate that RTMP lets in."""

UNEVEN = "Frames are too few, or too irregular, for low-latency parts"
UNEVEN_REMEDY = "these are cut by time. Send a constant frame rate of 15 or more"

RECONNECTING = "Reconnecting …"
PAUSED = "Paused"
"""What a slate says after a lost connection, and after an encoder that stopped in order."""


class Filler(Protocol):
    """Fills the time in which there is no source; `interlude.Interlude`."""

    def begin(self, screen: Screen, silent_s: float) -> None:
        """Take note that the source is gone; its last packet came `silent_s` ago."""

    def end(self) -> None:
        """Take note that a source is back, or that the broadcast is over."""


class Broadcast:
    """Joins a source to the timeline and to the renditions.

    Args:
        stream_id: names the broadcast in logs.
        output: its HLS side, with the timeline.
        rungs: its renditions.
        filler: shows a slate while there is no source.
        wall_clock: seconds since the epoch, for EXT-X-PROGRAM-DATE-TIME.
        on_segment: called when a segment has begun, so that the position can be kept.
    """

    def __init__(
        self,
        stream_id: str,
        output: HlsOutput,
        rungs: Rungs,
        *,
        filler: Filler,
        wall_clock: Callable[[], float],
        on_segment: Callable[[], None],
    ) -> None:
        self.output = output
        self.rungs = rungs
        self._timeline = output.timeline
        self._driver = Driver(output.timeline, rungs, wall_clock=wall_clock, on_segment=on_segment)
        self._filler = filler
        self._wall_clock = wall_clock
        self._log = log.bind(stream_id=stream_id)
        self._intake: Intake | None = None
        self._run: Run | None = None
        self._slate: SlateRun | None = None
        self._tracks = Tracks(None)
        self._may_copy = True
        self._last_gop = LastGop()
        self._caption = RECONNECTING
        self._last_received = 0.0
        self._open_part = OpenPart(MAX_OPEN_BYTES)
        self._repaired = 0  # by the runs that are over

    @property
    def has_media(self) -> bool:
        """Whether a source is on the timeline now."""
        return self._run is not None

    @property
    def is_on_slate(self) -> bool:
        """Whether players see a slate instead of a source."""
        return self._slate is not None

    @property
    def repaired(self) -> int:
        """Timestamps of sources that had to be moved."""
        return self._repaired + (self._run.repaired if self._run is not None else 0)

    @property
    def warnings(self) -> list[str]:
        """What is not as it should be, in words for the streamer."""
        found = list(self._run.warnings) if self._run is not None else []
        if self._intake is not None and self._intake.has_seen_audio:
            found.append("Only audio arrives: the broadcast goes on with the next keyframe of the video.")
        elif self._intake is not None:
            found.append("Waiting for a keyframe of the video.")
        if self.has_media and self.rungs.is_gap:
            found.append(f"{GAP_WARNING[0].upper()}{GAP_WARNING[1:]}.")
        if self.has_media and self.rungs.burden.reason is not None:
            found.append(self.rungs.burden.reason)
        if self.has_media and self._timeline.is_cut_by_time:
            found.append(f"{UNEVEN}: {UNEVEN_REMEDY}")
        if self.output.archive_failure is not None:
            found.append(f"Viewers can hardly rewind: {self.output.archive_failure}")
        if self.rungs.failure is not None:
            found.append(f"Only the source's own quality is available: {self.rungs.failure}")
        return found

    @property
    def video(self) -> VideoTrack | None:
        """The source's video track, once known."""
        return self._tracks.video

    def begin_source(
        self, audio: AudioTrack | None = None, tracks: int | None = None, *, may_copy: bool = True
    ) -> None:
        """Expect a new run of packets, of a new publisher or of the same one behind a jump.

        Args:
            audio: the track that it is known to have.
            tracks: video tracks that it is known to have, None when nobody knows.
            may_copy: False when its keyframes are known to be too far apart.
        """
        self.end_source()
        self._may_copy = may_copy
        self._intake = Intake(audio, tracks=tracks, needs_video=bool(self.rungs.names))

    def expect_tracks(self, count: int) -> None:
        """Learn how many video tracks the source says that it has, before its packets come."""
        if self._intake is not None:
            self._intake.tracks = count

    def receive(self, packet: Packet) -> None:
        """Take a packet with the source's own timestamps.

        Raises:
            PeerError: the source cannot be used.
        """
        self._last_received = self._wall_clock()
        if self._intake is not None:
            self._intake.receive(packet)
            if self._intake.is_decided:
                self._start_run(self._intake)
        elif self._run is not None:
            self._receive_on(self._run, packet)

    def end_source(self, caption: str = RECONNECTING) -> None:
        """Close the open segment: the source has gone. The timeline stays where it is, and a slate says `caption`."""
        self._intake = None
        self._caption = caption
        if self._run is not None:
            run, self._run = self._run, None
            self._repaired += run.repaired
            self._driver.end(run.end)
            self._filler.begin(self, max(0.0, self._wall_clock() - self._last_received))

    async def finish(self) -> None:
        """End the broadcast: the encoders deliver what they have, the playlists get their ENDLIST."""
        async with AsyncExitStack() as ending:
            # Whatever goes wrong before, players get their ENDLIST and no worker stays.
            ending.push_async_callback(self.rungs.close)
            ending.callback(self.output.finish)
            self.end_source()
            self._end_interlude()
            await self.rungs.drain()

    # The interlude's screen.

    def slate_request(self) -> SlateRequest | None:
        """Say what a slate has to be made of: the last picture, the rungs; None for audio alone."""
        specs = self.rungs.slate_specs()
        if not specs:
            return None
        config = self.output.config
        return SlateRequest(
            self._tracks.video,
            self._last_gop.packets,
            specs,
            self._caption,
            frame_count(config),
            frame_ticks(config),
        )

    def begin_slate(self, slate: Mapping[str, SlateRung]) -> int:
        """Show a slate from now on; returns how long each picture lasts, in ticks."""
        self._log.info("slate shown", rungs=list(slate))
        self._slate = SlateRun(self._driver, slate, self.output.config, max(self._timeline.position, START))
        return frame_ticks(self.output.config)

    def show_slate(self, elapsed: int) -> None:
        """Show what is due `elapsed` ticks after the begin."""
        if self._slate is not None:
            self._slate.show(elapsed)

    # Within.

    def _start_run(self, intake: Intake) -> None:
        waited_s = intake.waited / CLOCK_HZ
        tracks, held = intake.release()
        self._intake = None
        self._end_interlude()
        # Whatever its keyframes are, a source is shown: where encoders have failed there is only the copy.
        may_copy = self._may_copy or self.rungs.failure is not None or announces_keyframes(held[0])
        tracks = replace(tracks, may_copy=may_copy)
        self._tracks = tracks
        at = max(self._timeline.position, START)
        make = VideoRun if tracks.video is not None else AudioRun
        self._run = make(self._driver, tracks, held, at, waited_s)
        for packet in held:
            self.receive(packet)

    def _receive_on(self, run: Run, packet: Packet) -> None:
        if packet.is_video:
            self._open_part.add(len(packet.data), self._timeline.frontier)
        if packet.is_video and packet.track_id == self._tracks.main_id:
            self._last_gop.receive(packet)
        if not run.receive(packet):
            self._log.info("source restarted", reason="tracks changed, timestamps jumped, or encoders failed")
            self.begin_source(run.tracks.audio, run.known_tracks, may_copy=run.tracks.may_copy)
            self.receive(packet)

    def _end_interlude(self) -> None:
        self._filler.end()
        slate, self._slate = self._slate, None
        if slate is not None:
            self._driver.end(slate.end)
