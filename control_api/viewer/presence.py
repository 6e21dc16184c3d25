"""Who watches which stream. Pure: no clock (Unix time is an argument, steps back are evened out), nothing stored.

Somebody is present from a join, or another sign of life, until a leave or 30 seconds of silence. Watch time is what
lies between signs of life of one viewer, whichever tab they come from, so it is never counted twice. Every call costs
the same however many watch; expiries are paid by the calls that made the entries.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from control_api.viewer.audience import Audience, Figures, Viewer, ViewerRow

EXPIRY_S = 30.0
"""So long without a sign of life is absence."""

QUIET_S = 10.0
"""After a leave requests for media are no sign of life: players had made them before."""

KEPT_S = 60.0
"""How long figures of an ended stream can still be asked for: longer than anybody remembers the stream's own."""

MAX_VIEWERS = 200_000
"""Viewers that are remembered, of all streams together, half a KB each. Absent ones make room; without any, whoever
comes is not counted."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be stored."""

    viewers: Sequence[Viewer]
    audiences: Sequence[Audience]
    """Whose figures are to be stored, since all their viewers are in these changes or were in earlier ones."""


class Presence:
    """The audiences of the streams that are live.

    Args:
        max_viewers: how many viewers are remembered.
    """

    def __init__(self, max_viewers: int = MAX_VIEWERS) -> None:
        self._max_viewers = max_viewers
        self._now = 0.0
        self._audiences: dict[str, Audience] = {}
        self._closed: deque[Audience] = deque()
        self._present: OrderedDict[Viewer, None] = OrderedDict()
        """In the order of their last signs of life."""
        self._absent: OrderedDict[Viewer, None] = OrderedDict()
        """In the order in which they left."""
        self._changed: dict[Audience, None] = {}

    def __len__(self) -> int:
        """Count the viewers that are remembered."""
        return len(self._present) + len(self._absent)

    def open(self, stream_id: str, owner_key: str, *, peak: int = 0, unique: int = 0) -> None:
        """Begin to count; nothing happens when that has begun.

        Args:
            stream_id: of a stream that is live.
            owner_key: who is never counted.
            peak: as stored.
            unique: viewers that are stored.
        """
        if stream_id not in self._audiences:
            audience = self._audiences[stream_id] = Audience(stream_id, owner_key, peak, forgotten=unique)
            self._changed[audience] = None

    def recall(self, row: ViewerRow) -> None:
        """Remember a viewer of an open stream who is stored, as absent."""
        audience = self._audiences.get(row.stream_id)
        if audience is None or row.viewer_id in audience.viewers or len(self) >= self._max_viewers:
            return
        left_at = row.last_seen_at if row.left_at is None else row.left_at
        viewer = Viewer(audience, row.viewer_id, row.joined_at, row.last_seen_at, left_at)
        audience.viewers[viewer.key] = viewer
        self._absent[viewer] = None
        self.learn(viewer, row)

    def learn(self, viewer: Viewer, past: ViewerRow | None) -> None:
        """Add what was stored of a viewer before to what has been counted since."""
        if viewer.has_past:
            return
        viewer.has_past = True
        if past is not None:
            viewer.joined_at = min(viewer.joined_at, past.joined_at)
            viewer.visits += past.visits
            viewer.watch_time_s += past.watch_time_s
            viewer.audience.forgotten = max(0, viewer.audience.forgotten - 1)

    def join(self, stream_id: str, key: str, now: float) -> None:
        """Take note that somebody watches: a visit, unless it is one already."""
        self._note(stream_id, key, now, is_join=True)

    def seen(self, stream_id: str, key: str, now: float) -> None:
        """Take note of a sign of life: whoever was away for less than 30 seconds was not away at all."""
        self._note(stream_id, key, now, is_join=False)

    def leave(self, stream_id: str, key: str, now: float) -> None:
        """Take note that somebody has gone; nothing happens when that is known."""
        now = self.expire(now)
        audience = self._audiences.get(stream_id)
        viewer = audience.viewers.get(key) if audience is not None else None
        if viewer is not None and viewer.left_at is None:
            self._see(viewer, now)
            self._go(viewer)
            viewer.quiet_until = now + QUIET_S

    def close(self, stream_id: str, now: float) -> None:
        """End a stream: everybody leaves, and nobody comes."""
        now = self.expire(now)
        audience = self._audiences.get(stream_id)
        if audience is None or audience.is_closed:
            return
        for viewer in audience.viewers.values():
            if viewer.left_at is None:
                self._see(viewer, now)
                self._go(viewer)
        audience.closed_at = now
        self._closed.append(audience)
        self._changed[audience] = None

    def figures(self, stream_id: str, now: float) -> Figures | None:
        """Tell how many watch; None of a stream that is not live, or has not been for a while."""
        self.expire(now)
        audience = self._audiences.get(stream_id)
        return audience.figures() if audience is not None else None

    def unstored_time_s(self, stream_id: str, now: float) -> float:
        """Sum up how long those who are present have been silent: watch time of theirs if they go on."""
        now = self.expire(now)
        audience = self._audiences.get(stream_id)
        if audience is None or not audience.present:
            return 0.0
        return sum(now - viewer.seen_at for viewer in audience.viewers.values() if viewer.left_at is None)

    def open_streams(self) -> list[str]:
        """List the streams that viewers are counted of."""
        return [audience.stream_id for audience in self._audiences.values() if not audience.is_closed]

    def expire(self, now: float) -> float:
        """Let those go who have been silent for too long; returns the time, which never steps back."""
        now = self._now = max(self._now, now)
        while self._present:
            viewer = next(iter(self._present))
            if now - viewer.seen_at < EXPIRY_S:
                break
            self._go(viewer)
        while self._closed and self._is_done(self._closed[0], now):
            self._drop(self._closed.popleft())
        return now

    def take(self, limit: int) -> Changes:
        """Take what has changed since the last time, at most so many viewers; who can't store it gives it back."""
        viewers: list[Viewer] = []
        done: list[Audience] = []
        for audience in list(self._changed):
            taken = list(islice(audience.changed, limit - len(viewers)))
            viewers += taken
            for viewer in taken:
                del audience.changed[viewer]
            if audience.changed:
                break
            del self._changed[audience]
            done.append(audience)
        return Changes(viewers, done)

    def give_back(self, changes: Changes) -> None:
        """Take note that changes could not be stored."""
        for viewer in changes.viewers:
            self._change(viewer)
        self._changed |= dict.fromkeys(changes.audiences)

    def _note(self, stream_id: str, key: str, now: float, *, is_join: bool) -> None:
        now = self.expire(now)
        audience = self._audiences.get(stream_id)
        if audience is None or audience.is_closed or key == audience.owner_key:
            return
        viewer = audience.viewers.get(key) or self._add(audience, key, now)
        if viewer is None or (not is_join and now < viewer.quiet_until):
            return
        if viewer.left_at is None:
            self._see(viewer, now)
        else:
            self._come(viewer, now, away_s=now - viewer.left_at, is_join=is_join)
        self._present[viewer] = None
        self._present.move_to_end(viewer)

    def _add(self, audience: Audience, key: str, now: float) -> Viewer | None:
        if len(self) >= self._max_viewers and not self._forget_one():
            return None
        # Away for ever, so far: whoever comes begins a visit.
        viewer = audience.viewers[key] = Viewer(audience, key, now, now, left_at=float("-inf"))
        return viewer

    def _come(self, viewer: Viewer, now: float, *, away_s: float, is_join: bool) -> None:
        if is_join or away_s >= EXPIRY_S:
            viewer.visits += 1
        else:
            # What is recalled may be ahead of a clock that was set back.
            viewer.watch_time_s += max(0.0, away_s)
        viewer.left_at = None
        viewer.quiet_until = 0.0
        viewer.seen_at = now
        viewer.audience.enter()
        self._absent.pop(viewer, None)
        self._change(viewer)

    def _see(self, viewer: Viewer, now: float) -> None:
        viewer.watch_time_s += now - viewer.seen_at
        viewer.seen_at = now
        self._change(viewer)

    def _go(self, viewer: Viewer) -> None:
        viewer.left_at = viewer.seen_at
        viewer.audience.present -= 1
        del self._present[viewer]
        self._absent[viewer] = None
        self._change(viewer)

    def _change(self, viewer: Viewer) -> None:
        viewer.audience.changed[viewer] = None
        self._changed[viewer.audience] = None

    def _forget_one(self) -> bool:
        """Forget who has been away for the longest time, unless that is not stored yet."""
        viewer = next(iter(self._absent), None)
        if viewer is None or viewer in viewer.audience.changed or not viewer.has_past:
            return False
        del self._absent[viewer], viewer.audience.viewers[viewer.key]
        viewer.audience.forgotten += 1
        return True

    def _is_done(self, audience: Audience, now: float) -> bool:
        return now - audience.closed_at >= KEPT_S and audience not in self._changed

    def _drop(self, audience: Audience) -> None:
        del self._audiences[audience.stream_id]
        for viewer in audience.viewers.values():
            del self._absent[viewer]
