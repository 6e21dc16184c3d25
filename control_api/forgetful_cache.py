"""Answers that are remembered for a while and that can be forgotten: what this server changes is read anew at once."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, Generic, TypeVar

from cachetools import TTLCache

from control_api.joined_cache import JoinedCache

QUESTION_S = 60.0
"""Longer than any question is under way, and any answer good."""

Answer = TypeVar("Answer")


class ForgetfulCache(Generic[Answer]):
    """A `JoinedCache` of which single answers can be forgotten, those that are still being asked for too.

    Args:
        max_entries: so many answers are kept.
        ttl_s: how long an answer is good; less than `QUESTION_S`.
        clock: monotonic time in seconds.
    """

    def __init__(self, max_entries: int, ttl_s: float, clock: Callable[[], float]) -> None:
        self._answers: JoinedCache[tuple[str, int], Answer] = JoinedCache(max_entries, ttl_s, clock)
        self._numbers = count(1)
        self._changes: TTLCache[str, int] = TTLCache(max_entries, QUESTION_S, timer=clock)
        """The number of the last change of a key. It is part of what is remembered, so what was asked for before a
        change is found no more."""

    async def get(self, key: str, ask: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """Answer from memory, with the question that is already asked, or by asking; as `JoinedCache.get`."""
        return await self._answers.get((key, self._changes.get(key, 0)), ask)

    def forget(self, key: str) -> None:
        """Ask anew the next time."""
        self._changes[key] = next(self._numbers)
