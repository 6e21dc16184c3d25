"""How far encoded rungs have a hole, and whether that can be said yet. Pure."""

from __future__ import annotations

from transcode.backlog import NOTHING_DELIVERED


class Gap:
    """Frames are missing before `until_pts`; said only when the frames that were sent before the hole are there.

    A `Skip` mark in the stream to the worker stands for each hole, and comes back behind those frames.
    """

    def __init__(self) -> None:
        self.until_pts = NOTHING_DELIVERED
        self.is_open = False
        """Whether the hole goes on until a keyframe that has not come yet."""
        self._marks = 0

    @property
    def is_known(self) -> bool:
        """Whether no frame from before the hole is on its way any more."""
        return self._marks == 0

    def mark(self, until_pts: int, *, is_open: bool) -> None:
        """Note that a mark has been put where frames were dropped."""
        self._marks += 1
        self.extend(until_pts, is_open=is_open)

    def extend(self, until_pts: int, *, is_open: bool) -> None:
        """Note that no frame before `until_pts` will come."""
        self.until_pts = max(self.until_pts, until_pts)
        self.is_open = is_open

    def pass_mark(self) -> None:
        """Note that a mark has come back."""
        self._marks = max(0, self._marks - 1)

    def forget_marks(self) -> None:
        """Expect no mark but those that are sent to another worker: theirs is dead."""
        self._marks = 0
