"""What a channel needs of its broadcast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from .event import Wanted
from .place import Mode
from .switchboard import Switchboard
from .viewer import Viewer

_REPEAT_S = 5.0


class Demand:
    """Counts who gets or waits for what, and says so when it has changed, and every five seconds."""

    def __init__(self, switchboard: Switchboard, viewers: Collection[Viewer], now: float) -> None:
        self.is_stale = False
        """Set when viewers came, went or changed; changes of rung are known to the switchboard."""
        self._switchboard = switchboard
        self._viewers = viewers
        self._wanted = Wanted({}, audio=False)
        self._said_at = now

    def includes(self, rung: str) -> bool:
        """Tell whether a rung is wanted as far as others know."""
        return rung in self._wanted.rungs

    def get_timer(self) -> float | None:
        """Return when to ask `next_event` even if nothing has changed."""
        return self._said_at + _REPEAT_S if self._viewers else None

    def next_event(self, now: float) -> Wanted | None:
        """Return what is wanted now, if that is to be said."""
        is_due = bool(self._viewers) and now - self._said_at >= _REPEAT_S
        if not (self.is_stale or self._switchboard.placement.has_changed or is_due):
            return None
        self.is_stale = self._switchboard.placement.has_changed = False
        wanted = self._count()
        if wanted == self._wanted and not is_due:
            return None
        for name in self._wanted.rungs.keys() - wanted.rungs.keys():
            self._switchboard.ladder.forget(name)
        self._wanted = wanted
        self._said_at = now
        return wanted

    def _count(self) -> Wanted:
        counts: Counter[str] = Counter()
        for viewer in self._viewers:
            place, flow = viewer.place, viewer.place.flow
            if place.mode in (Mode.ABSENT, Mode.WAITING) and place.hold is None:
                flow = None
            if flow is not None:
                counts[flow.name] += 1
            for goal in place.goals:
                if goal is not flow:
                    counts[goal.name] += 1
        audio = any(viewer.audio_choice is not None for viewer in self._viewers)
        return Wanted(dict(counts), audio=audio)
