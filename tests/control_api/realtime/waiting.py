"""Waiting for what happens soon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; the limit is for what never happens."""
    async with asyncio.timeout(15):
        while not is_so():  # noqa: ASYNC110 there is nothing to wait for
            await asyncio.sleep(0.005)
