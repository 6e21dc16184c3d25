"""Work that comes back: when it is poked, and now and then by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import structlog

from media.ending import end_task
from media.error import CapacityError, StreamError

logger = structlog.get_logger(__name__)


class Chore:
    """Does something again and again while the block runs; what goes wrong once is logged and tried the next time.

    Args:
        name: for the log.
        work: does what there is to do; returns whether there may be more to do at once.
        interval_s: between two looks when nobody pokes.
    """

    def __init__(self, name: str, work: Callable[[], Awaitable[bool]], interval_s: float) -> None:
        self._name = name
        self._work = work
        self._interval_s = interval_s
        self._poked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def poke(self) -> None:
        """Say that there is something to do."""
        self._poked.set()

    async def __aenter__(self) -> Self:
        """Begin, with a first look at once."""
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, in the middle of it if need be."""
        if self._task is not None:
            await end_task(self._task)

    async def _run(self) -> None:
        while True:
            self._poked.clear()
            if not await self._try():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._poked.wait(), self._interval_s)

    async def _try(self) -> bool:
        try:
            return await self._work()
        except (CapacityError, StreamError) as error:
            logger.info("chore_postponed", chore=self._name, reason=error.detail)
        except Exception:
            logger.exception("chore_failed", chore=self._name)
        return False
