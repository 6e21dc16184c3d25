"""How often somebody may do something: sliding windows, pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from math import ceil

from cachetools import LRUCache

from control_api.wait import TooEarlyError

MAX_KEYS = 100_000
"""Of one limit, some 400 bytes each. Whoever was silent for the longest time is forgotten first."""


class RateLimit:
    """Lets each key have so many turns in any window of time.

    Args:
        what: is counted, for the words of a refusal: "comments".
        limit: turns in a window.
        window_s: how long it is.
        max_keys: so many are remembered.
    """

    def __init__(self, what: str, limit: int, window_s: float, max_keys: int = MAX_KEYS) -> None:
        self._what = what
        self._limit = limit
        self._window_s = window_s
        self._turns: LRUCache[Hashable, tuple[float, ...]] = LRUCache(max_keys)

    def __len__(self) -> int:
        """Count the keys that are remembered."""
        return len(self._turns)

    @contextmanager
    def turn(self, key: Hashable, now: float) -> Iterator[None]:
        """Take a turn for what is done inside; it does not count when that fails.

        Args:
            key: whose turn.
            now: time in seconds that never steps back.

        Raises:
            TooEarlyError: `rate_limited`, all turns of this window are taken.
        """
        recent = tuple(at for at in self._turns.get(key, ()) if at > now - self._window_s)
        if len(recent) >= self._limit:
            wait_s = recent[0] + self._window_s - now
            words = (
                f"At most {self._limit} {self._what} in {self._window_s:g} s: try again in {ceil(wait_s)} s."
            )
            raise TooEarlyError("rate_limited", words, wait_s)
        self._turns[key] = (*recent, now)
        try:
            yield
        except BaseException:
            self._give_back(key, now)
            raise

    def _give_back(self, key: Hashable, at: float) -> None:
        turns = list(self._turns.get(key, ()))
        if at in turns:
            turns.remove(at)
        if turns:
            self._turns[key] = tuple(turns)
        else:
            self._turns.pop(key, None)
