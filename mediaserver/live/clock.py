"""From a publisher's timestamps to the broadcast's timeline.

A publisher counts from anywhere, steps back, or jumps; the timeline never does. One `SourceClock` serves one
unbroken run of a source: a reconnect or a jump gets a new one. Pure: no clock of its own.
"""

from __future__ import annotations

from typing import NamedTuple

from media.packet import CLOCK_HZ, Packet

MAX_STEP_BACK = CLOCK_HZ // 4
MAX_STEP_AHEAD = 3 * CLOCK_HZ
"""A larger step of the video's DTS is a jump of the source's clock and not a late or dropped frame. A viewer's
player would have to wait as long as the step, so this must stay below a player's usual buffer."""


class Times(NamedTuple):
    """Where a packet lies on the timeline, in ticks."""

    dts: int
    pts: int


class SourceClock:
    """Maps one run of a source to the timeline.

    Video DTS are shifted so that DTS = PTS at each IDR picture: then a segment's `tfdt` is its first
    presentation time on every rung, with and without B-frames (composition offsets may be negative).

    Args:
        at: timeline position, in ticks, of the first keyframe.
        first: that keyframe.
    """

    def __init__(self, at: int, first: Packet) -> None:
        self._offset = at - first.pts
        self._reorder = first.pts - first.dts
        self._last_source_dts = first.dts
        self._last_dts = at - 1
        self._step = CLOCK_HZ // 30
        self.repaired = 0
        """Video timestamps that had to be moved because they did not rise."""

    @property
    def end(self) -> int:
        """Where the newest video frame ends, by the distance of the frames before it."""
        return self._last_dts + self._step

    def is_jump(self, packet: Packet) -> bool:
        """Tell whether this video packet lies too far from the last one to be on the same clock."""
        step = packet.dts - self._last_source_dts
        return not -MAX_STEP_BACK <= step <= MAX_STEP_AHEAD

    def video(self, packet: Packet) -> Times:
        """Place a video packet; DTS are strictly rising whatever the source sends."""
        if packet.is_keyframe:
            self._reorder = packet.pts - packet.dts
        dts = packet.dts + self._offset + self._reorder
        if dts <= self._last_dts:
            dts = self._last_dts + 1
            self.repaired += 1
        elif dts - self._last_dts < CLOCK_HZ and packet.dts > self._last_source_dts:
            self._step = dts - self._last_dts
        self._last_source_dts = packet.dts
        self._last_dts = dts
        return Times(dts, packet.pts + self._offset)

    def audio(self, packet: Packet) -> Times:
        """Place an audio packet."""
        pts = packet.pts + self._offset
        return Times(pts, pts)
