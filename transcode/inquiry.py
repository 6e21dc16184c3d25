"""Questions to one spare worker, one after the other, which hostile media may kill without harm to any broadcast."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from media.error import TranscodeError
from transcode.message import LoudnessMeasured, Message, PictureDrawn
from transcode.pool import WorkerPool
from transcode.process import WorkerProcess

Answer = TypeVar("Answer", LoudnessMeasured, PictureDrawn)


class Inquiry(Generic[Answer]):
    """Asks a worker, which it keeps for a while. Implements `transcode.process.Receiver`.

    Args:
        pool: where the worker comes from.
        kind: of the answers.
        max_waiting: questions that may wait.
        timeout_s: how long one may take.
        idle_s: how long the worker is kept without work.
    """

    def __init__(
        self, pool: WorkerPool, kind: type[Answer], *, max_waiting: int, timeout_s: float, idle_s: float
    ) -> None:
        self._pool = pool
        self._kind: type[Answer] = kind
        self._max_waiting = max_waiting
        self._timeout_s = timeout_s
        self._idle_s = idle_s
        self._worker: WorkerProcess | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._number = 0
        self._answer: asyncio.Future[Answer | TranscodeError] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def ask(self, question: Callable[[int], Message]) -> Answer:
        """Ask a question, which is made with its number.

        Raises:
            TranscodeError: there is no worker, it died on this media, or too many are waiting.
        """
        if self._waiting >= self._max_waiting or self._is_closed:
            raise TranscodeError("there is no time for this now")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._ask(question)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the worker; the pool waits for its end."""
        self._is_closed = True
        self._release()

    def on_message(self, message: Message) -> None:
        """Take an answer."""
        if isinstance(message, self._kind) and message.number == self._number:
            self._settle(message)

    def on_lost(self, reason: str) -> None:
        """Give up what was being worked on."""
        self._settle(TranscodeError(reason))
        self._release()

    async def _ask(self, question: Callable[[int], Message]) -> Answer:
        worker = await self._ready_worker()
        self._number += 1
        self._answer = answer = asyncio.get_running_loop().create_future()
        worker.send(question(self._number))
        try:
            async with asyncio.timeout(self._timeout_s):
                result: Answer | TranscodeError = await answer
        except TimeoutError:
            self._release()
            result = TranscodeError(f"not done within {self._timeout_s:g} s")
        finally:
            self._answer = None
            self._stay()
        if isinstance(result, TranscodeError):
            raise result
        return result

    async def _ready_worker(self) -> WorkerProcess:
        if self._worker is not None:
            return self._worker
        worker = await self._pool.take()
        if self._is_closed:
            self._pool.release(worker, at_once=True)
            raise TranscodeError("the server stops")
        worker.attach(self)
        self._worker = worker
        return worker

    def _settle(self, result: Answer | TranscodeError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(result)

    def _stay(self) -> None:
        if self._is_closed:
            return
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._leave)

    def _leave(self) -> None:
        if not self._waiting:
            self._release()

    def _release(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        worker, self._worker = self._worker, None
        if worker is not None:
            self._pool.release(worker, at_once=True)
