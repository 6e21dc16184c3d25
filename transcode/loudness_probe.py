"""Measures the sound of all broadcasts in one worker, which hostile sound may kill without harm to anybody's video."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from media.error import TranscodeError
from media.packet import AudioTrack
from transcode.message import LoudnessMeasured, MeasureLoudness, Message
from transcode.pool import WorkerPool
from transcode.process import WorkerProcess

MAX_WAITING = 100
"""Pieces that wait: each takes 12 ms, so more means that the machine has no time for it now."""

MEASURE_TIMEOUT_S = 5.0

IDLE_S = 60.0
"""How long the worker is kept without work; it has 40 MB."""


class LoudnessProbe:
    """Takes pieces of sound, one after the other. Implements `transcode.process.Receiver`.

    Args:
        pool: where its worker comes from.
    """

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._worker: WorkerProcess | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._number = 0
        self._answer: asyncio.Future[LoudnessMeasured | TranscodeError] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def measure(self, track: AudioTrack, packets: Sequence[bytes]) -> LoudnessMeasured:
        """Measure packets that follow each other.

        Raises:
            TranscodeError: there is no worker, it died on this sound, or too many are waiting.
        """
        if self._waiting >= MAX_WAITING or self._is_closed:
            raise TranscodeError("the probe has no time for this piece of sound")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._ask(track, packets)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the worker; the pool waits for its end."""
        self._is_closed = True
        self._release()

    def on_message(self, message: Message) -> None:
        """Take a result."""
        if isinstance(message, LoudnessMeasured) and message.number == self._number:
            self._settle(message)

    def on_lost(self, reason: str) -> None:
        """Give up the piece that was being measured."""
        self._settle(TranscodeError(reason))
        self._release()

    async def _ask(self, track: AudioTrack, packets: Sequence[bytes]) -> LoudnessMeasured:
        worker = await self._ready_worker()
        self._number += 1
        self._answer = answer = asyncio.get_running_loop().create_future()
        worker.send(MeasureLoudness(self._number, track, tuple(packets)))
        try:
            async with asyncio.timeout(MEASURE_TIMEOUT_S):
                result: LoudnessMeasured | TranscodeError = await answer
        except TimeoutError:
            self._release()
            result = TranscodeError(f"not measured within {MEASURE_TIMEOUT_S:g} s")
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

    def _settle(self, result: LoudnessMeasured | TranscodeError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(result)

    def _stay(self) -> None:
        if self._is_closed:
            return
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._leave)

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
