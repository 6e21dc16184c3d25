"""The control API of the real server with its own PostgreSQL: starts, reads, lists, and the start of the server.

python benchmarks/control.py [--streams 1000] [--seconds 10]

The server and its database share one core, the client has another, in a process of its own over connections that stay
open. At a fixed rate an answer's time runs from when its request was due. Writes `benchmarks/results/control.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.clip import RESULTS
from benchmarks.control_client import CONNECTIONS
from tests.integration.proxy import free_port
from tests.integration.server import Server, running_server

CLIENT = Path(__file__).with_name("control_client.py")
SERVER_CORE, CLIENT_CORE = {0}, {1}
RATE_PER_S = 300
STARTS = 200
ROUNDS = 3
START_S = 120.0
TARGETS_MS = {"start_stream": 100.0, "read": 50.0, "live_20": 50.0, "live_100": 100.0}
"""What the 99th percentile should stay under."""
STREAM = {
    "title": "An evening of chamber music from the old library",
    "description": "Three quartets and a break. " * 8,
    "category": "music",
    "tags": ["chamber music", "quartet", "live"],
    "quality": "1080p",
}

Request = tuple[str, str, str]
"""Method, path and body."""


async def ask(
    server: Server,
    requests: Sequence[Request],
    *,
    token: str = "",
    rate: float = 0,
    connections: int = CONNECTIONS,
    seconds: float = 600,
    repeat: bool = False,
    good: str = "200",
) -> dict[str, Any]:
    """Have the client do it. 503 is overload and counted, any other answer that is not good ends all."""
    address = urlsplit(server.http_url)
    plan = {"host": address.hostname, "port": address.port, "token": token, "requests": requests, "rate": rate,
            "connections": connections, "seconds": seconds, "repeat": repeat}  # fmt: skip
    client = await asyncio.create_subprocess_exec(
        sys.executable, CLIENT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await client.communicate(json.dumps(plan).encode())
    found: dict[str, Any] = json.loads(out)
    statuses = found.pop("statuses")
    if set(statuses) - {good, "503"}:
        raise SystemExit(f"{requests[0]}: {out.decode()}")
    return found | {"refused": statuses.get("503", 0)}


async def measure(streams: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Take everything that a running server can be asked."""
    os.sched_setaffinity(0, SERVER_CORE)  # the server and its children inherit it
    async with running_server(folder) as server:
        os.sched_setaffinity(0, CLIENT_CORE)
        token, create = server.token, ("POST", "/api/v1/streams", json.dumps(STREAM))
        found = {
            "create_stream": await ask(server, [create] * streams, token=token, connections=1, good="201")
        }
        paths = [f"/api/v1/streams/{stream_id}" for stream_id in await _ids(server)]
        starts = [("POST", f"{path}/start", "") for path in paths]
        found["start_stream"] = await ask(server, starts[:STARTS], token=token, connections=1)
        await ask(server, starts[STARTS:], token=token)
        reads = [("GET", path, "") for path in paths]
        found["read"] = await ask(server, reads, rate=RATE_PER_S, seconds=seconds)
        for limit in (20, 100):
            page = [("GET", f"/api/v1/streams/live?limit={limit}", "")]
            found[f"live_{limit}"] = await ask(server, page, rate=RATE_PER_S, seconds=seconds)
        for name, who in (("anonymous", ""), ("owner", token)):
            found[f"highest_read_{name}"] = await ask(server, reads, token=who, seconds=seconds, repeat=True)
    return found


async def _ids(server: Server) -> list[str]:
    found: list[str] = []
    page: dict[str, Any] = {"next_cursor": ""}
    while (cursor := page["next_cursor"]) is not None:
        page = await server.api("GET", f"/streams?user_id=alice&limit=100&cursor={cursor}")
        found += [stream["id"] for stream in page["streams"]]
    return found


async def start_s(folder: Path, *, stop: signal.Signals = signal.SIGTERM) -> float:
    """Start the server on what is in a folder, end it, and return the seconds to `/readyz` 200."""
    port = free_port()
    settings = {"HOST": "127.0.0.1", "RTMP_HOST": "127.0.0.1", "PORT": str(port), "RTMP_PORT": "0",
                "WEBRTC_UDP_PORT": "0", "DATA_DIR": str(folder)}  # fmt: skip
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mediaserver", "serve", env=os.environ | settings, cwd=folder,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not await _is_ready(port):
            if process.returncode is not None or time.perf_counter() > began + START_S:
                raise SystemExit(f"the server on {folder} does not get ready")
            await asyncio.sleep(0.01)
        return time.perf_counter() - began
    finally:
        if process.returncode is None:
            process.send_signal(stop)
        await process.wait()


async def _is_ready(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.write(b"GET /readyz HTTP/1.0\r\n\r\n")
    line = await reader.readline()
    writer.close()
    return b" 200 " in line


async def measure_starts(lived_in: Path) -> dict[str, float]:
    """Take the starts of a server.

    Args:
        lived_in: folder of a server with live streams.
    """
    os.sched_setaffinity(0, SERVER_CORE | CLIENT_CORE)
    first, later, after_kill = [], [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o755)
            first.append(await start_s(folder))
            later.append(await start_s(folder, stop=signal.SIGKILL))
            after_kill.append(await start_s(folder))
    full = [await start_s(lived_in) for _ in range(ROUNDS)]
    named = {"empty": first, "existing": later, "after_kill": after_kill, "with_the_live_streams": full}
    return {f"{name}_s": round(statistics.median(figures), 2) for name, figures in named.items()}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        found = asyncio.run(measure(options.streams, options.seconds, folder))
        starts = asyncio.run(measure_starts(folder))
    report = {"streams": options.streams, "rate_per_s": RATE_PER_S, "measured": found, "server_start": starts}
    print(json.dumps(report, indent=2))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "control.json").write_text(json.dumps(report, indent=2) + "\n")
    return int(
        any(found[name]["p99_ms"] > target or found[name]["refused"] for name, target in TARGETS_MS.items())
    )


if __name__ == "__main__":
    sys.exit(main())
