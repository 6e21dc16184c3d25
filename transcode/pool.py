"""Worker processes that are ready before anybody needs them: a warm one encodes in 25 ms, a cold one in 150."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import structlog

from media.error import LocalStateError, TranscodeError
from transcode.message import UseEncoders
from transcode.process import WorkerProcess

log = structlog.get_logger(__name__)

REFILL_DELAY_S = 0.5
"""A worker that was just taken has a GOP to catch up with: the next spare must not compete with it."""

RETRY_DELAY_S = 5.0
"""After a spare could not be started."""


class WorkerPool:
    """Keeps warm spares and ends the workers that come back.

    Args:
        warm: how many spares to keep.
    """

    def __init__(self, warm: int = 1) -> None:
        self._warm = warm
        self.encoders: tuple[str, ...] = ()
        """Hardware that works here, which workers use from then on; see `encoder_search`."""
        self._spares: list[WorkerProcess] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._refill: asyncio.Task[None] | None = None
        self._is_closed = False

    async def start(self) -> None:
        """Start the spares in the background; `take` does not wait for them."""
        self._start_refill(0)

    async def take(self) -> WorkerProcess:
        """Hand out a worker, a warm one when there is one.

        Raises:
            TranscodeError: none could be started.
        """
        if self._is_closed:
            raise LocalStateError("the pool of workers is closed")
        while self._spares:
            worker = self._spares.pop()
            if await self._responds(worker):
                return self._prepared(worker)
            self._end(worker.kill())
        return self._prepared(await WorkerProcess.spawn())

    def _prepared(self, worker: WorkerProcess) -> WorkerProcess:
        self._start_refill(REFILL_DELAY_S)
        if self.encoders:
            worker.send(UseEncoders(self.encoders))
        return worker

    async def _responds(self, worker: WorkerProcess) -> bool:
        try:
            return worker.is_usable and await worker.responds()
        except BaseException:
            self._end(worker.kill())  # cancelled: nobody has it now
            raise

    def release(self, worker: WorkerProcess, *, at_once: bool = False) -> None:
        """End a worker in the background; `at_once` for one that no longer responds."""
        worker.detach()
        self._end(worker.kill() if at_once else worker.stop())

    async def close(self) -> None:
        """End all spares and wait for every process that this pool ends."""
        self._is_closed = True
        if self._refill is not None:
            self._refill.cancel()
            await asyncio.gather(self._refill, return_exceptions=True)
        for worker in self._spares:
            self._end(worker.stop())
        self._spares.clear()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _end(self, ending: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(ending)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _start_refill(self, delay_s: float) -> None:
        if not self._is_closed and (self._refill is None or self._refill.done()):
            self._refill = asyncio.create_task(self._fill(delay_s))

    async def _fill(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        while len(self._spares) < self._warm:
            try:
                self._spares.append(await WorkerProcess.spawn())
            except TranscodeError as error:
                log.error("no spare worker", reason=str(error), retry_s=RETRY_DELAY_S)
                await asyncio.sleep(RETRY_DELAY_S)
