"""Carries out for all broadcasts of this process what the governor decides.

Four times a second it asks every broadcast what its encoders are asked for and how they do, and passes the orders on.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import structlog

from transcode.governor import Action, BroadcastLoad, Cheapen, Enrich, Governor, Restore, Shed

log = structlog.get_logger(__name__)

LOOK_S = 0.25
"""Between two looks: lag of 0.4 s is seen before it is 0.8 s, and a look takes far less than a millisecond."""

CGROUP = Path("/sys/fs/cgroup")

WORDS = {
    Shed: "the machine cannot carry a quality, it is not made for now",
    Restore: "a quality is made again",
    Cheapen: "a quality is encoded with less effort",
    Enrich: "a quality is encoded with more effort again",
}


class Governed(Protocol):
    """The encoded rungs of one broadcast."""

    def load(self) -> BroadcastLoad | None:
        """Describe what is asked for and how it goes; None when no encoder has anything to do."""
        ...

    def shed(self, rung: str, *, at_once: bool) -> None:
        """Make a rung no more, from the next segment on or at once; also said of one that still waits for it."""
        ...

    def restore(self, rung: str) -> None:
        """Make a rung again, from the next segment on."""
        ...

    def set_preset(self, rung: str, preset: str) -> None:
        """Encode a rung with another preset from the next segment on; also said of a rung that is shed."""
        ...

    def explain(self, reason: str | None) -> None:
        """Learn in plain words why something is not made, None when all is."""
        ...


class Steward:
    """Looks after the encoders of a process.

    Args:
        governor: decides.
        broadcasts: those on the air.
        late_s: tells how late the event loop is.
        clock: seconds, never stepping back.
    """

    def __init__(
        self,
        governor: Governor,
        broadcasts: Callable[[], Iterable[Governed]],
        late_s: Callable[[], float],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._governor = governor
        self._broadcasts = broadcasts
        self._late_s = late_s
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self.actions: Counter[str] = Counter({name.__name__.lower(): 0 for name in WORDS})
        """What has been ordered so far, by kind."""

    @property
    def capacity(self) -> float:
        """Cores that encoders may use, as far as it is known."""
        return self._governor.capacity

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._watch())

    def close(self) -> None:
        """Leave the encoders alone."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def admits(self, stream_id: str, rung: str, estimate: float, base_estimate: float) -> bool:
        """Tell whether a rung of a broadcast may wake, guessed to cost so many cores, and so many for decoding."""
        loads = [load for load in (governed.load() for governed in self._broadcasts()) if load is not None]
        return self._governor.admits(
            self._clock(), loads, stream_id, rung, estimate=estimate, base_estimate=base_estimate
        )

    def look(self) -> None:
        """Decide once, and carry it out."""
        governed = {load.id: (one, load) for one in self._broadcasts() if (load := one.load()) is not None}
        loads = [load for _, load in governed.values()]
        for action in self._governor.decide(self._clock(), loads, self._late_s()):
            one, load = governed[action.id]
            self._tell(action, load)
            _carry_out(action, one)
        reasons = self._governor.reasons()
        for stream_id, (one, _) in governed.items():
            one.explain(reasons.get(stream_id))

    def _tell(self, action: Action, load: BroadcastLoad) -> None:
        self.actions[type(action).__name__.lower()] += 1
        rung = next((rung for rung in load.rungs if rung.name == action.rung), None)
        facts: dict[str, object] = {"stream_id": action.id, "rung": action.rung}
        if isinstance(action, Cheapen | Enrich):
            facts["preset"] = action.preset
        elif isinstance(action, Shed):
            facts["at_once"] = action.at_once
        if rung is not None and rung.cost is not None:
            facts["cost"] = round(rung.cost, 2)
        log.info(WORDS[type(action)], **facts, lag_s=round(load.lag_s, 2), capacity=round(self.capacity, 2))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                self.look()
            except Exception:
                # One broadcast's fault must not leave the others without anybody who looks after them.
                log.exception("the encoders could not be looked after")


def _carry_out(action: Action, governed: Governed) -> None:
    match action:
        case Shed(rung=rung, at_once=at_once):
            governed.shed(rung, at_once=at_once)
        case Restore(rung=rung):
            governed.restore(rung)
        case Cheapen(rung=rung, preset=preset) | Enrich(rung=rung, preset=preset):
            governed.set_preset(rung, preset)


def usable_cores(cgroup: Path = CGROUP) -> float:
    """Count the cores that this process may use: its affinity, bounded by the quota of its control group."""
    count = float(len(os.sched_getaffinity(0)))
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        return min(count, int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return count  # no such file, or "max": no bound
