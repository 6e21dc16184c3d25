"""What the sockets of one stream are told, and when. Pure: time is an argument.

The first change after a quiet time goes out at once; then everything that happens within a tick goes out in one piece.
Reactions, and viewers who come and go, are summed for longer.
"""

from __future__ import annotations

from collections import Counter
from math import inf

from control_api.realtime.frame import message_frame
from control_api.realtime.happening import Happening
from control_api.realtime.recent import RecentChat

TICK_S = 0.04
"""Between two pieces; a socket is written to once for each."""

SUM_S = 0.1
"""Between two messages about reactions, and two about the number of viewers."""

NEVER = -inf


class Room:
    """What is to be told on one stream.

    Args:
        chat: as it is now.
        status: of the stream.
        viewer_count: as it is now.
    """

    def __init__(self, chat: RecentChat, status: str, viewer_count: int) -> None:
        self.chat = chat
        self.status = status
        self._waiting: list[Happening] = []
        self._reactions: Counter[str] = Counter()
        self._reactors: dict[str, str] = {}
        """Who reacted last, by what."""
        self._viewer_count = self._told_count = viewer_count
        self._told_at = self._reactions_at = self._viewers_at = NEVER

    @property
    def viewer_count(self) -> int:
        """How many watch."""
        return self._viewer_count

    def receive_happening(self, happening: Happening) -> None:
        """Take what has happened."""
        if happening.type == "reaction":
            self._reactions[happening.data["type"]] += 1
            self._reactors[happening.data["type"]] = happening.data["user_id"]
        else:
            self._waiting.append(happening)

    def receive_missed(self, happening: Happening) -> None:
        """Take what has happened and may have been received already."""
        seq = happening.seq or 0
        if not self.chat.knows(seq) and all(one.seq != seq for one in self._waiting):
            self._waiting.append(happening)

    def receive_viewer_count(self, count: int) -> None:
        """Take how many watch now."""
        self._viewer_count = count

    def get_timer(self) -> float | None:
        """Tell when there is something to send; None while there is nothing."""
        due = inf
        if self._waiting:
            due = self._told_at + TICK_S
        if self._reactions:
            due = min(due, max(self._reactions_at + SUM_S, self._told_at + TICK_S))
        if self._viewer_count != self._told_count:
            due = min(due, max(self._viewers_at + SUM_S, self._told_at + TICK_S))
        return None if due == inf else due

    def data_to_send(self, now: float) -> bytes:
        """Take the frames that are due, one after the other; what will be due before the next tick comes along."""
        frames = [*self._take_waiting(), *self._take_reactions(now), *self._take_viewers(now)]
        if frames:
            self._told_at = now
        return b"".join(frames)

    def _take_waiting(self) -> list[bytes]:
        # What is stored at the same time may be told in another order: within one piece that can still be mended.
        waiting = sorted(self._waiting, key=lambda one: one.seq or inf)
        self._waiting.clear()
        return [message_frame(one.type, one.data) for one in waiting if self._is_news(one)]

    def _is_news(self, happening: Happening) -> bool:
        if happening.type != "stream_status":
            return self.chat.note(happening)
        before, self.status = self.status, happening.data["status"]
        return before != self.status

    def _take_reactions(self, now: float) -> list[bytes]:
        if not self._reactions or now + TICK_S < self._reactions_at + SUM_S:
            return []
        self._reactions_at = now
        frames = []
        for kind, count in self._reactions.items():
            data: dict[str, object] = {"type": kind, "count": count}
            if count == 1:
                data["user_id"] = self._reactors[kind]
            frames.append(message_frame("reaction", data))
        self._reactions.clear()
        self._reactors.clear()
        return frames

    def _take_viewers(self, now: float) -> list[bytes]:
        if self._viewer_count == self._told_count or now + TICK_S < self._viewers_at + SUM_S:
            return []
        self._viewers_at = now
        self._told_count = self._viewer_count
        return [message_frame("viewer_update", {"viewer_count": self._viewer_count})]
