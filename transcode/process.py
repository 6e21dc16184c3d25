"""One worker process as the server sees it: start, send, listen, heartbeat, stop."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Protocol, cast

import structlog

from media.child import start_child, stop_child
from media.error import TranscodeError
from transcode.message import Failed, Message, Ping, Ready
from transcode.wire import MessageReader, serialize

log = structlog.get_logger(__name__)

READY_TIMEOUT_S = 15.0
"""Importing the codecs takes 0.2 s, on a machine that is overloaded or cold many times that."""

TICK_S = 0.5
MAX_SILENT_TICKS = 6
"""3 s without a word while a ping waits for its answer. Counted in ticks of our own: when this process itself stalls,
it is one late tick, and not the worker's silence."""

ECHO_TIMEOUT_S = 1.0
"""An idle worker answers within a millisecond, on a machine that is overloaded a hundred times that."""

# Pictures of 0.1 to 12 MB come and go 25 times a second: glibc must neither map each one anew (2 % of the CPU) nor
# keep an arena for every thread.
_ALLOCATOR = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}

WORKER_MODULE = "transcode.worker"
"""What a process runs."""


class Receiver(Protocol):
    """Whoever works with the process."""

    def on_message(self, message: Message) -> None:
        """Take a message of the worker."""

    def on_lost(self, reason: str) -> None:
        """Learn that the process has died, hung or broken the protocol; called once, never after `stop`."""


class WorkerProcess(asyncio.Protocol):
    """A running worker; made by `spawn`."""

    def __init__(self) -> None:
        self._reader = MessageReader()
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._receiver: Receiver | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._echo: asyncio.Future[None] | None = None
        self._silent_ticks = 0
        self._max_silent_ticks = MAX_SILENT_TICKS
        self._pings = 0
        self._answered = 0
        self._loss: str | None = None

    @classmethod
    async def spawn(cls) -> WorkerProcess:
        """Start a process and wait until its codecs are loaded.

        Raises:
            TranscodeError: it could not be started.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await start_child(WORKER_MODULE, theirs.fileno(), _ALLOCATOR)
        except BaseException as error:
            ours.close()
            if isinstance(error, OSError):
                raise TranscodeError(f"a worker process could not be started: {error}") from error
            raise
        worker = cls()
        worker._process = process
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: worker, sock=ours)
            await asyncio.wait_for(worker._ready, READY_TIMEOUT_S)
        except TimeoutError as error:
            await worker.kill()
            raise TranscodeError(f"a worker process was not ready within {READY_TIMEOUT_S:.0f} s") from error
        except BaseException:
            await worker.kill()
            raise
        return worker

    @property
    def pid(self) -> int:
        """Process id."""
        assert self._process is not None  # noqa: S101 - `spawn` sets it before anybody sees this
        return self._process.pid

    @property
    def is_usable(self) -> bool:
        """Whether nothing has gone wrong with it so far."""
        return self._loss is None

    async def responds(self) -> bool:
        """Ask it for a sign of life. A spare may have died a moment ago and nobody has noticed yet."""
        self._echo = asyncio.get_running_loop().create_future()
        self._pings += 1
        self.send(Ping(self._pings))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._echo, ECHO_TIMEOUT_S)
        return self._loss is None and self._answered == self._pings

    def attach(self, receiver: Receiver, silent_ticks: int | None = None) -> None:
        """Begin to work with it: messages and losses go to `receiver`, the heartbeat starts.

        Args:
            receiver: hears of it from now on.
            silent_ticks: after so many without a word it counts as hung, by default `MAX_SILENT_TICKS`.
        """
        self._receiver = receiver
        self._max_silent_ticks = silent_ticks or MAX_SILENT_TICKS
        self._schedule_tick()

    def detach(self) -> None:
        """Hear nothing of it any more; it still has to be ended."""
        self._receiver = None
        self._loss = self._loss or "detached"
        self._stop_timer()

    def send(self, message: Message) -> None:
        """Queue a message. The caller bounds what is on its way."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(serialize(message))

    async def stop(self) -> None:
        """End the process: it ends by itself when its socket closes; if not, SIGTERM, then SIGKILL."""
        self._close()
        assert self._process is not None  # noqa: S101 - as in `pid`
        await stop_child(self._process)

    async def kill(self) -> None:
        """End the process at once; a stopped or hung one hears nothing else."""
        self._close()
        assert self._process is not None  # noqa: S101 - as in `pid`
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        # A cast and no check: the transports of uvloop do not descend from asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Hand over the worker's messages."""
        self._silent_ticks = 0
        self._reader.receive_data(data)
        try:
            for message in self._reader.events():
                self._dispatch(message)
                if self._loss is not None:
                    return  # whoever worked with it has let go of it meanwhile
        except TranscodeError as error:
            self._lose(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        """Report that the process has closed its end."""
        self._lose(f"the worker process ended{f': {exc}' if exc else ''}")

    def _dispatch(self, message: Message) -> None:
        match message:
            case Ready():
                if not self._ready.done():
                    self._ready.set_result(None)
            case Ping(number):
                self._answered = number
                self._settle_echo()
            case Failed(reason):
                self._lose(reason)
            case _ if self._receiver is not None:
                self._receiver.on_message(message)

    def _schedule_tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        self._silent_ticks += 1
        if self._silent_ticks > self._max_silent_ticks:
            self._lose("the worker process does not respond")
            return
        if self._answered == self._pings:
            self._pings += 1
            self.send(Ping(self._pings))
        self._schedule_tick()

    def _lose(self, reason: str) -> None:
        if self._loss is not None:
            return
        self._loss = reason
        self._stop_timer()
        if not self._ready.done():
            self._ready.set_exception(TranscodeError(reason))
        self._settle_echo()
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.on_lost(reason)

    def _settle_echo(self) -> None:
        if self._echo is not None and not self._echo.done():
            self._echo.set_result(None)

    def _close(self) -> None:
        self.detach()
        self._ready.cancel()
        if self._transport is not None:
            self._transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
