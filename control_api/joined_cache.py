"""Answers that are remembered for a while, and asked for once however many want them at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from cachetools import TTLCache

from media.error import CapacityError

MAX_OPEN = 1000
"""Questions asked at once; more only pile up in front of whoever answers."""

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Joined(Generic[Key, Answer]):
    """Asks a question once however many want the answer at the same time; remembers nothing."""

    def __init__(self) -> None:
        self._open: dict[Key, asyncio.Task[Answer]] = {}

    def __len__(self) -> int:
        """Count the questions that are being asked."""
        return len(self._open)

    def __contains__(self, key: Key) -> bool:
        """Tell whether a question is being asked."""
        return key in self._open

    async def get(self, key: Key, ask: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """Answer with the question that is already asked, or by asking.

        The question outlives whoever gave up waiting for it: others may wait.

        Args:
            key: what the answer is about.
            ask: gets the answer.

        Raises:
            Exception: what `ask` raises, for everybody who waits.
        """
        return await asyncio.shield(self._open.get(key) or self._start(key, ask))

    async def drain(self) -> None:
        """Wait until no question is open."""
        while self._open:
            await asyncio.wait([*self._open.values()])

    def _start(self, key: Key, ask: Callable[[], Coroutine[Any, Any, Answer]]) -> asyncio.Task[Answer]:
        def close(task: asyncio.Task[Answer]) -> None:
            self._open.pop(key, None)
            if not task.cancelled():
                task.exception()  # is seen, although everybody may have given up waiting

        # Not a `finally` in the task: one that is cancelled before its first step has none.
        task = asyncio.create_task(ask())
        self._open[key] = task
        task.add_done_callback(close)
        return task


class JoinedCache(Generic[Key, Answer]):
    """Remembers answers, not errors. An answer is never None.

    Args:
        max_entries: so many answers are kept; those that were not read for the longest time make room.
        ttl_s: how long an answer is good.
        clock: monotonic time in seconds.
    """

    def __init__(self, max_entries: int, ttl_s: float, clock: Callable[[], float]) -> None:
        self._answers: TTLCache[Key, Answer] = TTLCache(max_entries, ttl_s, timer=clock)
        self._joined: Joined[Key, Answer] = Joined()

    def __len__(self) -> int:
        """Count the answers that are remembered."""
        return len(self._answers)

    async def get(
        self, key: Key, ask: Callable[[], Coroutine[Any, Any, Answer]], *, fresh: bool = False
    ) -> Answer:
        """Answer from memory, with the question that is already asked, or by asking.

        The question outlives whoever gave up waiting for it: others may wait, and the answer is remembered.

        Args:
            key: what the answer is about.
            ask: gets the answer.
            fresh: whether a remembered answer will not do; a question that is being asked does.

        Raises:
            CapacityError: too many questions are open.
            Exception: what `ask` raises, for everybody who waits.
        """
        known = None if fresh else self._answers.get(key)
        if known is not None:
            return known
        if len(self._joined) >= MAX_OPEN and key not in self._joined:
            raise CapacityError("Too many requests are waiting for the same service.", retry_after_s=1)
        return await self._joined.get(key, lambda: self._ask(key, ask))

    async def drain(self) -> None:
        """Wait until no question is open."""
        await self._joined.drain()

    async def _ask(self, key: Key, ask: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        answer = await ask()
        self._answers[key] = answer
        return answer
