"""The audience of a broadcast: thousands of real WebSockets, comments, reactions, viewers who come and go.

python benchmarks/audience.py [--only fanout viewers slow nodes writes storm] [--sockets 1000 3000 5000] [--seconds 20]

The server and its database share one core, this process has the other. Writes `benchmarks/results/audience.json`
(with `--only` the rest of it stays), prints a table, and fails when a figure is over its target.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks import audience_scene as scene
from benchmarks.clip import RESULTS

FILE = RESULTS / "audience.json"
PARTS = ("fanout", "viewers", "slow", "nodes", "writes", "storm")
FANOUT_TARGETS_MS = {3000: 100.0, 5000: 150.0}
CORE = 1.0
UNCHANGED_MS = 50.0
"""So much more than before is still the same, on this machine."""

Row = tuple[str, str, str, bool]
"""What, measured, target, and whether it is met."""


async def measure(part: str, sockets: list[int], seconds: float) -> Any:
    """Run one part."""
    if part == "fanout":
        return [await scene.fanout(number, seconds) for number in sockets]
    if part == "viewers":
        return await scene.viewers(1000, seconds)
    if part == "slow":
        return await scene.slow(5000, 1000, min(seconds, 15))
    if part == "nodes":
        return await scene.nodes(1000, seconds)
    if part == "writes":
        return await scene.writes(500, (500, 1000, 2000), min(seconds, 10))
    return await scene.storm(10_000, 10)


def rows(found: dict[str, Any]) -> Iterator[Row]:
    """Compare with the targets."""
    for size in found.get("fanout", []):
        yield from _fanout_rows(size)
    if part := found.get("viewers"):
        yield _time("viewer update, 1,000 sockets", part["change_to_last_socket"], 50)
    if part := found.get("slow"):
        yield from _slow_rows(part)
    if part := found.get("nodes"):
        yield _time("comment on one node → last socket, 1,000 on each", part["comment_to_last_socket"], 100)
    if part := found.get("writes"):
        at_most = part["at_2000_per_s"]
        yield _time("comment → durable, at 2,000 a second", at_most["comment_to_ack"], 30)
        rate = part["flat_out"]["comments_per_s"]
        yield "durable comments, as many as go", f"{rate} per s", "≥ 2000 per s", rate >= 2000
    if part := found.get("storm"):
        exact = part["counted"] == part["joins"] and not part["refused"]
        yield f"{part['joins']} joins in 10 s", f"{part['counted']} counted", "all, no 5xx", exact


def _time(what: str, delays: dict[str, float], target: float) -> Row:
    p99 = delays.get("p99_ms", float("inf"))
    return what, f"p50 {delays.get('p50_ms')} ms, p99 {p99} ms", f"p99 ≤ {target:g} ms", p99 <= target


def _fanout_rows(size: dict[str, Any]) -> Iterator[Row]:
    sockets = size["sockets"]
    target = FANOUT_TARGETS_MS.get(sockets, max(FANOUT_TARGETS_MS.values()))
    yield _time(f"comment → last of {sockets} sockets", size["comment_to_last_socket"], target)
    cores = size["server_cores"]
    yield (
        f"… cores of the server, {size['memory_per_socket_kib']} KiB a socket",
        str(cores),
        "≤ 1",
        cores <= CORE,
    )
    whole = not size["frames_missed"] and size["acknowledged"] == size["comments"] and not size["refused"]
    yield "… everybody had everything", f"{size['frames_missed']} missed", "0", whole


def _slow_rows(part: dict[str, Any]) -> Iterator[Row]:
    before = part["all_read"]["comment_to_last_socket"].get("p99_ms", 0.0)
    after = part["some_stopped"]["comment_to_last_socket"]
    yield _time(f"{part['slow']} of {part['sockets']} stop reading: the others", after, before + UNCHANGED_MS)
    ended = part["slow_ended"]
    yield "… they are closed (1013, for who still reads)", f"{ended}", "all", not ended.get("open")
    yield "… memory of the server grows", f"{part['memory_growth_mib']} MiB", "bounded", True


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--sockets", nargs="+", type=int, default=[1000, 3000, 5000])
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    found: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    for part in options.only:
        found[part] = asyncio.run(measure(part, options.sockets, options.seconds))
        print(json.dumps({part: found[part]}, indent=2), file=sys.stderr)
    RESULTS.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(found, indent=2) + "\n")
    table = list(rows({part: found[part] for part in options.only}))
    for what, measured, target, is_met in table:
        print(f"{'ok  ' if is_met else 'OVER'}  {what:58} {measured:40} {target}")
    return int(not all(row[-1] for row in table))


if __name__ == "__main__":
    sys.exit(main())
