"""What the control plane and HLS feel of WebRTC viewers: the real server, a crowd over WHEP, and somebody who asks.

python -m benchmarks.webrtc_api [--viewers 300] [--seconds 30] [--publisher clip]

Nothing is pinned: the server, its WebRTC process, its codec workers, the publisher, the crowd and the one who asks
share the machine's cores. `clip` is pushed by ffmpeg without encoding; `demo` is encoded meanwhile. Requests are one
after the other, on one connection. Where others want the cores too, run it under `nice -n -15`.
Writes `benchmarks/results/webrtc_api_PUBLISHER.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.clip import FFMPEG, RESULTS, prepared, push
from benchmarks.webrtc_crowd import Crowd
from benchmarks.webrtc_viewers import JOINS_PER_S, LOST_SHARE, SAMPLED_EVERY, SETTLE_S, Meter, spread_ms
from tests.integration.playlist import parse_master, parse_media
from tests.integration.server import Server, demo, running, running_server

LIMIT_MS = 50.0
API_PATH = "/api/v1/streams/live"
ASK_EVERY_S = 0.03


class Asker:
    """Asks the server for things, and notes how long each takes.

    Args:
        http: session for it.
        server: the server.
        stream_id: of the stream whose HLS is asked for.
    """

    def __init__(self, http: aiohttp.ClientSession, server: Server, stream_id: str) -> None:
        self._http = http
        self._url = server.http_url
        self._token = server.token
        self._hls = f"/hls/{stream_id}/"
        self._playlist = ""
        self.took_s: dict[str, list[float]] = {"api": [], "playlist": [], "part": []}

    async def run(self, seconds: float) -> dict[str, Any]:
        """Ask for so long; return what it took."""
        master = parse_master((await self._get("master.m3u8", self._hls)).decode())
        # The copied rung: another one would have to be made for this.
        self._playlist = next(uri for uri in master if uri.startswith("720p/"))
        self.took_s = {name: [] for name in self.took_s}
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for _ in range(8):
                await self._time("api", API_PATH, "")
            playlist = parse_media((await self._time("playlist", self._playlist, self._hls)).decode())
            folder = self._hls + self._playlist.rpartition("/")[0] + "/"
            await self._time("part", playlist.segments[-1].parts[-1].uri, folder)
        return {name: spread_ms(values) for name, values in self.took_s.items()}

    async def _time(self, name: str, path: str, folder: str) -> bytes:
        await asyncio.sleep(ASK_EVERY_S)
        began = time.monotonic()
        body = await self._get(path, folder)
        self.took_s[name].append(time.monotonic() - began)
        return body

    async def _get(self, path: str, folder: str) -> bytes:
        headers = {"Authorization": f"Bearer {self._token}"} if not folder else {}
        async with self._http.get(f"{self._url}{folder}{path}", headers=headers) as answer:
            answer.raise_for_status()
            return await answer.read()


async def fill(crowd: Crowd, http: aiohttp.ClientSession, url: str) -> list[float]:
    """Let the crowd join over WHEP; return the seconds to the first packet of each who got one."""

    async def offer(sdp: str) -> str:
        async with http.post(url, data=sdp, headers={"Content-Type": "application/sdp"}) as answer:
            text = await answer.text()
            assert answer.status == 201, (answer.status, text)
            return text

    began, joining = time.monotonic(), []
    for viewer in range(crowd.viewers):
        await asyncio.sleep(max(0.0, began + viewer / JOINS_PER_S - time.monotonic()))
        joining.append(asyncio.create_task(crowd.join(viewer, offer)))
    await asyncio.wait(joining)
    for task in joining:
        if task.exception() is not None:
            print("a viewer did not join:", repr(task.exception()), file=sys.stderr)
    return [task.result() for task in joining if task.exception() is None]


def _pids(server: Server, crowd: Crowd) -> dict[str, int]:
    found = {"server": server.process.pid, "crowd": crowd.process.pid, "asker": os.getpid()}
    for process in psutil.Process(server.process.pid).children(recursive=True):
        command = " ".join(process.cmdline())
        if "webrtc.worker" in command:
            found["worker"] = process.pid
        elif "transcode.worker" in command:
            found[f"codec_{process.pid}"] = process.pid
    return found


async def measure(
    viewers: int, seconds: float, folder: Path, publish: Callable[[str], AbstractAsyncContextManager[Any]]
) -> dict[str, Any]:
    """Ask without viewers, then with them."""
    connector = aiohttp.TCPConnector(limit=0)
    async with running_server(folder) as server, aiohttp.ClientSession(connector=connector) as http:
        stream = await server.create_stream(quality="720p")
        async with publish(server.publish_url(stream)):
            await server.wait_for(f"/hls/{stream['id']}/master.m3u8")
            await asyncio.sleep(SETTLE_S)
            asker = Asker(http, server, stream["id"])
            before = await asker.run(seconds)
            cores = set(range(os.cpu_count() or 1))
            crowd = await Crowd.start(viewers, cores, sampled_every=SAMPLED_EVERY, lost_share=LOST_SHARE)
            try:
                first_s = await fill(crowd, http, f"{server.http_url}/webrtc/{stream['id']}")
                await asyncio.sleep(SETTLE_S)
                await crowd.begin()
                meter = Meter(_pids(server, crowd))
                during = await asker.run(seconds)
                cpu = meter.read()
                report = await crowd.report(None)
            finally:
                await crowd.close()
    return {
        "viewers": report["connected"],
        "without_viewers": before,
        "with_viewers": during,
        **cpu,
        "packets_at_sampled": report["packets"],
        "missing_at_sampled": report["missing"],
        "dropped_by_load": report["dropped_by_load"],
        "nacks_answered_share": round(len(report["answered_s"]) / max(1, report["nacked"]), 4),
        "first_packet": spread_ms(first_s),
        "nice": os.nice(0),
        "load_average": round(os.getloadavg()[0], 2),
    }


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--viewers", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--publisher", choices=("clip", "demo"), default="clip")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        publish: Callable[[str], AbstractAsyncContextManager[Any]] = demo
        if options.publisher == "clip":
            source = prepared(folder, height=720, seconds=20, bitrate="2500k", fps=30)
            publish = lambda url: running(FFMPEG, *push(source, url))  # noqa: E731
        result = asyncio.run(measure(options.viewers, options.seconds, folder, publish))
    result["publisher"] = options.publisher
    out: Path = options.out or RESULTS / f"webrtc_api_{options.publisher}.json"
    out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    return 0 if result["with_viewers"]["api"]["p99"] <= LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
