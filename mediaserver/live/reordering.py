"""Does a rung show its pictures in the order in which they come? WebRTC has no place for B-frames.

Parameter sets say it for most encoders, the pictures themselves for the rest; an encoder may begin to reorder at any
time. Pure: time is the timeline's.
"""

from __future__ import annotations

from media.h264 import parse_avc_config, parse_sps
from media.packet import CLOCK_HZ, TICKS_PER_MS, VideoTrack

UNSAID_WAIT = CLOCK_HZ // 2
"""How long a source is watched that says nothing about it: encoders use B-frames from the second picture on."""

QUIET_WAIT = 10 * CLOCK_HZ
"""How long nothing must have been reordered by a source that may, or has: viewers are not moved to and fro."""

ROUNDING = 2 * TICKS_PER_MS
"""What decoding and presentation times may differ by where nothing is reordered: both come in milliseconds."""


class Reordering:
    """Looks at the samples of one rung."""

    def __init__(self) -> None:
        self._track: VideoTrack | None = None
        self._in_order_from = 0
        self.is_in_order = False
        """Whether the newest sample can go to WebRTC."""
        self.is_reordered = False
        """Whether something is reordered, or is said to be: not merely unknown."""

    def begin(self, track: VideoTrack, at: int, *, is_ours: bool = False) -> None:
        """Take note that samples from `at` on are of this track; the same one again is nothing new.

        Args:
            track: how they are decoded.
            at: in ticks.
            is_ours: whether they come from encoders of ours, which reorder nothing whatever hardware says of itself.
        """
        if track != self._track:
            wait = 0 if is_ours else _wait(track)
            self._track = track
            self._in_order_from = at + wait
            self.is_reordered = wait == QUIET_WAIT

    def look(self, dts: int, pts: int) -> None:
        """Look at a sample, in decoding order."""
        if pts - dts > ROUNDING or dts - pts > ROUNDING:
            self._in_order_from = dts + QUIET_WAIT
            self.is_reordered = True
        self.is_in_order = dts >= self._in_order_from
        self.is_reordered &= not self.is_in_order


def _wait(track: VideoTrack) -> int:
    """Say for how long a track's pictures are watched before they are trusted."""
    max_reordered = parse_sps(parse_avc_config(track.config).sps[0]).max_reordered
    if max_reordered is None:
        return UNSAID_WAIT
    return QUIET_WAIT if max_reordered else 0
