"""Tasks end, also those that lose a cancellation."""

from __future__ import annotations

import asyncio

import pytest

from media import ending


async def test_a_task_ends_that_loses_its_first_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "AGAIN_S", 0.01)
    told = 0

    async def work() -> None:
        nonlocal told
        while told < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told += 1

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await ending.end_task(task)
    assert told == 2
    assert task.done()


async def test_what_a_task_fails_with_is_not_raised() -> None:
    async def fail() -> None:
        raise ValueError

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await ending.end_task(task)
    assert isinstance(task.exception(), ValueError)
