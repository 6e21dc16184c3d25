"""WebRTC processes as the server sees them: started, asked, watched, started anew when they die."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable
from contextlib import suppress

import structlog

from media.child import start_child, stop_child
from media.ending import end_task
from media.error import CapacityError, MediaServerError, PeerError, StreamError
from webrtc.link import Link
from webrtc.message import Call, Counters, Listen, Listening, Message, Refused, Reply

log = structlog.get_logger(__name__)

WORKER_MODULE = "webrtc.worker"
READY_TIMEOUT_S = 15.0
CALL_TIMEOUT_S = 5.0
"""A worker answers an offer within milliseconds; one that takes longer has far too much to do."""

SILENCE_S = 10.0
"""Each worker tells its counters once a second. One that is silent for so long hangs and is replaced."""

MIN_RESTART_S, MAX_RESTART_S = 0.2, 5.0
"""Between the death of a worker and the next one: viewers come back at once, a port that is taken stays so."""

_LOST = "the WebRTC process has ended"


class _NotListeningError(MediaServerError):
    """A process could not be brought up."""


class Worker:
    """Keeps one WebRTC process running.

    Args:
        listen: where it listens. A port that it has got once it gets again.
        on_message: takes what it says beside its replies.
        on_lost: learns that it has died, and with it all its sessions.
    """

    def __init__(
        self, listen: Listen, on_message: Callable[[Worker, Message], None], on_lost: Callable[[Worker], None]
    ) -> None:
        self.listen = listen
        self.counters: Counters = Counters({})
        self.restarts = 0
        self.fault = ""
        """Why it does not listen; empty while it does."""
        self._on_message = on_message
        self._on_lost = on_lost
        self._link: Link | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Future[Listening] | None = None
        self._calls: dict[int, asyncio.Future[Reply]] = {}
        self._numbers = itertools.count(1)
        self._died = asyncio.Event()
        self._is_listening = False
        self._heard_at = 0.0
        self._keeping: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it listens."""
        return self._is_listening

    @property
    def pid(self) -> int | None:
        """Its process id, None while there is none."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Keep it running from now on, until `close`. Without it viewers have HLS, so nobody waits for this."""
        self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """End it."""
        if self._keeping is not None:
            await end_task(self._keeping)
        await self._stop()

    def send(self, message: Message) -> None:
        """Tell it something, if it runs."""
        if self._link is not None:
            self._link.send(message)

    def send_media(self, data: bytes) -> bool:
        """Give it a serialized frame; False when it is too slow, or away."""
        return self._link is not None and self._link.send_media(data)

    async def call(self, make: Callable[[int], Call]) -> Reply:
        """Ask it something.

        Args:
            make: makes the message, with the number that the reply repeats.

        Raises:
            PeerError, StreamError, CapacityError: as the worker says, or it is away.
        """
        if not self.is_running:
            raise CapacityError("WebRTC starts anew. Try again in a moment.")
        number = next(self._numbers)
        future = self._calls[number] = asyncio.get_running_loop().create_future()
        try:
            self.send(make(number))
            return await asyncio.wait_for(future, CALL_TIMEOUT_S)
        except TimeoutError as error:
            raise CapacityError("WebRTC has too much to do. Try again in a moment.") from error
        finally:
            self._calls.pop(number, None)

    # Within.

    async def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        loop = asyncio.get_running_loop()
        self._listening = loop.create_future()
        self._died.clear()
        self._link = Link(ours, self._receive, self._lose)
        try:
            with theirs:
                self._process = await start_child(WORKER_MODULE, theirs.fileno(), {"MALLOC_ARENA_MAX": "2"})
            self._link.send(self.listen)
            listening = await asyncio.wait_for(self._listening, READY_TIMEOUT_S)
        except (OSError, TimeoutError) as error:
            await self._stop()
            raise _NotListeningError(str(error) or "the process took too long to start") from error
        except BaseException:
            await self._stop()
            raise
        if listening.fault:
            await self._stop()
            where = f"UDP port {self.listen.port} on {self.listen.host}"
            raise _NotListeningError(f"{where}: {listening.fault}")
        self.listen = Listen(self.listen.host, listening.port, self.listen.addresses)
        self._heard_at = loop.time()
        self._is_listening = True
        log.info(
            "webrtc listens",
            udp_port=listening.port,
            addresses=listening.addresses,
            native=listening.is_native,
        )

    async def _stop(self) -> None:
        self._is_listening = False
        link, self._link = self._link, None
        if link is not None:
            link.close()
        process, self._process = self._process, None
        if process is not None:
            await stop_child(process)
        self._refuse_calls()

    async def _keep(self) -> None:
        delay = MIN_RESTART_S
        while True:
            try:
                await self._start()
            except _NotListeningError as error:
                delay = min(2 * delay, MAX_RESTART_S)
                if self.fault != str(error):
                    log.error("no WebRTC, viewers get HLS", reason=str(error))
                self.fault = str(error)
            else:
                delay, self.fault = MIN_RESTART_S, ""
                await self._watch()
                await self._stop()
                self._on_lost(self)
                self.restarts += 1
            await asyncio.sleep(delay)

    async def _watch(self) -> None:
        """Return when the process has died, or hangs."""
        loop = asyncio.get_running_loop()
        while not self._died.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._died.wait(), SILENCE_S / 4)
            if loop.time() - self._heard_at > SILENCE_S:
                self._lose("the WebRTC process does not respond")

    def _receive(self, message: Message) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        match message:
            case Listening():
                if self._listening is not None and not self._listening.done():
                    self._listening.set_result(message)
            case Reply(call):
                if (future := self._calls.get(call)) is not None and not future.done():
                    future.set_result(message)
            case Refused(call):
                if (future := self._calls.get(call)) is not None and not future.done():
                    future.set_exception(_error(message))
            case Counters():
                self.counters = message
            case _:
                self._on_message(self, message)

    def _lose(self, reason: str) -> None:
        log.error("webrtc process lost, its viewers come back", reason=reason)
        self._died.set()
        self._is_listening = False
        if self._listening is not None and not self._listening.done():
            self._listening.set_exception(OSError(reason))
        self._refuse_calls()

    def _refuse_calls(self) -> None:
        for future in self._calls.values():
            if not future.done():
                future.set_exception(CapacityError(f"{_LOST}. Try again in a moment."))


def _error(refusal: Refused) -> PeerError | CapacityError | StreamError:
    match refusal.kind:
        case "peer":
            return PeerError(refusal.detail)
        case "capacity":
            return CapacityError(refusal.detail)
        case code:
            return StreamError(code, refusal.detail)
