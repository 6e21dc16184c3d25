"""Renderers in tests: what to ask them for, and a pool that counts."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any, cast

from media.packet import Packet, VideoTrack
from transcode.pool import WorkerPool
from transcode.process import WorkerProcess
from transcode.render import Priority, Rendered, Renderer, RenderRequest
from transcode.rung import RungSpec

from .source import FPS, STEP, spec

GOP = FPS
SMALL = spec("144p", 256, 144)
TINY = spec("240p", 160, 90)


def request(
    packets: list[Packet], rung: RungSpec = SMALL, *, source: str = "one", end: int | None = None
) -> RenderRequest:
    track = packets[0].track
    assert isinstance(track, VideoTrack)
    last = max(packet.pts for packet in packets) + STEP if end is None else end
    return RenderRequest(source, track, packets, rung, packets[0].pts, last)


async def render(renderer: Renderer, wanted: RenderRequest, order: int = 0) -> Rendered:
    return await asyncio.wait_for(renderer.render(wanted, priority=Priority.LIVE, order=order), 15)


def times(rendered: Rendered) -> list[int]:
    return [frame.pts for frame in rendered.frames]


class CountingPool(WorkerPool):
    """Takes workers from a pool and remembers them, and what they were sent.

    Args:
        pool: the real one.
        stops: workers do nothing until `go_on`.
    """

    def __init__(self, pool: WorkerPool, *, stops: bool = False) -> None:
        super().__init__(warm=0)
        self._real = pool
        self.stops = stops
        self.released = asyncio.Event()
        self.workers: list[WorkerProcess] = []
        self._sent: list[str] = []
        self._changed = asyncio.Event()

    async def take(self) -> WorkerProcess:
        worker = await self._real.take()
        send = worker.send

        def count(message: Any) -> None:
            self._sent.append(type(message).__name__)
            self._changed.set()
            send(message)

        cast("Any", worker).send = count
        self.workers.append(worker)
        if self.stops:
            os.kill(worker.pid, signal.SIGSTOP)
        return worker

    def go_on(self) -> None:
        self.stops = False
        for worker in self.workers:
            os.kill(worker.pid, signal.SIGCONT)

    def release(self, worker: WorkerProcess, *, at_once: bool = False) -> None:
        self.released.set()
        self._real.release(worker, at_once=at_once)

    def count(self, kind: str) -> int:
        return self._sent.count(kind)

    async def until_sent(self, kind: str) -> None:
        async with asyncio.timeout(15):
            while kind not in self._sent:
                self._changed.clear()
                await self._changed.wait()
