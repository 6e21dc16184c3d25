"""When to ask the sender for a keyframe."""

from __future__ import annotations

INTERVAL_S = 2.0
"""Between keyframes: an HLS segment has to begin with one, and browsers make none unasked."""

FIRST_WAIT_S = 0.4
"""For the first keyframe, which encoders make by themselves. The packets of one take a while on a narrow line."""

RETRY_S = 0.35
"""Chromium makes no two keyframes within 0.3 s; a request, or the keyframe, may have got lost."""

MAX_ANSWER_S = 1.0
"""A keyframe that comes so soon after a request is the answer to it."""


class KeyframeRequests:
    """Asks when a picture was lost, and regularly."""

    def __init__(self) -> None:
        self._due_at: float | None = None
        self._asked_at: float | None = None
        self._is_needed = False

    def start(self, now: float) -> None:
        """Learn that pictures begin to come."""
        if self._due_at is None:
            self._due_at = now + FIRST_WAIT_S
            self._is_needed = True

    def need(self, now: float) -> None:
        """Learn that nothing can be shown before the next keyframe: it is asked for at once, and again."""
        self._is_needed = True
        at = now if self._asked_at is None else max(now, self._asked_at + RETRY_S)
        self._due_at = at if self._due_at is None else min(self._due_at, at)

    def note_keyframe(self, now: float) -> None:
        """Learn that one has come. The next is wanted `INTERVAL_S` after what made the sender make this one."""
        was_asked = self._asked_at is not None and now - self._asked_at < MAX_ANSWER_S
        origin = self._asked_at if was_asked and self._asked_at is not None else now
        self._is_needed = False
        self._due_at = origin + INTERVAL_S

    def take(self, now: float) -> bool:
        """Tell whether one is to be asked for now; who is told so does it."""
        if self._due_at is None or now < self._due_at:
            return False
        self._asked_at = now
        self._due_at = now + (RETRY_S if self._is_needed else INTERVAL_S)
        return True

    def get_timer(self) -> float | None:
        """Say when to ask next; None before the first picture."""
        return self._due_at
