"""A broadcast: what one live stream is while it is on the air.

Sources come and go (`begin_source`, `receive`, `end_source`); the timeline goes on. Nothing here waits or owns a
socket; time is asked of the clock that was handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack

import structlog

from hls.output import HlsOutput
from media.error import LocalStateError
from media.packet import CLOCK_HZ, AudioTrack, Packet, VideoTrack

from .clock import SourceClock
from .intake import Intake
from .rungs import GAP_WARNING, Rungs

log = structlog.get_logger(__name__)

MAX_KEYFRAME_INTERVAL = 4 * CLOCK_HZ
"""A source without an IDR for so long does not suit as the top rung: its segments would pass the constant
EXT-X-TARGETDURATION. OBS sends one every 8.3 s unless told otherwise."""

RARE_KEYFRAMES = "No keyframe for 4 s"
REMEDY = "Set the keyframe interval to 2 s (OBS: Settings, Output, Keyframe Interval)"

START = 10 * CLOCK_HZ
"""Where a broadcast begins on its timeline. Not at 0: pictures that are reordered are decoded before the first one is
shown, and decoding times cannot be negative in fMP4."""


class Broadcast:
    """Joins a source to the timeline and to the renditions.

    Args:
        stream_id: names the broadcast in logs.
        output: its HLS side, with the timeline.
        rungs: its renditions.
        wall_clock: seconds since the epoch, for EXT-X-PROGRAM-DATE-TIME.
        on_segment: called when a segment has begun, so that the position can be kept.
    """

    def __init__(
        self,
        stream_id: str,
        output: HlsOutput,
        rungs: Rungs,
        *,
        wall_clock: Callable[[], float],
        on_segment: Callable[[], None],
    ) -> None:
        self.output = output
        self.rungs = rungs
        self._timeline = output.timeline
        self._wall_clock = wall_clock
        self._on_segment = on_segment
        self._log = log.bind(stream_id=stream_id)
        self._intake: Intake | None = None
        self._clock: SourceClock | None = None
        self._video: VideoTrack | None = None
        self._audio: AudioTrack | None = None
        self._audio_changed = False
        self._has_rare_keyframes = False

    @property
    def has_media(self) -> bool:
        """Whether a source is on the timeline now."""
        return self._clock is not None

    @property
    def warnings(self) -> list[str]:
        """What is not as it should be, in words for the streamer."""
        found = []
        if self._intake is not None and self._intake.has_seen_audio:
            found.append("Only audio arrives: the broadcast goes on with the next keyframe of the video.")
        elif self._intake is not None:
            found.append("Waiting for a keyframe of the video.")
        elif self.has_media and (self._audio is None or self.rungs.is_audio_missing):
            found.append("No audio arrives: viewers hear silence.")
        if self._has_rare_keyframes:
            found.append(f"{RARE_KEYFRAMES}: the source's own quality is encoded anew. {REMEDY}.")
        if self.has_media and self.rungs.is_gap:
            found.append(f"{GAP_WARNING[0].upper()}{GAP_WARNING[1:]}.")
        if self.rungs.failure is not None:
            found.append(f"Only the source's own quality is available: {self.rungs.failure}")
        return found

    @property
    def video(self) -> VideoTrack | None:
        """The source's video track, once known."""
        return self._video

    def begin_source(self, audio: AudioTrack | None = None) -> None:
        """Expect a new run of packets, of a new publisher or of the same one behind a jump."""
        self.end_source()
        self._intake = Intake(audio)

    def receive(self, packet: Packet) -> None:
        """Take a packet with the source's own timestamps."""
        if self._intake is not None:
            self._intake.receive(packet)
            if self._intake.is_decided:
                self._start_run(self._intake)
        elif self._clock is not None:
            self._receive_on(self._clock, packet)

    def end_source(self) -> None:
        """Close the open segment: the source has gone. The timeline stays where it is."""
        self._intake = None
        if self._clock is not None:
            at = self._clock.end
            self._clock = None
            self._timeline.end_segment(at)
            self.rungs.end_run(at)

    async def finish(self) -> None:
        """End the broadcast: the encoders deliver what they have, the playlists get their ENDLIST."""
        async with AsyncExitStack() as ending:
            # Whatever goes wrong before, players get their ENDLIST and no worker stays.
            ending.push_async_callback(self.rungs.close)
            ending.callback(self.output.finish)
            self.end_source()
            await self.rungs.drain()

    def _start_run(self, intake: Intake) -> None:
        waited = intake.waited
        held = intake.release()
        first = held[0]
        if not isinstance(first.track, VideoTrack):
            raise LocalStateError("a run has to begin with video")
        at = max(self._timeline.position, START)
        self._intake = None
        self._video, self._audio = first.track, intake.audio
        self._audio_changed = self._has_rare_keyframes = False
        self._clock = SourceClock(at, first)
        self._open_segment(at, self._wall_clock() - waited / CLOCK_HZ)
        self.rungs.begin(first.track, self._audio, at, self._clock.lead)
        for packet in held:
            self.receive(packet)

    def _receive_on(self, clock: SourceClock, packet: Packet) -> None:
        if not packet.is_video:
            self._receive_audio(clock, packet)
        elif (
            packet.track != self._video
            or clock.is_jump(packet)
            or (packet.is_keyframe and (self._audio_changed or self.rungs.should_copy))
        ):
            self._log.info("source restarted", reason="tracks changed, timestamps jumped, or encoders failed")
            self.begin_source(self._audio)
            self.receive(packet)
        else:
            self._receive_video(clock, packet)

    def _receive_audio(self, clock: SourceClock, packet: Packet) -> None:
        if isinstance(packet.track, AudioTrack) and packet.track != self._audio:
            # A new init segment needs a discontinuity on all renditions: it waits for the next keyframe.
            self._audio, self._audio_changed = packet.track, True
        times = clock.audio(packet)
        if times is not None:
            audio = Packet(packet.track, times.pts, times.dts, packet.data, is_keyframe=True)
            self.rungs.receive_audio(audio)

    def _receive_video(self, clock: SourceClock, packet: Packet) -> None:
        times = clock.video(packet)
        can_cut = packet.is_keyframe or not self.rungs.is_copying
        if self._timeline.advance(times.dts, can_cut):
            self.rungs.cut(times.dts)
            self._on_segment()
        elif self.rungs.is_copying and self.rungs.failure is None and self._is_overdue(times.dts):
            self._encode_source(times.dts)
        self.rungs.receive_video(Packet(packet.track, times.pts, times.dts, packet.data, packet.is_keyframe))

    def _is_overdue(self, dts: int) -> bool:
        segment = self._timeline.open_segment
        return segment is not None and dts - segment.start >= MAX_KEYFRAME_INTERVAL

    def _encode_source(self, at: int) -> None:
        self._has_rare_keyframes = True
        self._log.warning(
            "the source's own quality is encoded from here on", reason=RARE_KEYFRAMES, remedy=REMEDY
        )
        self._timeline.end_segment(at)
        self._open_segment(at, self._wall_clock())
        self.rungs.encode_source(at)

    def _open_segment(self, at: int, now: float) -> None:
        self._timeline.begin(at, now)
        self._on_segment()
