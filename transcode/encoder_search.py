"""Which encoders work on this machine, asked of a spare worker, so that a bad driver never meets the server.

One that crashes ends its worker, one that hangs has it ended by the heartbeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from media.error import TranscodeError
from transcode.message import EncoderTried, Message, TryEncoder
from transcode.pool import WorkerPool

MAX_TRIAL_TICKS = 20
"""10 s for one trial (`process.TICK_S`): graphics cards that sleep take seconds to wake, and a start may find the
machine busy. A driver that hangs makes the start so much later."""

log = structlog.get_logger(__name__)


async def find_faults(pool: WorkerPool, names: Sequence[str]) -> Mapping[str, str]:
    """Try encoders one after the other, in one worker as long as it lives.

    Returns:
        What is wrong with each; nothing, when it works.

    Raises:
        TranscodeError: no worker could be started.
    """
    faults: dict[str, str] = {}
    while len(faults) < len(names):
        faults |= await _Trial(names[len(faults) :]).run(pool)
    return faults


async def find_hardware(pool: WorkerPool, names: Sequence[str]) -> None:
    """Let a pool's workers use the hardware that works, of those named."""
    if not names:
        return
    try:
        faults = await find_faults(pool, names)
    except TranscodeError as error:
        log.warning("hardware encoders could not be tried", reason=str(error))
        return
    pool.encoders = tuple(name for name, fault in faults.items() if not fault)
    log.info("hardware encoders", usable=list(pool.encoders), without={n: f for n, f in faults.items() if f})


class _Trial:
    """One worker at work on some encoders. Implements `transcode.process.Receiver`."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._verdict: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self, pool: WorkerPool) -> Mapping[str, str]:
        """Take a worker and try as many as it survives; at least one."""
        faults: dict[str, str] = {}
        worker = await pool.take()
        try:
            worker.attach(self, MAX_TRIAL_TICKS)
            for name in self._names:
                self._verdict = asyncio.get_running_loop().create_future()
                worker.send(TryEncoder(name))
                faults[name] = await self._verdict
                if not worker.is_usable:
                    break
        finally:
            pool.release(worker, at_once=True)
        return faults

    def on_message(self, message: Message) -> None:
        """Take a verdict."""
        if isinstance(message, EncoderTried):
            self._decide(message.fault)

    def on_lost(self, reason: str) -> None:
        """Blame the encoder: its driver has ended the worker, or keeps it busy."""
        self._decide(f"its driver fails: {reason}")

    def _decide(self, fault: str) -> None:
        if not self._verdict.done():
            self._verdict.set_result(fault)
