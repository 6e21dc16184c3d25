"""What is remembered, and what is forgotten when somebody changes it."""

from __future__ import annotations

import asyncio

import pytest

from control_api.forgetful_cache import QUESTION_S, ForgetfulCache

from .clock import Clock


class Source:
    """Answers with what is true when it is asked; the answer arrives when a test lets it."""

    def __init__(self) -> None:
        self.truth = "old"
        self.asked = 0
        self.is_asked = asyncio.Event()
        self.arrives = asyncio.Event()
        self.arrives.set()

    async def ask(self) -> str:
        self.asked += 1
        self.is_asked.set()
        answer = self.truth
        await self.arrives.wait()
        return answer


async def test_an_answer_is_remembered_for_its_time() -> None:
    clock, source = Clock(), Source()
    cache: ForgetfulCache[str] = ForgetfulCache(10, 1, clock)
    answers = [await cache.get("key", source.ask) for _ in range(3)]
    assert (answers, source.asked) == (["old"] * 3, 1)
    source.truth = "new"
    clock.now += 1.1
    assert await cache.get("key", source.ask) == "new"


async def test_what_is_forgotten_is_asked_anew_and_nothing_else() -> None:
    source, other = Source(), Source()
    cache: ForgetfulCache[str] = ForgetfulCache(10, 1, Clock())
    await cache.get("key", source.ask)
    await cache.get("other", other.ask)
    source.truth = "new"
    cache.forget("key")
    for _ in range(2):
        assert await cache.get("key", source.ask) == "new"
        assert await cache.get("other", other.ask) == "old"
    assert (source.asked, other.asked) == (2, 1)


async def test_an_answer_that_was_under_way_while_it_became_untrue_is_not_remembered() -> None:
    source = Source()
    cache: ForgetfulCache[str] = ForgetfulCache(10, 1, Clock())
    source.arrives.clear()
    early = asyncio.create_task(cache.get("key", source.ask))
    await source.is_asked.wait()
    source.truth = "new"
    cache.forget("key")
    late = asyncio.create_task(cache.get("key", source.ask))
    source.arrives.set()
    assert (await early, await late) == ("old", "new")
    assert await cache.get("key", source.ask) == "new"


@pytest.mark.parametrize("passed_s", [0.5, QUESTION_S + 1])
async def test_what_was_forgotten_stays_so(passed_s: float) -> None:
    """Also when the cache has forgotten that it did."""
    clock, source = Clock(), Source()
    cache: ForgetfulCache[str] = ForgetfulCache(10, 1, clock)
    await cache.get("key", source.ask)
    cache.forget("key")
    source.truth = "new"
    clock.now += passed_s
    assert await cache.get("key", source.ask) == "new"
