"""The newest frames of a rung, from a keyframe on: what a process that begins to show it needs first. Pure."""

from __future__ import annotations

from media.packet import CLOCK_HZ
from webrtc.port import VideoFrame

MAX_TICKS = 2 * CLOCK_HZ
MAX_BYTES = 1_000_000
"""More takes longer to send than the next keyframe takes to come."""


class RecentGop:
    """Keeps frames since the newest keyframe, while they are few enough."""

    def __init__(self) -> None:
        self.frames: list[VideoFrame] = []
        self._size = 0

    def receive(self, frame: VideoFrame) -> None:
        """Take the next frame."""
        if frame.is_keyframe:
            self.frames, self._size = [frame], len(frame.data)
        elif self.frames:
            self.frames.append(frame)
            self._size += len(frame.data)
            if self._size > MAX_BYTES or frame.pts - self.frames[0].pts > MAX_TICKS:
                self.frames = []
