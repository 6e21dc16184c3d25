"""Everybody who is remembered, in the orders in which they expire and are forgotten. Pure."""

from __future__ import annotations

from collections import OrderedDict

from control_api.viewer.audience import Audience, Viewer


class Roster:
    """Keeps each viewer in one of three places.

    Args:
        max_viewers: how many are remembered.
    """

    def __init__(self, max_viewers: int) -> None:
        self._max_viewers = max_viewers
        self._present: OrderedDict[Viewer, None] = OrderedDict()
        """Without an open socket, in the order of their last signs of life."""
        self._attached: OrderedDict[Viewer, None] = OrderedDict()
        """With an open socket, in the same order."""
        self._absent: OrderedDict[Viewer, None] = OrderedDict()
        """In the order in which they left."""

    def __len__(self) -> int:
        """Count them all."""
        return len(self._present) + len(self._attached) + len(self._absent)

    @property
    def is_full(self) -> bool:
        """Whether somebody has to go before another one comes."""
        return len(self) >= self._max_viewers

    def put_absent(self, viewer: Viewer) -> None:
        """Add somebody who is absent."""
        self._absent[viewer] = None

    def come(self, viewer: Viewer) -> None:
        """Let somebody be present, who was absent or is new."""
        self._absent.pop(viewer, None)
        self._present[viewer] = None

    def see(self, viewer: Viewer) -> None:
        """Put somebody last of those who are present."""
        self._where(viewer).move_to_end(viewer)

    def attach(self, viewer: Viewer) -> None:
        """Take note of another socket of somebody who is present."""
        del self._where(viewer)[viewer]
        viewer.opened += 1
        self._attached[viewer] = None

    def detach(self, viewer: Viewer) -> None:
        """Take note that a socket has been closed, of somebody who may be present."""
        viewer.opened -= 1
        if not viewer.opened and viewer in self._attached:
            del self._attached[viewer]
            self._present[viewer] = None

    def go(self, viewer: Viewer) -> None:
        """Let somebody be absent."""
        del self._where(viewer)[viewer]
        self._absent[viewer] = None

    def silent(self) -> Viewer | None:
        """Find who has been silent for the longest time, of those without a socket."""
        return next(iter(self._present), None)

    def stale(self) -> Viewer | None:
        """Find whose last sign of life is the oldest, of those with a socket."""
        return next(iter(self._attached), None)

    def forget_one(self) -> bool:
        """Forget who has been away for the longest time, unless that is not stored yet."""
        viewer = next(iter(self._absent), None)
        if viewer is None or viewer in viewer.audience.changed or not viewer.is_stored:
            return False
        del self._absent[viewer], viewer.audience.viewers[viewer.key]
        return True

    def drop(self, audience: Audience) -> None:
        """Forget all viewers of a stream; they are absent."""
        for viewer in audience.viewers.values():
            del self._absent[viewer]

    def _where(self, viewer: Viewer) -> OrderedDict[Viewer, None]:
        return self._attached if viewer.opened else self._present
