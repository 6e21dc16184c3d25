"""A server that does not keep up holds encoders back until it does."""

from __future__ import annotations

import asyncio

from mediaserver.live.load import OVERLOAD_S, RELIEF_S, Load


async def test_encoders_wait_while_the_loop_is_late() -> None:
    load = Load()
    await load.has_room()
    load.judge(OVERLOAD_S)
    waiting = asyncio.create_task(load.has_room())
    await asyncio.sleep(0)
    load.judge(OVERLOAD_S / 2)
    await asyncio.sleep(0)
    assert not waiting.done(), "a little better is not enough"
    load.judge(RELIEF_S)
    await waiting


async def test_closing_lets_everyone_go() -> None:
    load = Load()
    load.start()
    load.judge(OVERLOAD_S)
    waiting = asyncio.create_task(load.has_room())
    await asyncio.sleep(0)
    load.close()
    await waiting


async def test_watches_the_loop_by_itself() -> None:
    load = Load()
    load.start()
    load.judge(OVERLOAD_S)
    await load.has_room()
    assert load.late_s <= RELIEF_S
    load.close()
