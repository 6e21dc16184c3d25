"""From a publisher's timestamps to the broadcast's timeline.

A publisher counts from anywhere, steps back, or jumps; the timeline never does. One `SourceClock` serves one
unbroken run of a source: a reconnect or a jump gets a new one. Pure: no clock of its own.
"""

from __future__ import annotations

from typing import NamedTuple

from media.error import PeerError
from media.packet import CLOCK_HZ, Packet, VideoTrack

from .frame_grid import FrameGrid

MAX_STEP_BACK = CLOCK_HZ // 4
MAX_STEP_AHEAD = 3 * CLOCK_HZ
"""A larger step of the video's DTS is a jump of the source's clock and not a late or dropped frame. A viewer's
player would have to wait as long as the step, so this must stay below a player's usual buffer."""

MAX_COMPOSITION = 2 * CLOCK_HZ
"""How far PTS and DTS may lie apart: 16 reference frames (H.264, A.3.1) at 8 frames a second. More is a broken muxer,
which would carry the timeline away by hours."""

MAX_REPAIRS = 240
"""Video timestamps in a row that do not rise: a step back of `MAX_STEP_BACK` at 120 frames a second is 30. Frames that
never get anywhere would pile up in the open part."""

MAX_AUDIO_DISTANCE = 5 * CLOCK_HZ
"""Audio farther from the newest video frame is not of the same clock; muxers interleave within 1 s."""

MAX_ASTRAY = 20
"""So many such packets in a row (0.4 s) are a jump of the audio's clock alone, fewer are stray ones."""


class Times(NamedTuple):
    """Where a packet lies on the timeline, in ticks."""

    dts: int
    pts: int


class SourceClock:
    """Maps one run of a source to the timeline.

    Video DTS are shifted so that DTS = PTS at each IDR picture: then parts and segments begin at the same times on
    every rung, with and without B-frames. `lead` takes the shift back where samples are written. Frames of a constant
    rate are placed where it says (`frame_grid`).

    Args:
        at: timeline position, in ticks, of the first keyframe.
        first: that keyframe.
    """

    def __init__(self, at: int, first: Packet) -> None:
        self._reorder = _composition(first)
        # Leading pictures of an open GOP (HEVC) are decoded behind the keyframe, shown before it: with them it starts.
        self._has_closed_gops = first.track.codec == "h264"
        self.lead = max(0, self._reorder)
        """Ticks by which the source decodes ahead of presentation, since it reorders pictures (B-frames)."""
        self._offset = self._audio_offset = at - first.dts - self._reorder
        self._grid = FrameGrid(at, first.track.frame_rate if isinstance(first.track, VideoTrack) else None)
        self._last_source_dts = first.dts
        self._last_dts = at - 1
        self._step = CLOCK_HZ // 30
        self._repaired_in_a_row = 0
        self._astray_in_a_row = 0
        self.repaired = 0
        """Video timestamps that had to be moved because they did not rise."""

    def companion(self, first: Packet) -> SourceClock:
        """Make the clock of another rendition of the same picture, of which `first` is a keyframe."""
        return SourceClock(first.pts + self._offset, first)

    @property
    def end(self) -> int:
        """Where the newest video frame ends, by the distance of the frames before it."""
        return self._last_dts + self._step

    def is_jump(self, packet: Packet) -> bool:
        """Tell whether this video packet lies too far from the last one to be on the same clock."""
        step = packet.dts - self._last_source_dts
        return not -MAX_STEP_BACK <= step <= MAX_STEP_AHEAD

    def video(self, packet: Packet) -> Times:
        """Place a video packet; DTS are strictly rising whatever the source sends.

        Raises:
            PeerError: the source's timestamps stand still.
        """
        composition = _composition(packet)
        if packet.is_keyframe:
            self._reorder = composition if self._has_closed_gops else min(self._reorder, composition)
        raw = packet.dts + self._offset + self._reorder
        dts = raw if raw <= self._last_dts else self._grid.add(raw)
        if dts <= self._last_dts < raw:
            dts = raw  # closer to the frame before than its rate allows
        if dts <= self._last_dts:
            dts = self._last_dts + 1
            self.repaired += 1
            self._repaired_in_a_row += 1
            if self._repaired_in_a_row > MAX_REPAIRS:
                raise PeerError("the timestamps of the video do not advance")
        else:
            self._repaired_in_a_row = 0
            if dts - self._last_dts < CLOCK_HZ and packet.dts > self._last_source_dts:
                self._step = dts - self._last_dts
        self._last_source_dts = packet.dts
        self._last_dts = dts
        pts = packet.dts + composition + self._offset
        return Times(dts, dts if pts == raw else self._grid.nearest(pts))

    def audio(self, packet: Packet) -> Times | None:
        """Place an audio packet; None for one that lies nowhere near the video."""
        pts = packet.pts + self._audio_offset
        if abs(pts - self._last_dts) > MAX_AUDIO_DISTANCE:
            self._astray_in_a_row += 1
            if self._astray_in_a_row < MAX_ASTRAY:
                return None
            # What arrives together belongs together, when timestamps do not say it.
            self._audio_offset = self._last_dts - packet.pts
            pts = self._last_dts
        self._astray_in_a_row = 0
        return Times(pts, pts)


def _composition(packet: Packet) -> int:
    return max(-MAX_COMPOSITION, min(MAX_COMPOSITION, packet.pts - packet.dts))
