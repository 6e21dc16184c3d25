"""What a stream's chat looks like now, and what happened there lately: enough to greet whoever comes. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import inf
from typing import Any

from control_api.realtime.happening import Happening

SHOWN = 50
"""Comments that whoever comes is shown."""

KEPT = 1000
"""Happenings that are remembered for those who come back, half a KB each."""


class RecentChat:
    """The newest comments and the pinned one, kept up by what happens.

    Args:
        comments: the newest, the newest last, as they are stored.
        pinned: the pinned comment.
        seq: of the last that had happened before this was read.
        is_known: whether that is so; else what is stored could not be read.
    """

    def __init__(
        self,
        comments: Sequence[dict[str, Any]] = (),
        pinned: dict[str, Any] | None = None,
        seq: int = 0,
        *,
        is_known: bool = True,
    ) -> None:
        self.pinned = pinned
        self.is_known = is_known
        self.seq = max([seq, *(comment["seq"] for comment in comments)])
        """Of the newest that is known."""
        self._comments = deque(comments, maxlen=SHOWN)
        self._happened: deque[Happening] = deque()
        self._stored = self.seq
        self.floor: float = self.seq if is_known else inf
        """Everything behind this `seq` is remembered."""

    @property
    def comments(self) -> list[dict[str, Any]]:
        """The newest comments, the newest last."""
        pinned_id = self.pinned["id"] if self.pinned is not None else None
        return [comment | {"is_pinned": comment["id"] == pinned_id} for comment in self._comments]

    def learn(self, comments: Sequence[dict[str, Any]], pinned: dict[str, Any] | None, seq: int) -> None:
        """Take what is stored, which could not be read before."""
        known = {comment["id"] for comment in self._comments}
        older = [comment for comment in comments if comment["id"] not in known]
        self._comments = deque([*older, *self._comments], maxlen=SHOWN)
        self.pinned = pinned
        self.seq = max([self.seq, seq, *(comment["seq"] for comment in comments)])
        self.floor = self.seq
        self.is_known = True

    def note(self, happening: Happening) -> bool:
        """Take note of what has happened; returns whether it is news: what was stored when this began is not."""
        seq = happening.seq
        if seq is None:
            return True
        if happening.type == "comment" and seq <= self._stored:
            return False
        self._apply(happening)
        self._happened.append(happening)
        self.seq = max(self.seq, seq)
        if len(self._happened) > KEPT:
            self.floor = max(self.floor, self._happened.popleft().seq or 0)
        return True

    def missed(self, since: float) -> list[Happening] | None:
        """List what has happened since somebody saw `since` as the last; None when that is not remembered.

        What was told behind `since` counts, whatever its `seq`: servers tell what they store at the same time in one
        order, but not always in that of storing.
        """
        if since < self.floor:
            return None
        places = [place for place, one in enumerate(self._happened) if one.seq == since]
        last = places[-1] if places else len(self._happened)
        return [one for place, one in enumerate(self._happened) if place > last or (one.seq or 0) > since]

    def knows(self, seq: int) -> bool:
        """Tell whether what happened at a place is remembered."""
        return any(one.seq == seq for one in self._happened)

    def _apply(self, happening: Happening) -> None:
        comment_id = happening.data["id"]
        match happening.type:
            case "comment":
                self._comments.append(happening.data)
            case "comment_pinned":
                self.pinned = happening.comment
            case "comment_unpinned":
                self._unpin(comment_id)
            case "comment_deleted":
                self._unpin(comment_id)
                kept = [comment for comment in self._comments if comment["id"] != comment_id]
                self._comments = deque(kept, maxlen=SHOWN)

    def _unpin(self, comment_id: str) -> None:
        if self.pinned is not None and self.pinned["id"] == comment_id:
            self.pinned = None
