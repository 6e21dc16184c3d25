"""How a task is ended."""

from __future__ import annotations

import asyncio
from typing import Any

AGAIN_S = 1.0
"""Between two times that it is told."""


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it has ended, however it does.

    One cancellation may be lost: what waits in `asyncio.wait_for` or for a database whose answer arrives at the same
    instant goes on as if nothing had been said.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_S)
