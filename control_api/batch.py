"""Writing together what comes at the same time: the busier it is, the fewer writes for each item."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from media.error import CapacityError

MAX_BATCH = 500
MAX_WAITING = 10_000
"""Items; more only make everybody wait for longer."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Place(NamedTuple, Generic[Item, Result]):
    item: Item
    result: asyncio.Future[Result]


class Batcher(Generic[Item, Result]):
    """Writes items in batches, one batch after the other, in the order in which they came.

    An item is written at once when nothing is being written. What comes meanwhile goes into the next batch together.

    Args:
        write: writes a batch and gives the result of each item, in their order.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]) -> None:
        self._write = write
        self._waiting: deque[_Place[Item, Result]] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> Result:
        """Write an item, together with others.

        Who gives up waiting hurts nobody else; the item is written unless its batch has not begun.

        Raises:
            CapacityError: too many items are waiting.
            Exception: what `write` raises, for everybody in the batch.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise CapacityError("Too many requests are waiting to be stored.", retry_after_s=1)
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Place(item, result))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        return await result

    async def drain(self) -> None:
        """Wait until nothing is left to write."""
        while self._writer is not None:
            await asyncio.wait([self._writer])

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                await self._write_some()
        finally:
            self._writer = None

    async def _write_some(self) -> None:
        taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH))]
        batch = [place for place in taken if not place.result.done()]
        if not batch:
            return
        try:
            results = await self._write([place.item for place in batch])
            answers = list(zip(batch, results, strict=True))
        except Exception as error:  # whoever waits for it answers for it
            for place in batch:
                if not place.result.done():
                    place.result.set_exception(error)
            return
        for place, result in answers:
            if not place.result.done():
                place.result.set_result(result)
