"""Slow mode: between two comments of one user in one stream some time has to pass."""

from __future__ import annotations

from cachetools import LRUCache

MAX_USERS = 100_000
"""Whose last comment is remembered, some 300 bytes each."""


class SlowMode:
    """Remembers who has written when. Of this server only: another one counts for itself."""

    def __init__(self) -> None:
        self._last: LRUCache[tuple[str, str], float] = LRUCache(MAX_USERS)

    def take(self, stream_id: str, user_id: str, every_s: float, now: float) -> float:
        """Take a user's turn to write.

        Args:
            stream_id: where.
            user_id: who.
            every_s: between two comments.
            now: seconds, never stepping back.

        Returns:
            How long the user has to wait; 0 when the turn is theirs, and then it is taken.
        """
        key = (stream_id, user_id)
        last = self._last.get(key)
        if last is not None and now - last < every_s:
            return last + every_s - now
        self._last[key] = now
        return 0

    def give_back(self, stream_id: str, user_id: str) -> None:
        """Give a user's last turn back: the one before has passed, else there had been no other."""
        self._last.pop((stream_id, user_id), None)
