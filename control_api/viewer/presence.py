"""Who watches which stream. Pure: no clock (Unix time is an argument, steps back are evened out), nothing stored.

Somebody is present from a join, or another sign of life, until a leave or 30 seconds of silence; and for as long as a
socket is open. Spans of watching lie between signs of life of one viewer, whichever tab they come from, so nothing is
counted twice. Every call costs the same however many watch; expiries are paid by the calls that made the entries.
"""

from __future__ import annotations

from collections import deque
from math import inf

from control_api.viewer.audience import Audience, Figures, KnownViewer, Viewer
from control_api.viewer.roster import Roster
from control_api.viewer.rumour import Rumours
from control_api.viewer.shared import Act
from control_api.viewer.unstored import Unstored

EXPIRY_S = 30.0
"""So long without a sign of life is absence."""

QUIET_S = 10.0
"""After a leave requests for media are no sign of life: players had made them before."""

REFRESH_S = 10.0
"""So often an open socket is a sign of life: what a crash of the server may lose of the time watched."""

KEPT_S = 60.0
"""How long figures of an ended stream can still be asked for: longer than anybody remembers the stream's own."""

MAX_VIEWERS = 200_000
"""Viewers that are remembered, of all streams together, half a KB each. Absent ones make room; without any, whoever
comes is not counted."""


class Presence:
    """The audiences of the streams that are live.

    Args:
        max_viewers: how many viewers are remembered.
    """

    def __init__(self, max_viewers: int = MAX_VIEWERS) -> None:
        self.unstored = Unstored()
        self.rumours = Rumours()
        self._roster = Roster(max_viewers)
        self._now = 0.0
        self._audiences: dict[str, Audience] = {}
        self._closed: deque[Audience] = deque()

    def __len__(self) -> int:
        """Count the viewers that are remembered."""
        return len(self._roster)

    def open(self, stream_id: str, owner_key: str, *, peak: int = 0, unique: int = 0) -> bool:
        """Begin to count; returns whether that is news.

        Args:
            stream_id: of a stream that is live.
            owner_key: who is never counted.
            peak: as stored.
            unique: viewers that are stored.
        """
        if stream_id in self._audiences:
            return False
        audience = self._audiences[stream_id] = Audience(stream_id, owner_key, peak, stored=unique)
        self.unstored.add_audience(audience)
        return True

    def recall(self, known: KnownViewer) -> None:
        """Remember a viewer of an open stream who is stored, as absent."""
        audience = self._audiences.get(known.stream_id)
        if audience is None or known.key in audience.viewers or self._roster.is_full:
            return
        at = known.last_seen_at
        viewer = Viewer(audience, known.key, began=at, seen_at=at, left_at=at, is_stored=True)
        audience.viewers[viewer.key] = viewer
        self._roster.put_absent(viewer)

    def join(self, stream_id: str, key: str, now: float) -> None:
        """Take note that somebody watches: a visit, unless it is one already."""
        self._note(stream_id, key, now, Act.JOIN)

    def seen(self, stream_id: str, key: str, now: float) -> None:
        """Take note of a sign of life: whoever was away for less than 30 seconds was not away at all."""
        self._note(stream_id, key, now, Act.SEEN)

    def attach(self, stream_id: str, key: str, now: float) -> Viewer | None:
        """Take note of a socket that is open: a join, and presence until `detach`; None for who is not counted."""
        viewer = self._note(stream_id, key, now, Act.OPEN)
        if viewer is not None:
            self._roster.attach(viewer)
        return viewer

    def detach(self, viewer: Viewer, now: float, *, has_left: bool) -> None:
        """Take note that a socket has been closed; of the last one that is a leave, or a last sign of life."""
        now = self.expire(now)
        if viewer.left_at is None:
            self._see(viewer, now)
        self._roster.detach(viewer)
        if has_left and not viewer.opened and viewer.left_at is None:
            self._leave(viewer)

    def leave(self, stream_id: str, key: str, now: float) -> None:
        """Take note that somebody has gone; a sign of life while a socket is open."""
        now = self.expire(now)
        audience = self._audiences.get(stream_id)
        if audience is None or audience.is_closed:
            return
        viewer = audience.viewers.get(key)
        if viewer is None or viewer.left_at is not None:
            self.rumours.add(stream_id, key, Act.LEAVE, now)
            return
        self._see(viewer, now)
        if not viewer.opened:
            self._leave(viewer)

    def left_elsewhere(self, stream_id: str, key: str, at: float, now: float) -> None:
        """Take note that another server was told of a leave."""
        now = self.expire(now)
        viewer = self._find(stream_id, key)
        if viewer is None or viewer.left_at is not None or viewer.opened:
            return
        if viewer.seen_at <= at:
            self._see(viewer, min(at, now))
            self._go(viewer)
            viewer.quiet_until = at + QUIET_S

    def was_present(self, stream_id: str, key: str, at: float, since: float) -> None:
        """Take note that who came at that time had been seen by another server at another time, and goes on."""
        viewer = self._find(stream_id, key)
        if viewer is not None and viewer.began == at:
            viewer.began, viewer.is_visit = min(since, at), True

    def close(self, stream_id: str, now: float, ended_at: float = inf) -> None:
        """End a stream: everybody leaves, and nobody comes.

        Args:
            stream_id: of the stream.
            now: Unix time.
            ended_at: when it ended, if that was earlier.
        """
        now = self.expire(now)
        audience = self._audiences.get(stream_id)
        if audience is None or audience.is_closed:
            return
        for viewer in audience.viewers.values():
            if viewer.left_at is None:
                self._see(viewer, max(viewer.seen_at, min(now, ended_at)))
                self._go(viewer)
        audience.closed_at = now
        self._closed.append(audience)
        self.unstored.add_audience(audience)
        self.rumours.move(stream_id)

    def audience(self, stream_id: str) -> Audience | None:
        """Find the viewers of a stream that is live, or was a moment ago."""
        return self._audiences.get(stream_id)

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

    def refresh(self, now: float, silent_s: float = REFRESH_S) -> None:
        """Take open sockets for signs of life, those of viewers without one for so long."""
        while (viewer := self._roster.stale()) is not None:
            if viewer.seen_at >= now or now - viewer.seen_at < silent_s:
                break
            self._see(viewer, now)

    def expire(self, now: float) -> float:
        """Let those go who have been silent for too long; returns the time, which never steps back."""
        now = self._now = max(self._now, now)
        self.refresh(now)
        while (viewer := self._roster.silent()) is not None:
            if now - viewer.seen_at < EXPIRY_S:
                break
            self._go(viewer)
        while self._closed and self._is_done(self._closed[0], now):
            audience = self._closed.popleft()
            del self._audiences[audience.stream_id]
            self._roster.drop(audience)
        return now

    def _find(self, stream_id: str, key: str) -> Viewer | None:
        audience = self._audiences.get(stream_id)
        return audience.viewers.get(key) if audience is not None else None

    def _note(self, stream_id: str, key: str, now: float, act: Act) -> Viewer | None:
        now = self.expire(now)
        audience = self._audiences.get(stream_id)
        if audience is None or audience.is_closed or key == audience.owner_key:
            return None
        viewer = audience.viewers.get(key) or self._add(audience, key, now)
        if viewer is None or (act is Act.SEEN and now < viewer.quiet_until):
            return None
        if viewer.left_at is not None:
            self._come(viewer, now, away_s=now - viewer.left_at, is_join=act is not Act.SEEN)
            self.rumours.add(stream_id, key, act, now)
            return viewer
        self._see(viewer, now)
        if act is not Act.SEEN:
            self.rumours.add(stream_id, key, Act.OPEN if viewer.opened else act, now)
        return viewer

    def _add(self, audience: Audience, key: str, now: float) -> Viewer | None:
        if self._roster.is_full and not self._roster.forget_one():
            return None
        # Away for ever, so far: whoever comes begins a visit.
        viewer = audience.viewers[key] = Viewer(audience, key, now, now, left_at=-inf)
        audience.fresh += 1
        return viewer

    def _come(self, viewer: Viewer, now: float, *, away_s: float, is_join: bool) -> None:
        if is_join or away_s >= EXPIRY_S:
            viewer.begin(now, is_visit=is_join)
        else:
            # What is recalled may be ahead of a clock that was set back.
            viewer.seen_at = max(viewer.seen_at, now)
        viewer.left_at = None
        viewer.quiet_until = 0.0
        viewer.audience.enter()
        self._roster.come(viewer)
        self.unstored.add(viewer)
        self.rumours.move(viewer.audience.stream_id)

    def _see(self, viewer: Viewer, now: float) -> None:
        viewer.seen_at = max(viewer.seen_at, now)
        self._roster.see(viewer)
        self.unstored.add(viewer)
        self.rumours.later(viewer)

    def _leave(self, viewer: Viewer) -> None:
        self._go(viewer)
        viewer.quiet_until = viewer.seen_at + QUIET_S
        self.rumours.add(viewer.audience.stream_id, viewer.key, Act.LEAVE, viewer.seen_at)

    def _go(self, viewer: Viewer) -> None:
        viewer.left_at = viewer.seen_at
        viewer.audience.present -= 1
        self._roster.go(viewer)
        self.unstored.add(viewer)
        self.rumours.move(viewer.audience.stream_id)

    def _is_done(self, audience: Audience, now: float) -> bool:
        return now - audience.closed_at >= KEPT_S and audience not in self.unstored
