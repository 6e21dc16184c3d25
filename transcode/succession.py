"""A rung while it is active: one encoder after the other, and the IDR pictures ordered from whichever it is."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from transcode.message import MAX_FORMER

if TYPE_CHECKING:
    from concurrent.futures import Future

    from av.video.frame import VideoFrame

    from transcode.encoded_rung import EncodedRung
    from transcode.message import EncodedFrame


class Succession:
    """The encoders of one rung by their first pictures: each goes on until the next one's `from_pts`.

    They may differ in size, frame rate and preset. The first picture of each is an IDR.
    """

    def __init__(self, first: EncodedRung) -> None:
        self._encoders = deque([first])
        self._opened = first
        self._last: EncodedRung | None = None  # whose the newest picture was
        self._keyframes: list[int] = []
        self._last_pts = first.from_pts - 1  # of the newest picture
        self._former_us = 0  # of encoders that have been let go

    @property
    def cost_us(self) -> int:
        """CPU time of its encoders, those that are gone included."""
        return self._former_us + sum(encoder.cost_us for encoder in self._encoders)

    def append(self, encoder: EncodedRung) -> None:
        """Let another encoder take over at its `from_pts`; it replaces those that would begin there or later."""
        while self._encoders and self._encoders[-1].from_pts >= encoder.from_pts:
            self._let_go(self._encoders.pop())
        self._encoders.append(encoder)
        if len(self._encoders) > 1 + MAX_FORMER:
            self._let_go(self._encoders.popleft())

    def advance(self, pts: int) -> EncodedRung | None:
        """Let go of the encoders whose pictures lie before this one.

        Returns:
            The encoder that takes over here, to be told of before its first picture; None when none does.
        """
        while len(self._encoders) > 1 and self._encoders[1].from_pts <= pts:
            self._let_go(self._encoders.popleft())
        current = self._encoders[0]
        if current is self._opened or pts < current.from_pts:
            return None
        self._opened = current
        return current

    def size_at(self, pts: int) -> tuple[int, int] | None:
        """Return width and height of the picture at `pts`, None when the rung has none there; behind `advance`.

        A rung of fewer frames than the source leaves out those that come too soon, counted from its last IDR on: so
        whoever encodes from an IDR leaves out the same ones.
        """
        current = self._encoders[0]
        if pts < current.from_pts:
            return None
        is_due = pts >= self._last_pts + current.spec.min_frame_ticks
        return current.size if is_due or self._is_keyframe_at(pts) else None

    def force_keyframe(self, pts: int) -> None:
        """Make the first picture with this pts or more an IDR."""
        heappush(self._keyframes, pts)

    def begin_anew(self) -> None:
        """Make the next picture an IDR: something is missing before it."""
        heappush(self._keyframes, self._last_pts + 1)

    def encode(self, picture: VideoFrame, pts: int) -> Future[EncodedFrame]:
        """Queue a picture of the size that `size_at` says."""
        current = self._encoders[0]
        is_keyframe = self._is_keyframe_at(pts)
        while self._keyframes and self._keyframes[0] <= pts:
            heappop(self._keyframes)
        self._last, self._last_pts = current, pts
        return current.encode(picture, pts, is_keyframe)

    def _is_keyframe_at(self, pts: int) -> bool:
        is_ordered = bool(self._keyframes) and self._keyframes[0] <= pts
        return is_ordered or self._encoders[0] is not self._last

    def measure(self) -> Future[float | None]:
        """Ask for the quality of the present encoder's pictures since the last call."""
        return self._encoders[0].measure()

    def close(self) -> None:
        """End all encoders when the pictures that they have are done."""
        for encoder in self._encoders:
            encoder.close()

    def _let_go(self, encoder: EncodedRung) -> None:
        self._former_us += encoder.cost_us
        encoder.close()
