"""A WebRTC process: one UDP port with everything that is behind it. `python -m webrtc.worker FD`."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
import time
from collections import Counter

import uvloop

from media.error import CapacityError, MediaServerError, PeerError, StreamError, os_reason
from webrtc.endpoint import Endpoint
from webrtc.link import Link
from webrtc.message import (
    Accept,
    Call,
    Choose,
    Counters,
    Listen,
    Listening,
    Message,
    Offer,
    Publish,
    Refused,
    Reply,
    Restart,
)
from webrtc.publishing import Publishing
from webrtc.rtp.fanout import make_fanout
from webrtc.sdp.description import Candidate
from webrtc.transport.address import local_addresses
from webrtc.transport.certificate import Certificate
from webrtc.transport.udp import UdpPort
from webrtc.viewing import Viewing

TICK_S = 0.005
"""How often time is looked at. Pieces of paced keyframes are that far apart at the least."""

IDLE_TICK_S = 0.25
"""While there are no sessions."""

COUNT_S = 1.0
GC_THRESHOLDS = (50_000, 20, 20)
"""Packets and their frames come and go without cycles: the collector has little to find, and stops everybody."""

log = logging.getLogger(__name__)


class WorkerProcess:
    """Joins the socket to the server with the UDP port.

    Args:
        sock: to the server.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.ended = asyncio.Event()
        self._link = Link(sock, self._receive, self._end)
        self._loop = asyncio.get_running_loop()
        self._port: UdpPort | None = None
        self._viewing: Viewing | None = None
        self._publishing: Publishing | None = None
        self._opening: asyncio.Task[None] | None = None
        self._counted_at = 0.0
        self._ticker: asyncio.TimerHandle | None = None

    def _end(self, reason: str) -> None:
        log.debug("the WebRTC process ends: %s", reason)
        self.ended.set()

    def _receive(self, message: Message) -> None:
        if isinstance(message, Listen):
            self._opening = asyncio.create_task(self._open(message))
        elif self._viewing is not None and self._publishing is not None:
            now = time.monotonic()
            match message:
                case Offer(call) | Accept(call) | Choose(call) | Publish(call) | Restart(call):
                    self._answer(call, message, now)
                case _:
                    self._viewing.handle(message, now)
                    self._publishing.handle(message)

    def _answer(self, call: int, message: Call, now: float) -> None:
        try:
            self._link.send(self._reply(message, now))
        except PeerError as error:
            self._link.send(Refused(call, "peer", str(error)))
        except CapacityError as error:
            self._link.send(Refused(call, "capacity", error.detail))
        except StreamError as error:
            self._link.send(Refused(call, error.code, error.detail))
        except Exception:
            log.exception("a call failed")
            self._link.send(Refused(call, "capacity", "WebRTC failed on this; it has been logged."))
        if self._ticker is not None:
            self._ticker.cancel()  # it may have been idle until now
        self._tick()

    def _reply(self, message: Call, now: float) -> Reply:
        assert self._viewing is not None  # noqa: S101 - the caller has looked
        assert self._publishing is not None  # noqa: S101 - likewise
        match message:
            case Offer():
                return self._viewing.offer(message, now)
            case Accept():
                return self._viewing.accept(message, now)
            case Choose():
                return self._viewing.choose(message, now)
            case Publish():
                return self._publishing.publish(message, now)
            case Restart(_, session):
                room = self._publishing if self._publishing.has(session) else self._viewing
                return room.restart(message)

    async def _open(self, listen: Listen) -> None:
        try:
            port = await UdpPort.open(listen.host, listen.port)
        except OSError as error:
            self._link.send(Listening(0, fault=os_reason(error)))
            return
        addresses = listen.addresses or tuple(local_addresses(port.socket.getsockname()[0]))
        candidates = tuple(Candidate(address, port.port) for address in addresses)
        endpoint = Endpoint(port, Certificate.generate(), candidates, time.monotonic)
        fanout = make_fanout(port.socket)
        self._port = port
        self._viewing = Viewing(endpoint, fanout, self._link.send)
        self._publishing = Publishing(endpoint, fanout, self._link)
        self._link.send(Listening(port.port, addresses, is_native=fanout.is_native))
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        self._tick()

    def _tick(self) -> None:
        if self.ended.is_set() or self._port is None or self._viewing is None or self._publishing is None:
            return
        now = time.monotonic()
        try:
            self._port.run_timers(now)
            self._viewing.handle_timer(now)
            self._publishing.handle_timer(now)
        except MediaServerError:
            log.exception("the WebRTC process goes on")
        if now - self._counted_at >= COUNT_S:
            self._counted_at = now
            self._link.send(Counters(dict(self._count())))
        is_idle = self._viewing.is_idle and self._publishing.is_idle
        self._ticker = self._loop.call_later(IDLE_TICK_S if is_idle else TICK_S, self._tick)

    def _count(self) -> Counter[str]:
        assert self._port is not None  # noqa: S101 - `_tick` has looked
        assert self._viewing is not None  # noqa: S101 - likewise
        assert self._publishing is not None  # noqa: S101 - likewise
        total: Counter[str] = Counter({f"udp_{name}": value for name, value in self._port.counters.items()})
        total.update(self._viewing.counters)
        total.update(self._publishing.counters)
        return total

    def close(self) -> None:
        """Tell all peers that it is over, and end."""
        now = time.monotonic()
        if self._viewing is not None and self._publishing is not None and self._port is not None:
            self._viewing.close(now)
            self._publishing.close()
            self._port.close()
        self._link.close()
        self.ended.set()


async def _work(fd: int) -> None:
    process = WorkerProcess(socket.socket(fileno=fd))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, process.ended.set)
    await process.ended.wait()
    process.close()


def main() -> None:
    """Run until the server closes the socket."""
    logging.basicConfig(format="webrtc worker: %(message)s", level=logging.WARNING)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(int(sys.argv[1])))


if __name__ == "__main__":
    main()
