"""What comes at the same time is written together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from control_api import batch
from control_api.batch import Batcher
from media.error import CapacityError


class Paper:
    """Takes batches of numbers, doubles them, and waits for `gate` before each answer."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Semaphore(0)
        self.begun = asyncio.Semaphore(0)
        self.error: Exception | None = None

    async def write(self, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        self.begun.release()
        await self.gate.acquire()
        if self.error is not None:
            raise self.error
        return [2 * item for item in items]


def adding(batcher: Batcher[int, int], *items: int) -> list[asyncio.Task[int]]:
    return [asyncio.create_task(batcher.add(item)) for item in items]


async def test_what_comes_during_a_write_goes_into_the_next_one() -> None:
    paper = Paper()
    batcher = Batcher(paper.write)
    first = adding(batcher, 1)
    await paper.begun.acquire()
    others = adding(batcher, 2, 3, 4)
    paper.gate.release()
    assert await asyncio.gather(*first) == [2]
    await paper.begun.acquire()
    paper.gate.release()
    assert await asyncio.gather(*others) == [4, 6, 8]
    paper.gate.release()
    assert await batcher.add(5) == 10
    assert paper.batches == [[1], [2, 3, 4], [5]]


async def test_one_alone_waits_for_nobody() -> None:
    paper = Paper()
    paper.gate.release()
    assert await Batcher(paper.write).add(1) == 2


async def test_an_error_reaches_everybody_of_its_batch_and_nobody_else() -> None:
    paper = Paper()
    batcher = Batcher(paper.write)
    first = adding(batcher, 1, 2)
    await paper.begun.acquire()
    second = adding(batcher, 3)
    await asyncio.sleep(0)  # it is in the queue
    paper.error = CapacityError("away")
    paper.gate.release()
    assert await asyncio.gather(*first, return_exceptions=True) == [paper.error, paper.error]
    await paper.begun.acquire()
    paper.error = None
    paper.gate.release()
    assert await asyncio.gather(*second) == [6]
    assert paper.batches == [[1, 2], [3]]


async def test_results_that_do_not_match_the_items_are_an_error() -> None:
    async def write(items: Sequence[int]) -> Sequence[int]:
        return []

    with pytest.raises(ValueError, match="zip"):
        await asyncio.wait_for(Batcher(write).add(1), 5)


async def test_who_gives_up_hurts_nobody() -> None:
    paper = Paper()
    batcher = Batcher(paper.write)
    first = adding(batcher, 1, 2)
    await paper.begun.acquire()
    second = adding(batcher, 3, 4)
    await asyncio.sleep(0)  # they are in the queue
    first[0].cancel()  # is being written
    second[0].cancel()  # is not
    paper.gate.release()
    assert await first[1] == 4
    await paper.begun.acquire()
    paper.gate.release()
    assert await second[1] == 8
    assert paper.batches == [[1, 2], [4]]
    assert first[0].cancelled()
    assert second[0].cancelled()


async def test_a_batch_of_which_everybody_gave_up_is_not_written() -> None:
    paper = Paper()
    batcher = Batcher(paper.write)
    first = adding(batcher, 1)
    await paper.begun.acquire()
    (second,) = adding(batcher, 2)
    await asyncio.sleep(0)  # it is in the queue
    second.cancel()
    await asyncio.wait([second])
    paper.gate.release()
    await asyncio.gather(*first)
    await batcher.drain()
    assert paper.batches == [[1]]


async def test_batches_are_bounded_and_keep_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MAX_BATCH", 3)
    paper = Paper()
    batcher = Batcher(paper.write)
    for _ in range(4):
        paper.gate.release()
    assert await asyncio.gather(*adding(batcher, *range(10))) == [2 * n for n in range(10)]
    assert paper.batches == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


async def test_too_many_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MAX_WAITING", 2)
    paper = Paper()
    batcher = Batcher(paper.write)
    first = adding(batcher, 1)
    await paper.begun.acquire()
    second = adding(batcher, 2, 3)
    await asyncio.sleep(0)  # they are in the queue
    with pytest.raises(CapacityError):
        await batcher.add(4)
    for _ in range(2):
        paper.gate.release()
    assert await asyncio.gather(*first, *second) == [2, 4, 6]


async def test_draining_waits_for_all_batches() -> None:
    paper = Paper()
    batcher = Batcher(paper.write)
    await batcher.drain()
    added = adding(batcher, 1)
    await paper.begun.acquire()
    added += adding(batcher, 2)
    draining = asyncio.create_task(batcher.drain())
    for _ in range(2):
        paper.gate.release()
    await asyncio.wait_for(draining, 5)
    assert [task.result() for task in added] == [2, 4]
