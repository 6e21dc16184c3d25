"""Ten thousand viewers who join within ten seconds, and leave again: whether all are answered, and the count is exact.

python benchmarks/join_storm.py [--viewers 10000] [--seconds 10] [--redis]

The server and its database share one core, the client has another. An answer's time runs from when its request was due.
Viewers without an access token, each with an id of its own; at last a round in which the server makes an id for each
join. `--redis`: with a Redis on the client's core. Writes `benchmarks/results/join_storm.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.clip import RESULTS
from benchmarks.control import CLIENT_CORE, SERVER_CORE, ask
from control_api.viewer.viewer_id import ViewerIds
from mediaserver.config import Settings
from mediaserver.secret import access_secret
from tests.integration.server import Server, running_server

TARGET_MS = 50.0
"""What the 99th percentile of a join should stay under."""


async def storm(server: Server, ids: ViewerIds, viewers: int, seconds: float) -> dict[str, Any]:
    """Have everybody join and leave."""
    rate, found = viewers / seconds, {}
    stream = await server.create_stream()
    path = f"/api/v1/streams/{stream['id']}"
    bodies = [json.dumps({"viewer_id": ids.new()}) for _ in range(viewers)]
    for name, requests in {
        "join": [("POST", f"{path}/join", body) for body in bodies],
        "again": [("POST", f"{path}/join", body) for body in bodies],
        "leave": [("POST", f"{path}/leave", body) for body in bodies],
        "join_without_an_id": [("POST", f"{path}/join", "")],
    }.items():
        before = _cpu_s(server)
        found[name] = await ask(server, requests, rate=rate, seconds=seconds)
        found[name]["server_cpu_s"] = round(_cpu_s(server) - before, 2)
        found[name]["figures"] = await server.api("GET", f"/streams/{stream['id']}/viewers")
    await server.api("POST", f"/streams/{stream['id']}/end")
    found["at_the_end"] = await server.api("GET", f"/streams/{stream['id']}/analytics")
    found["at_the_end"].pop("series", None)
    return found


def faults(found: dict[str, Any], viewers: int) -> list[str]:
    """List what is not as it has to be."""
    wanted = {"join": viewers, "again": viewers, "leave": 0, "join_without_an_id": viewers}
    wrong = [f"{name}: {found[name]}" for name, count in wanted.items()
             if found[name]["figures"]["viewer_count"] != count or found[name]["refused"]]  # fmt: skip
    if found["join_without_an_id"]["figures"]["unique_viewers"] != 2 * viewers:
        wrong.append("unique viewers")
    return wrong + [f"{name}: p99" for name in wanted if found[name]["p99_ms"] > TARGET_MS]


def _cpu_s(server: Server) -> float:
    ticks = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def redis(folder: Path, *, is_wanted: bool) -> AsyncIterator[dict[str, str]]:
    """Run a Redis; yields the settings of a server that uses it."""
    if not is_wanted:
        yield {}
        return
    process = await asyncio.create_subprocess_exec(
        "redis-server", "--port", "0", "--unixsocket", folder / "redis.sock", "--save", "",
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not (folder / "redis.sock").exists():  # noqa: ASYNC110 nothing tells of it
            await asyncio.sleep(0.01)
        yield {"REDIS_URL": f"unix://{folder}/redis.sock"}
    finally:
        process.kill()
        await process.wait()


async def measure(viewers: int, seconds: float, folder: Path, *, with_redis: bool) -> dict[str, Any]:
    """Run the server and the storm."""
    os.sched_setaffinity(0, CLIENT_CORE)
    async with redis(folder, is_wanted=with_redis) as settings:
        os.sched_setaffinity(0, SERVER_CORE)  # the server and its children inherit it
        async with running_server(folder, **settings) as server:
            os.sched_setaffinity(0, CLIENT_CORE)
            ids = ViewerIds(access_secret(Settings(data_dir=folder)))
            return await storm(server, ids, viewers, seconds)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--viewers", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--redis", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        found = asyncio.run(measure(options.viewers, options.seconds, folder, with_redis=options.redis))
    report = {
        "viewers": options.viewers,
        "seconds": options.seconds,
        "redis": options.redis,
        "measured": found,
    }
    print(json.dumps(report, indent=2))
    RESULTS.mkdir(exist_ok=True)
    name = "join_storm_redis.json" if options.redis else "join_storm.json"
    (RESULTS / name).write_text(json.dumps(report, indent=2) + "\n")
    wrong = faults(found, options.viewers)
    print("\n".join(wrong) or "as it has to be")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
