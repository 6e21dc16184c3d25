"""How many viewers of 720p30 with Opus a WebRTC process serves: the whole of it, with all that viewers say.

python -m benchmarks.webrtc_viewers [--python 100 250 300 400] [--native 300 500 600] [--two 900] [--aiortc 45]
                                    [--seconds 30]

The process has core 0; this one, which makes the broadcast and has the gateway, and the crowd share core 1. With two
processes each has a core, and the load shares both. Each viewer has its own socket, ICE, DTLS and SRTP, sends a report
with REMB each second and a check every 2.5 s, and asks again for 1 % of its packets. Each 10 s a tenth of them change
to 480p, and those before them leave it to the network again. Every 20th viewer is looked at closely.

Lateness is from when the frame was due from its encoder until its last packet was in the viewer's socket (the kernel's
time), so the server process, the seqpacket socket and pacing are in it. `plain` is without keyframes, which are spread
over most of a frame's time on purpose. On loopback the kernel cuts runs into datagrams and delivers them on the
sender's core. aiortc has only to send (`webrtc_aiortc`). Where others want the cores too, run it under `chrt -f 1`.
Writes `benchmarks/results/webrtc_viewers.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks import webrtc_fanout
from benchmarks.clip import RESULTS
from benchmarks.hls_latency import percentile
from benchmarks.webrtc_crowd import Crowd
from benchmarks.webrtc_show import HIGH, LOW, Show, Shows
from media.child import start_child
from media.error import MediaServerError
from webrtc.gateway import Gateway
from webrtc.message import Listen
from webrtc.plane import WebRtcPlane
from webrtc.publisher import Publishers
from webrtc.whep_port import Established

WORKER_CORE, LOAD_CORE = 0, 1
LATE_MS = 50.0
TARGETS = {"python": 250, "native": 500}
SAMPLED_EVERY, LOST_SHARE = 20, 0.01
JOINS_PER_S = 30.0
SETTLE_S = 6.0
CHANGE_EVERY_S, CHANGE_SHARE = 10.0, 10
KEYFRAME_PACKETS = 25
"""Frames with so many packets are paced."""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class NoGate:
    """Lets nobody publish."""

    authorize = publish = None


class Meter:
    """CPU of processes, by the name that they have here."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._before = {name: (_cpu_s(pid), _waited_s(pid)) for name, pid in pids.items()}
        self._cores, self._at = _core_times(), time.monotonic()

    def read(self) -> dict[str, Any]:
        """Return cores that they took since this was made, how long they waited for one, and how busy cores were."""
        passed_s = time.monotonic() - self._at
        taken: dict[str, Any] = {}
        for name, pid in self._pids.items():
            if not Path(f"/proc/{pid}").exists():
                continue  # a codec worker that nobody needs any more
            cpu_s, waited_s = self._before[name]
            taken[f"{name}_cores"] = round((_cpu_s(pid) - cpu_s) / passed_s, 3)
            taken[f"{name}_waited_s"] = round(_waited_s(pid) - waited_s, 2)
        for (busy, total), (busy_before, total_before), core in zip(
            _core_times(), self._cores, range(os.cpu_count() or 1), strict=True
        ):
            taken[f"core{core}_busy"] = round((busy - busy_before) / max(1, total - total_before), 3)
        return taken


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _waited_s(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def _core_times() -> list[tuple[int, int]]:
    lines = [line.split() for line in Path("/proc/stat").read_text().splitlines() if line.startswith("cpu")][
        1:
    ]
    times = [[int(field) for field in line[1:9]] for line in lines]
    return [(sum(each) - each[3] - each[4], sum(each)) for each in times]


class House:
    """A plane with a show, and a crowd that watches it."""

    def __init__(self, workers: int) -> None:
        self.shows = Shows()
        self.gateway = Gateway(self.shows)
        gate: Any = NoGate()
        self.plane = WebRtcPlane(Listen("127.0.0.1", 0, ()), workers, self.gateway, Publishers(gate))
        self.sessions: dict[int, str] = {}
        self.first_s: list[float] = []
        self.failures: list[str] = []

    async def start(self) -> None:
        """Start processes and show; each process gets a core."""
        self.plane.start()
        for number, worker in enumerate(self.plane.workers):
            while not worker.is_running:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            assert worker.pid is not None
            os.sched_setaffinity(worker.pid, {WORKER_CORE + number})
        self.shows.sources["show"] = Show()

    async def fill(self, crowd: Crowd) -> None:
        """Let the crowd join, so many a second."""
        began = time.monotonic()
        joining = []
        for viewer in range(crowd.viewers):
            await asyncio.sleep(max(0.0, began + viewer / JOINS_PER_S - time.monotonic()))
            joining.append(asyncio.create_task(self._join(crowd, viewer)))
        await asyncio.gather(*joining)

    async def _join(self, crowd: Crowd, viewer: int) -> None:
        async def offer(sdp: str) -> str:
            answer = await self.gateway.offer("show", sdp, lambda: None)
            assert isinstance(answer, Established)
            self.sessions[viewer] = answer.session
            return answer.sdp

        try:
            self.first_s.append(await crowd.join(viewer, offer))
        except (MediaServerError, TimeoutError) as error:
            self.failures.append(f"{type(error).__name__} {error}")

    async def close(self) -> None:
        """End everything."""
        await self.shows.sources["show"].end()
        await self.plane.close()


class Changes:
    """Changes of rung while others watch."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.asked = self.done = 0
        self.took_s: list[float] = []
        self.refused = 0

    async def run(self, seconds: float) -> None:
        """Let a tenth of the viewers change, and the tenth before them go back, each 10 s."""
        began, rounds = time.monotonic(), int(seconds // CHANGE_EVERY_S)
        sessions = list(self._house.sessions.values())
        tenth = len(sessions) // CHANGE_SHARE
        before: list[str] = []
        for number in range(rounds):
            await asyncio.sleep(max(0.0, began + number * CHANGE_EVERY_S - time.monotonic()))
            chosen = sessions[number * tenth : (number + 1) * tenth]
            await asyncio.gather(
                *(self._choose(session, LOW, LOW) for session in chosen),
                *(self._choose(session, None, HIGH) for session in before),
            )
            before = chosen
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))

    async def _choose(self, session: str, rung: str | None, goal: str) -> None:
        began = time.monotonic()
        self.asked += 1
        try:
            await self._house.gateway.choose(session, rung)
        except MediaServerError:
            self.refused += 1
            return
        while time.monotonic() - began < 0.9 * CHANGE_EVERY_S:
            view = self._house.gateway.view(session)
            if view is not None and view.active == goal:
                self.done += 1
                self.took_s.append(time.monotonic() - began)
                return
            await asyncio.sleep(0.1)


@contextmanager
def native_or_not(way: str) -> Iterator[None]:
    """Let processes that start within be in Python alone, or not: the supervisor passes no such wish on by itself."""

    async def start(module: str, fd: int, environment: dict[str, str]) -> asyncio.subprocess.Process:
        native = {"MEDIASERVER_NATIVE": "1" if way == "native" else "0"}
        return await start_child(module, fd, environment | native)

    with mock.patch("webrtc.supervisor.start_child", start):
        yield


async def measure(way: str, viewers: int, seconds: float, workers: int = 1) -> dict[str, Any]:
    """Have so many viewers watch for so long."""
    load_cores = {LOAD_CORE} if workers == 1 else {WORKER_CORE, LOAD_CORE}
    os.sched_setaffinity(0, load_cores)
    house = House(workers)
    with native_or_not(way):
        await house.start()
    crowd = await Crowd.start(viewers, load_cores, sampled_every=SAMPLED_EVERY, lost_share=LOST_SHARE)
    try:
        await house.fill(crowd)
        await asyncio.sleep(SETTLE_S)
        await crowd.begin()
        show = house.shows.sources["show"]
        show.late_s.clear()
        pids = {f"worker{number}": worker.pid or 0 for number, worker in enumerate(house.plane.workers)}
        meter = Meter({**pids, "crowd": crowd.process.pid, "server": os.getpid()})
        before, changes = house.plane.counters(), Changes(house)
        await changes.run(seconds)
        cpu = meter.read()
        await asyncio.sleep(1.1)  # the counters come once a second
        counters = {name: value - before.get(name, 0) for name, value in house.plane.counters().items()}
        report = await crowd.report(show.zero_at)
        return {
            "way": way,
            "workers": workers,
            "viewers": house.gateway.viewers,
            **cpu,
            **_summary(report, show.late_s, house, changes),
            "counters": counters,
            "is_real_time": os.sched_getscheduler(0) != os.SCHED_OTHER,
            "load_average": round(os.getloadavg()[0], 2),
        }
    finally:
        await crowd.close()
        await house.close()


def _summary(
    report: dict[str, Any], show_late_s: list[float], house: House, changes: Changes
) -> dict[str, Any]:
    late = [late_s for late_s, _ in report["late"]]
    plain = [late_s for late_s, packets in report["late"] if packets < KEYFRAME_PACKETS]
    return {
        "late": spread_ms(late),
        "plain_late": spread_ms(plain),
        "keyframes_late": spread_ms([s for s, packets in report["late"] if packets >= KEYFRAME_PACKETS]),
        "show_late": spread_ms(show_late_s),
        "frames": len(late),
        "packets": report["packets"],
        "missing": report["missing"],
        "dropped_by_load": report["dropped_by_load"],
        "nacked": report["nacked"],
        "nacks_answered_share": round(len(report["answered_s"]) / max(1, report["nacked"]), 4),
        "nack_answer": spread_ms(report["answered_s"]),
        "changes_asked": changes.asked,
        "changes_done": changes.done,
        "change": spread_ms(changes.took_s),
        "first_packet": spread_ms(house.first_s),
        "failures": house.failures[:3],
    }


def spread_ms(values_s: Sequence[float]) -> dict[str, float] | None:
    """Return percentiles in milliseconds."""
    if not values_s:
        return None
    shares = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
    return {name: round(1000 * percentile(list(values_s), share), 1) for name, share in shares}


def main() -> int:
    """Measure the steps and judge them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", type=int, nargs="*", default=[100, 250, 300, 400])
    parser.add_argument("--native", type=int, nargs="*", default=[300, 500, 600])
    parser.add_argument(
        "--two", type=int, nargs="*", default=[900], help="viewers of two native processes together"
    )
    parser.add_argument("--aiortc", type=int, nargs="*", default=[45])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--out", type=Path, default=RESULTS / "webrtc_viewers.json")
    options = parser.parse_args()
    rows = []
    for way, workers, steps in (
        ("python", 1, options.python),
        ("native", 1, options.native),
        ("native", 2, options.two),
    ):
        for viewers in steps:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                rows.append(runner.run(measure(way, viewers, options.seconds, workers)))
            print(json.dumps(rows[-1]), flush=True)
    os.sched_setaffinity(0, {WORKER_CORE, LOAD_CORE})
    aiortc = [webrtc_fanout.measure("aiortc", viewers, options.seconds) for viewers in options.aiortc]
    best = {way: _best(rows, way, 1) for way in TARGETS}
    result = {"runs": rows, "aiortc": aiortc, "best": best, "best_of_two_processes": _best(rows, "native", 2)}
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps({name: result[name] for name in ("aiortc", "best", "best_of_two_processes")}))
    return 0 if all(best[way] >= target for way, target in TARGETS.items()) else 1


def _best(rows: list[dict[str, Any]], way: str, workers: int) -> int:
    """Return the most viewers that were served in time."""
    good = (
        row["viewers"]
        for row in rows
        if (row["way"], row["workers"]) == (way, workers) and row["late"]["p99"] <= LATE_MS
    )
    return max(good, default=0)


if __name__ == "__main__":
    sys.exit(main())
