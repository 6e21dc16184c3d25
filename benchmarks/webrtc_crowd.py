"""A crowd of WebRTC viewers in a process of its own, led by lines of JSON.

`Crowd` starts and leads it. The process: `python -m benchmarks.webrtc_crowd VIEWERS SAMPLED_EVERY LOST_SHARE`.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import os
import resource
import select
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

from benchmarks.webrtc_crowd_viewer import CLOCK_HZ, CrowdViewer
from benchmarks.webrtc_stream import FPS

READ_EVERY_S = 0.002
"""Arrivals are the kernel's, so reading a little later says nothing wrong."""
JOIN_TIMEOUT_S = 12.0
_MAX_LINE = 1 << 28


class Crowd:
    """The crowd as whoever leads it sees it."""

    def __init__(self, process: Process, viewers: int) -> None:
        self.process = process
        self.viewers = viewers
        self._replies: dict[str, asyncio.Future[Any]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls, viewers: int, cores: Collection[int], *, sampled_every: int, lost_share: float
    ) -> Crowd:
        """Start a crowd on these cores. Nobody offers anything yet."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.webrtc_crowd",
            *map(str, (viewers, sampled_every, lost_share)),
            cwd=Path(__file__).parents[1],
            stdin=PIPE,
            stdout=PIPE,
            limit=_MAX_LINE,
        )
        os.sched_setaffinity(process.pid, cores)
        return cls(process, viewers)

    async def join(self, viewer: int, offer: Callable[[str], Awaitable[str]]) -> float:
        """Let a viewer join: `offer` takes its SDP to the server and returns the answer.

        Returns:
            seconds from the offer to the first packet of video.

        Raises:
            TimeoutError: there is none.
        """
        sdp = await self._ask("offer", viewer)
        began = time.monotonic()
        answer = await offer(sdp)
        first_at: float = await asyncio.wait_for(self._ask("answer", viewer, sdp=answer), JOIN_TIMEOUT_S)
        return first_at - began

    async def begin(self) -> None:
        """Count from here."""
        await self._ask("begin")

    async def report(self, zero_at: float | None) -> dict[str, Any]:
        """Say what came since `begin`.

        Args:
            zero_at: when frame 0 was due, monotonic; None: frames have no numbers.
        """
        found: dict[str, Any] = await self._ask("report", zero=zero_at)
        return found

    async def close(self) -> None:
        """End it."""
        self._reading.cancel()
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def _ask(self, what: str, viewer: int = -1, **more: object) -> Any:
        assert self.process.stdin is not None
        key = f"{what} {viewer}"
        future = self._replies[key] = asyncio.get_running_loop().create_future()
        self.process.stdin.write(json.dumps({"key": key, **more}).encode() + b"\n")
        return await future

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            key, value = json.loads(line)
            future = self._replies.pop(key)
            if not future.done():
                future.set_result(value)
        for future in self._replies.values():
            future.set_exception(RuntimeError("the crowd has ended"))


class _CrowdProcess:
    """The crowd itself."""

    def __init__(self, count: int, sampled_every: int, lost_share: float) -> None:
        self._viewers = [
            CrowdViewer(number, lost_share, is_sampled=number % sampled_every == 0) for number in range(count)
        ]
        self._sockets = {viewer.socket.fileno(): viewer for viewer in self._viewers}
        self._timers: list[tuple[float, int]] = []
        self._joining: set[CrowdViewer] = set()
        self._poll = select.epoll()
        self._orders = b""

    def run(self) -> None:
        """Run until nobody leads any more."""
        os.set_blocking(0, False)
        self._poll.register(0, select.EPOLLIN)
        while True:
            for number, _ in self._poll.poll(READ_EVERY_S, len(self._sockets) + 1):
                if number == 0:
                    if not self._take_orders():
                        return
                else:
                    self._sockets[number].read()
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                _, number = heapq.heappop(self._timers)
                heapq.heappush(self._timers, (self._viewers[number].tick(now), number))
            for viewer in [viewer for viewer in self._joining if viewer.first_video_at is not None]:
                self._joining.discard(viewer)
                _reply(f"answer {viewer.number}", viewer.first_video_at)
                self._timers = [item for item in self._timers if item[1] != viewer.number]
                heapq.heapify(self._timers)
                heapq.heappush(self._timers, (viewer.tick(now), viewer.number))
            time.sleep(READ_EVERY_S)

    def _take_orders(self) -> bool:
        data = os.read(0, 1 << 20)
        *lines, self._orders = (self._orders + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            what, number = order["key"].split()
            getattr(self, f"_{what}")(int(number), order)
        return bool(data)

    def _offer(self, number: int, order: Any) -> None:
        _reply(order["key"], self._viewers[number].offer())

    def _answer(self, number: int, order: Any) -> None:
        viewer, now = self._viewers[number], time.monotonic()
        viewer.take_answer(order["sdp"], now)
        self._poll.register(viewer.socket, select.EPOLLIN)
        self._joining.add(viewer)
        heapq.heappush(self._timers, (viewer.tick(now), number))

    def _begin(self, _: int, order: Any) -> None:
        for viewer in self._viewers:
            viewer.restart_counts()
        _reply(order["key"], None)

    def _report(self, _: int, order: Any) -> None:
        sampled = [viewer for viewer in self._viewers if viewer.is_sampled]
        streams = [stream for viewer in sampled for stream in viewer.streams.values()]
        _reply(
            order["key"],
            {
                "connected": sum(viewer.is_connected for viewer in self._viewers),
                "sampled": len(sampled),
                "packets": sum(len(stream.received) for stream in streams),
                "missing": sum(stream.missing for stream in streams),
                "dropped_by_load": sum(viewer.dropped for viewer in sampled),
                "nacked": sum(viewer.nacked for viewer in self._viewers),
                "answered_s": [after for viewer in self._viewers for after in viewer.answered_s],
                "late": _late(sampled, order["zero"]) if order["zero"] is not None else [],
            },
        )


def _late(viewers: Collection[CrowdViewer], zero_at: float) -> list[tuple[float, int]]:
    """Return lateness in seconds, and the number of packets, of each frame that came."""
    timestamp, number = next(viewer.stamp for viewer in viewers if viewer.stamp is not None)
    base = timestamp - number * CLOCK_HZ // FPS
    late = []
    for viewer in viewers:
        for frame in viewer.frames:
            pts = (frame.timestamp - base) & 0xFFFFFFFF
            late.append((round(frame.arrived_at - zero_at - pts / CLOCK_HZ, 5), frame.packets))
    return late


def _reply(key: str, value: object) -> None:
    print(json.dumps([key, value]), flush=True)


def main() -> None:
    """Be the crowd."""
    count, sampled_every = map(int, sys.argv[1:3])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _CrowdProcess(count, sampled_every, float(sys.argv[3])).run()


if __name__ == "__main__":
    main()
