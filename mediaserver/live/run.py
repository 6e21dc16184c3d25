"""One unbroken run of a source with video: its packets placed on the timeline, which its main track drives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import structlog

from media.packet import AudioTrack, Packet, VideoTrack

from .advice import MAX_KEYFRAME_INTERVAL
from .clock import SourceClock, Times
from .driver import Driver
from .keyframe_memory import PROOF_S
from .plan import Tracks

log = structlog.get_logger(__name__)

RARE_KEYFRAMES = "No keyframe for 4 s"
REMEDY = "Set the keyframe interval to 2 s (OBS: Settings, Output, Keyframe Interval)"
RARE_BEFORE = "Keyframes were more than 4 s apart when this key was used before"
FORGIVING = f"When they come often enough for {PROOF_S} s, the next connection is copied again"

MISALIGNED = "your own rendition has no keyframes where the main one has, so it is left out"


class Run(Protocol):
    """What takes the packets of a source while it lasts."""

    tracks: Tracks

    @property
    def end(self) -> int:
        """Where the newest frame ends on the timeline."""

    @property
    def warnings(self) -> list[str]:
        """What is not as it should be, in words for the streamer."""

    @property
    def repaired(self) -> int:
        """Timestamps that had to be moved."""

    @property
    def known_tracks(self) -> int:
        """Video tracks that have been seen."""

    def receive(self, packet: Packet) -> bool:
        """Take a packet; False when another run has to begin with it."""


class VideoRun:
    """A run that video drives.

    Args:
        driver: of the timeline.
        tracks: what the source brings.
        held: its first packets; the first one is a keyframe of the main track.
        at: where the run begins on the timeline, in ticks.
        waited_s: how long the first packet has waited.
    """

    def __init__(
        self, driver: Driver, tracks: Tracks, held: Sequence[Packet], at: int, waited_s: float
    ) -> None:
        self.tracks = tracks
        self._driver = driver
        self._rungs = driver.rungs
        self._clock = SourceClock(at, held[0])
        self._companions = self._begin_companions(held)
        self._known = {tracks.main_id, *tracks.companions}
        self._misaligned: set[int] = set()
        self._has_changed_tracks = False
        self._keyframe_at = at
        self._has_rare_keyframes = False
        driver.begin(at, waited_s)
        clocks = {tracks.main_id: self._clock, **self._companions}
        self._rungs.begin(tracks, at, {number: clock.lead for number, clock in clocks.items()})

    @property
    def end(self) -> int:
        """Where the newest video frame ends."""
        return self._clock.end

    @property
    def repaired(self) -> int:
        """Timestamps that had to be moved."""
        return self._clock.repaired

    @property
    def known_tracks(self) -> int:
        """Video tracks that have been seen."""
        return len(self._known)

    @property
    def warnings(self) -> list[str]:
        """What is not as it should be, in words for the streamer."""
        found = []
        if self.tracks.audio is None or self._rungs.is_audio_missing:
            found.append("No audio arrives: viewers hear silence.")
        if self._has_rare_keyframes:
            found.append(f"{RARE_KEYFRAMES}: the source's own quality is encoded anew. {REMEDY}.")
        elif not self.tracks.may_copy:
            found.append(f"{RARE_BEFORE}: the source's own quality is encoded anew. {REMEDY}. {FORGIVING}.")
        names = [*self._rungs.misaligned, *(f"Video track {number}" for number in sorted(self._misaligned))]
        found += [f"{name}: {MISALIGNED}." for name in names]
        return found

    def receive(self, packet: Packet) -> bool:
        """Take a packet; False when another run has to begin with it."""
        if not packet.is_video:
            self._receive_audio(packet)
        elif packet.track_id != self.tracks.main_id:
            self._receive_companion(packet)
        elif self._is_over(packet):
            return False
        else:
            self._receive_video(packet)
        return True

    def _begin_companions(self, held: Sequence[Packet]) -> Mapping[int, SourceClock]:
        firsts: dict[int, Packet] = {}
        for packet in held:
            if packet.is_video and packet.is_keyframe and packet.track_id in self.tracks.companions:
                firsts.setdefault(packet.track_id, packet)
        return {number: self._clock.companion(first) for number, first in firsts.items()}

    def _is_over(self, packet: Packet) -> bool:
        if packet.track != self.tracks.video or self._clock.is_jump(packet):
            return True
        return packet.is_keyframe and (self._has_changed_tracks or self._rungs.should_copy)

    def _receive_audio(self, packet: Packet) -> None:
        if packet.track_id:
            return
        if isinstance(packet.track, AudioTrack) and packet.track != self.tracks.audio:
            # A new init segment needs a discontinuity on all renditions: it waits for the next keyframe.
            self.tracks = replace(self.tracks, audio=packet.track)
            self._has_changed_tracks = True
        times = self._clock.audio(packet)
        if times is not None:
            self._rungs.receive_audio(_placed(packet, times, is_keyframe=True))

    def _receive_companion(self, packet: Packet) -> None:
        number = packet.track_id
        self._known.add(number)
        clock = self._companions.get(number)
        if clock is None and len(self._known) <= self.tracks.seen:
            # It was waited for when the run began, and would be in vain whenever another one begins.
            self._misaligned.add(number)
        elif clock is None or packet.track != self.tracks.companions.get(number) or clock.is_jump(packet):
            # It came late, is another one now, or was away: it fills a rung from the next run on.
            self._has_changed_tracks |= packet.is_keyframe and isinstance(packet.track, VideoTrack)
        else:
            self._rungs.receive_companion(number, _placed(packet, clock.video(packet)))

    def _receive_video(self, packet: Packet) -> None:
        times = self._clock.video(packet)
        if packet.is_keyframe:
            self._keyframe_at = times.dts
        can_cut = packet.is_keyframe or not self._rungs.is_copying
        has_cut = self._driver.advance(times.dts, can_cut=can_cut)
        if not has_cut and self._is_overdue(times.dts):
            self._encode_source(times.dts)
        self._rungs.receive_video(_placed(packet, times))

    def _is_overdue(self, dts: int) -> bool:
        if not self._rungs.is_copying or self._rungs.failure is not None:
            return False
        if dts - self._keyframe_at >= MAX_KEYFRAME_INTERVAL:
            return True
        # Keyframes came close together, then none: with another frame the segment would be too long.
        return self._driver.open_length(self._clock.end) > self._driver.timeline.target_duration

    def _encode_source(self, at: int) -> None:
        self._has_rare_keyframes = True
        self.tracks = replace(self.tracks, may_copy=False)
        log.warning("the source's own quality is encoded from here on", reason=RARE_KEYFRAMES, remedy=REMEDY)
        self._driver.timeline.end_segment(at)
        self._driver.begin(at)
        self._rungs.encode_source(at)


def _placed(packet: Packet, times: Times, *, is_keyframe: bool | None = None) -> Packet:
    is_sync = packet.is_keyframe if is_keyframe is None else is_keyframe
    return Packet(packet.track, times.pts, times.dts, packet.data, is_sync, packet.track_id)
