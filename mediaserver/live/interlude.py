"""What happens while a broadcast has no source: after a moment a slate is made, and shown until a source is back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

import structlog

from media.error import TranscodeError
from media.packet import CLOCK_HZ
from transcode.slate import SlateRequest, SlateRung, make_slate
from transcode.supervisor import WorkerPool

log = structlog.get_logger(__name__)

SETTLE_S = 0.5
"""A source that changes hands or jumps is back within this: no slate is made for it."""

MAX_MAKING = 2
"""Slates that are made at once: when an uplink fails all broadcasts lose their sources, and each slate takes most of a
second of a core."""

MAKING_S = 10.0
"""How long a slate may take to make; the machine is busy then, and players go on waiting."""


class Screen(Protocol):
    """The broadcast, as an interlude uses it."""

    def slate_request(self) -> SlateRequest | None:
        """Say what a slate has to be made of; None when there is no picture to make."""

    def begin_slate(self, slate: Mapping[str, SlateRung]) -> int:
        """Show a slate from now on; returns how long each picture lasts, in ticks."""

    def show_slate(self, elapsed: int) -> None:
        """Show what is due `elapsed` ticks after the begin."""


class Interlude:
    """Runs the slate of one broadcast.

    Args:
        pool: a spare worker of it makes the slate.
        making: bounds how many are made at once (`MAX_MAKING`).
        after_s: how long players wait before it is shown.
    """

    def __init__(self, pool: WorkerPool, making: asyncio.Semaphore, after_s: float) -> None:
        self._pool = pool
        self._making = making
        self._after_s = after_s
        self._task: asyncio.Task[None] | None = None

    def begin(self, screen: Screen, silent_s: float) -> None:
        """Take note that the source is gone; `silent_s` have passed since its last packet."""
        self.end()
        self._task = asyncio.create_task(self._run(screen, silent_s))

    def end(self) -> None:
        """Take note that a source is back, or that the broadcast is over."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self, screen: Screen, silent_s: float) -> None:
        try:
            await self._show(screen, silent_s)
        except TranscodeError as error:
            log.warning("no slate is shown", reason=str(error))
        except Exception:
            log.exception("the slate failed")

    async def _show(self, screen: Screen, silent_s: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + max(SETTLE_S, self._after_s - silent_s)
        await asyncio.sleep(min(SETTLE_S, self._after_s))
        request = screen.slate_request()
        slate = await self._make(request) if request is not None else {}
        await asyncio.sleep(max(0.0, due - loop.time()))
        frame_s = screen.begin_slate(slate) / CLOCK_HZ
        began = loop.time()
        while True:
            elapsed_s = loop.time() - began
            screen.show_slate(int(elapsed_s * CLOCK_HZ))
            await asyncio.sleep(frame_s - elapsed_s % frame_s)

    async def _make(self, request: SlateRequest) -> Mapping[str, SlateRung]:
        async with self._making:
            return await make_slate(self._pool, request, MAKING_S)
