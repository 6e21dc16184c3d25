"""The client of `benchmarks/control.py`: reads a plan as JSON from standard input, asks, writes what it measured.

It speaks just enough HTTP/1.1 over connections that stay open to be no bottleneck: a request is bytes made before, of
an answer only its status and length are read.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any, cast

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))
CONNECTIONS = 50


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answer: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, _ = self._received.partition(b"\r\n\r\n")
        if not separator or self._answer is None:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(self._received) >= len(head) + len(separator) + int(length or 0):
            self._received.clear()
            self._answer.set_result(int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("closed in the middle of an answer"))

    async def ask(self, request: bytes) -> int:
        """Send a request and return the status of its answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer


class Figures:
    """What was measured."""

    def __init__(self) -> None:
        self.took_s: list[float] = []
        self.statuses: Counter[int] = Counter()

    def add(self, status: int, took_s: float) -> None:
        self.statuses[status] += 1
        self.took_s.append(took_s)

    def report(self, elapsed_s: float) -> dict[str, Any]:
        taken = sorted(self.took_s)

        def quantile(share: float) -> float:
            return round(1000 * taken[min(len(taken) - 1, int(share * len(taken)))], 2)

        return {
            "requests": len(taken),
            "per_s": round(len(taken) / elapsed_s, 1),
            "p50_ms": quantile(0.5),
            "p99_ms": quantile(0.99),
            "max_ms": round(1000 * taken[-1], 2),
            "statuses": dict(self.statuses),
        }


async def paced(
    connections: list[Connection], requests: Iterator[bytes], rate: float, seconds: float
) -> Figures:
    """Ask at a fixed rate, whatever the server does: an answer's time runs from when its request was due."""
    figures, free = Figures(), asyncio.LifoQueue[Connection]()
    for connection in connections:
        free.put_nowait(connection)

    async def one(due: float, request: bytes) -> None:
        connection = await free.get()
        status = await connection.ask(request)
        figures.add(status, time.perf_counter() - due)
        free.put_nowait(connection)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(due, next(requests)))
    return figures


async def flat_out(connections: list[Connection], requests: Iterator[bytes], seconds: float) -> Figures:
    """Ask anew on each connection as soon as it has its answer, until the time or the requests are over."""
    figures, until = Figures(), time.perf_counter() + seconds

    async def on(connection: Connection) -> None:
        while (began := time.perf_counter()) < until and (request := next(requests, None)) is not None:
            figures.add(await connection.ask(request), time.perf_counter() - began)

    await asyncio.gather(*(on(connection) for connection in connections))
    return figures


async def run(plan: dict[str, Any]) -> dict[str, Any]:
    """Do what a plan says.

    Args:
        plan: `host`, `port`, `token` (empty: none), `requests` (method, path, body), `connections`, `seconds`, and
            `rate` per second (0: as many as go; then each request is made once, unless `repeat`).
    """
    loop = asyncio.get_running_loop()
    made = [
        (await loop.create_connection(Connection, plan["host"], plan["port"]))
        for _ in range(plan["connections"])
    ]
    connections = [protocol for _, protocol in made]
    encoded = [_encode(plan, *request) for request in plan["requests"]]
    started = time.perf_counter()
    if plan["rate"]:
        figures = await paced(connections, cycle(encoded), plan["rate"], plan["seconds"])
    else:
        requests = cycle(encoded) if plan["repeat"] else iter(encoded)
        figures = await flat_out(connections, requests, plan["seconds"])
    elapsed_s = time.perf_counter() - started
    for transport, _ in made:
        transport.close()
    return figures.report(elapsed_s)


def _encode(plan: dict[str, Any], method: str, path: str, body: str) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {plan['host']}:{plan['port']}",
        f"Content-Length: {len(body)}",
    ]
    if plan["token"]:
        lines.append(f"Authorization: Bearer {plan['token']}")
    return "\r\n".join([*lines, "", body]).encode()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(uvloop.run(run(json.load(sys.stdin)))))
