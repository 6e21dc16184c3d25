"""Asks for keyframes: one for all who need one, and never many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .event import KeyframeWanted

INTERVAL_S = 1.0
"""Between two requests for the same rung: keyframes cost all of its viewers quality or bitrate."""


@dataclass(slots=True)
class _Request:
    after_pts: int
    due_at: float


class KeyframeRequests:
    """A channel's. A request that is answered by a keyframe that came by itself is never made."""

    def __init__(self) -> None:
        self._open: dict[str, _Request] = {}
        self._asked_at: dict[str, float] = {}

    def ask(self, rung: str, after_pts: int, now: float, *, wait_s: float = 0.0) -> None:
        """Have a keyframe behind `after_pts` made; not before `wait_s` have passed without one."""
        due_at = max(now + wait_s, self._asked_at.get(rung, -INTERVAL_S) + INTERVAL_S)
        request = self._open.get(rung)
        if request is None:
            self._open[rung] = _Request(after_pts, due_at)
        else:
            request.after_pts = max(request.after_pts, after_pts)
            request.due_at = min(request.due_at, due_at)

    def pause_s(self, rung: str, now: float) -> float:
        """Return for how long nothing can be asked of a rung, since it was asked just now."""
        return max(0.0, self._asked_at.get(rung, now - INTERVAL_S) + INTERVAL_S - now)

    def note_keyframe(self, rung: str, pts: int) -> None:
        """Learn that a keyframe came."""
        request = self._open.get(rung)
        if request is not None and pts > request.after_pts:
            del self._open[rung]

    def forget(self, rung: str) -> None:
        """Ask no more: nobody waits, or the rung is gone."""
        self._open.pop(rung, None)

    def take_due(self, now: float) -> Iterable[KeyframeWanted]:
        """Return what is to be asked for now."""
        due = [name for name, request in self._open.items() if request.due_at <= now]
        for name in due:
            self._asked_at[name] = now
        return [KeyframeWanted(name, self._open.pop(name).after_pts) for name in due]

    def get_timer(self) -> float | None:
        """Return when `take_due` has something."""
        return min((request.due_at for request in self._open.values()), default=None)


class Patience:
    """How often one viewer is listened to who says that his picture is lost: not so that all others suffer."""

    def __init__(self, now: float) -> None:
        self._left = 5.0
        self._at = now

    def allows(self, now: float) -> bool:
        """Tell whether he may have a keyframe now: five at once, and one every four seconds."""
        self._left = min(5.0, self._left + (now - self._at) / 4)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
