"""A thousand low-latency viewers of one broadcast, and how soon after a part is published their answers begin.

Server on one core, viewers on the other. Each viewer has two connections, for picture and sound; on each it asks for
the playlist with the next part (which blocks), then for that part, and so on. The server writes down when each part was
published (`crowd_server`), on the clock that all processes share; a viewer notes when the first byte of the playlist
that has it arrives.

    python -m benchmarks.crowd [--viewers 1000] [--seconds 30]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import uvloop

from benchmarks.clip import RESULTS
from benchmarks.hls_latency import percentile
from tests.integration.playlist import parse_media
from tests.integration.server import NEW_FFMPEG, encoder_args, running, running_server

SERVER_CORE, LOAD_CORE = 0, 1
SERVER = (str(Path(__file__).with_name("crowd_server.py")),)

_PART = re.compile(rb'#EXT-X-PART:DURATION=[\d.]+,URI="(\d+)-(\d+)\.(\d+)\.m4s"')
_HINT = re.compile(rb'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="\d+-(\d+)\.(\d+)\.m4s"')


class Listener(asyncio.Protocol):
    """One connection of a viewer: playlist, part, playlist, part."""

    def __init__(
        self, host: str, rung: str, begin: tuple[int, int], noted: list[tuple[int, int, float]]
    ) -> None:
        self._head = f"HTTP/1.1\r\nHost: {host}\r\n\r\n"
        self._rung = rung
        self._next = begin
        self._noted = noted
        self._missing = 0
        self._answer = b""
        self._is_part = False
        self.statuses: dict[int, int] = defaultdict(int)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._ask_for_playlist()

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
            if not self._is_part:
                self._answer += data
        else:
            now = time.monotonic()
            head, _, body = data.partition(b"\r\n\r\n")
            self.statuses[int(head[9:12])] += 1
            if not self._is_part:
                self._noted.append((*self._next, now))
                self._answer = body
            length = re.search(rb"Content-Length: (\d+)", head)
            self._missing = int(length[1]) - len(body) if length else 0
        if not self._missing:
            self._go_on()

    def _go_on(self) -> None:
        if self._is_part:
            self._ask_for_playlist()
            return
        parts, hints = _PART.findall(self._answer), _HINT.findall(self._answer)
        if not parts or not hints:
            return
        self._next = int(hints[-1][0]), int(hints[-1][1])
        generation, msn, part = (int(number) for number in parts[-1])
        self._is_part = True
        self._transport.write(f"GET {self._rung}/{generation}-{msn}.{part}.m4s {self._head}".encode())

    def _ask_for_playlist(self) -> None:
        self._is_part = False
        msn, part = self._next
        query = f"_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES"
        self._transport.write(f"GET {self._rung}/index.m3u8?{query} {self._head}".encode())


def watch(url: str, paths: dict[str, tuple[int, int]], viewers: int, seconds: float, out: Any) -> None:
    """Be the viewers, in a process of their own."""
    os.sched_setaffinity(0, {LOAD_CORE})
    noted: dict[str, list[tuple[int, int, float]]] = {path: [] for path in paths}

    async def run() -> tuple[dict[int, int], float]:
        loop, host = asyncio.get_running_loop(), urlsplit(url)
        listeners = []
        for _ in range(viewers):
            for path, begin in paths.items():
                make = lambda path=path, begin=begin: Listener(host.netloc, path, begin, noted[path])  # noqa: E731
                _, listener = await loop.create_connection(make, host.hostname or "", host.port or 80)
                listeners.append(listener)
        began = time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        busy = (time.process_time() - began[0]) / (time.monotonic() - began[1])
        statuses: dict[int, int] = defaultdict(int)
        for listener in listeners:
            for status, count in listener.statuses.items():
                statuses[status] += count
        return dict(statuses), busy

    statuses, busy = uvloop.run(run())
    out.put((noted, statuses, busy))


async def measure(viewers: int, seconds: float, folder: Path) -> dict[str, Any]:
    published = folder / "published"
    async with running_server(folder, SERVER, LADDER="720p", PUBLISHED=str(published)) as server:
        os.sched_setaffinity(server.process.pid, {SERVER_CORE})
        stream = await server.create_stream()
        path = f"/hls/{stream['id']}"
        arguments = encoder_args(server.publish_url(stream), size="1280x720", rate=30, extra="-b:v 2400k")
        async with running(NEW_FFMPEG, *arguments) as encoder:
            os.sched_setaffinity(encoder.pid, {LOAD_CORE})
            begins = {}
            for rung in ("720p", "audio"):
                await server.wait_for(f"{path}/{rung}/index.m3u8", contains="PRELOAD-HINT")
                listed = parse_media((await server.request(f"{path}/{rung}/index.m3u8")).text)
                begins[f"{path}/{rung}"] = (listed.segments[-1].msn, len(listed.segments[-1].parts))
            results: Any = multiprocessing.get_context("spawn").Queue()
            process = multiprocessing.get_context("spawn").Process(
                target=watch, args=(server.http_url, begins, viewers, seconds, results)
            )
            process.start()
            await asyncio.sleep(4)
            usage = psutil.Process(server.process.pid).cpu_times()
            began = usage.user + usage.system, time.monotonic()
            await asyncio.sleep(max(1.0, seconds - 6))
            usage = psutil.Process(server.process.pid).cpu_times()
            cores = (usage.user + usage.system - began[0]) / (time.monotonic() - began[1])
            noted, statuses, busy = await asyncio.to_thread(results.get)
            process.join()
    return {"viewers": viewers, "statuses": statuses, "server_cores": round(cores, 2),
            "load_cores": round(busy, 2), **_delays(published, noted)}  # fmt: skip


def _delays(published: Path, noted: dict[str, list[tuple[int, int, float]]]) -> dict[str, Any]:
    times: dict[tuple[str, int, int], float] = {}
    for line in published.read_text().splitlines():
        name, msn, part, when = line.split()
        times.setdefault((name, int(msn), int(part)), float(when))
    delays = [
        when - times[key]
        for path, found in noted.items()
        for msn, part, when in found
        if (key := (path.rpartition("/")[2], msn, part)) in times and when > times[key]
    ]
    # What was there when it was asked for is no waiting; it comes at the begin only.
    delays = [delay for delay in delays if delay < 5]
    return {
        "answers": len(delays),
        "published_to_first_byte_ms": {
            name: round(1000 * percentile(delays, share), 1)
            for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--viewers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(measure(options.viewers, options.seconds, Path(folder)))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "crowd.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
