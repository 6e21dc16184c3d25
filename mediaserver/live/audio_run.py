"""One run of a source that sends audio alone: radio. Its frames drive the timeline."""

from __future__ import annotations

from collections.abc import Sequence

from media.packet import CLOCK_HZ, Packet
from media.timing import rescale

from .clock import MAX_STEP_AHEAD
from .driver import Driver
from .plan import Tracks


class AudioRun:
    """A run without video; see `run.Run`.

    Args:
        driver: of the timeline.
        tracks: what the source brings.
        held: its first packets.
        at: where the run begins on the timeline, in ticks.
        waited_s: how long the first packet has waited.
    """

    def __init__(
        self, driver: Driver, tracks: Tracks, held: Sequence[Packet], at: int, waited_s: float
    ) -> None:
        self.tracks = tracks
        self.repaired = 0
        self._driver = driver
        self._rungs = driver.rungs
        self._offset = at - held[0].pts
        self._last = at
        self._step = _frame_ticks(tracks)
        driver.begin(at, waited_s)
        self._rungs.begin(tracks, at, {})

    @property
    def end(self) -> int:
        """Where the newest frame ends."""
        return self._last + self._step

    @property
    def known_tracks(self) -> int:
        """Video tracks that have been seen: none."""
        return 1

    @property
    def warnings(self) -> list[str]:
        """What is not as it should be, in words for the streamer."""
        return ["Only audio arrives: viewers hear it without a picture."]

    def receive(self, packet: Packet) -> bool:
        """Take a packet; False when another run has to begin with it."""
        if packet.is_video:
            return not packet.is_keyframe
        if packet.track_id:
            return True
        pts = packet.pts + self._offset
        if packet.track != self.tracks.audio or abs(pts - self._last) > MAX_STEP_AHEAD:
            return False
        if pts >= self._last:
            self._last = pts
            self._driver.advance(pts, can_cut=True)
            self._rungs.receive_audio(Packet(packet.track, pts, pts, packet.data, is_keyframe=True))
        else:
            self.repaired += 1
        return True


def _frame_ticks(tracks: Tracks) -> int:
    audio = tracks.audio
    ticks = rescale(audio.frame_samples, CLOCK_HZ, audio.sample_rate) if audio is not None else 0
    return min(
        CLOCK_HZ, ticks
    )  # whatever a header says: a segment does not become longer than players were told
