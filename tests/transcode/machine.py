"""A small deterministic model of a machine that encodes broadcasts, under a governor.

Cores are shared fairly, what is too slow falls behind, orders wait for the next segment, and a rung's cost is known
only once it has run for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from media.packet import VideoTrack
from media.rendition import Rendition, renditions_for
from transcode.cost import cheaper_presets, decode_cost, encode_cost, preset_ratio, worth
from transcode.governor import (
    Action,
    BroadcastLoad,
    Cheapen,
    Enrich,
    Governor,
    Restore,
    RungLoad,
    Shed,
)
from transcode.rung import rung_spec

STEP_S = 0.125
LOOK_EVERY = 2
"""Steps between two decisions."""
SEGMENT_S = 2.0
MEASURED_S = 0.6
LEAST_LAG_S = 0.08


@dataclass
class ModelRung:
    """An encoded rung: what it is guessed to cost, and what it does cost."""

    name: str
    presets: tuple[str, ...]
    estimate: float
    """At the best preset."""
    error: float
    viewers: float = 1.0
    preset: str = ""
    is_shed: bool = False
    since: float = 0.0
    wanted: tuple[bool, str] | None = None
    """Shed or not, and the preset, from the next segment on."""
    sheds: list[float] = field(default_factory=list)
    restores: list[float] = field(default_factory=list)

    @property
    def cost(self) -> float:
        return self.estimate * self.error * preset_ratio(self.preset, self.presets[-1])

    def load(self, now: float, *, is_last: bool) -> RungLoad:
        is_measured = not self.is_shed and now - self.since >= MEASURED_S
        return RungLoad(
            self.name,
            self.preset,
            self.presets,
            self.cost if is_measured else None,
            self.estimate * preset_ratio(self.preset, self.presets[-1]),
            worth(self.name, self.viewers),
            self.is_shed,
            is_last,
        )


@dataclass
class ModelBroadcast:
    """A source, its lag, its rungs. Segments begin at whole multiples of their duration."""

    id: str
    base: float
    error: float
    rungs: list[ModelRung]
    has_copy: bool = True
    threads: int = 1
    """That share decoding and scaling."""
    lag_s: float = LEAST_LAG_S
    worst_s: float = 0.0
    speed: float = 1.0

    @property
    def running(self) -> list[ModelRung]:
        return [rung for rung in self.rungs if not rung.is_shed]

    @property
    def use(self) -> float:
        return self.base * self.error + sum(rung.cost for rung in self.running) if self.running else 0.0

    @property
    def fastest(self) -> float:
        """Times real time that its slowest thread allows."""
        return 1 / max(self.base * self.error / self.threads, *(rung.cost for rung in self.running), 0.1)

    def load(self, now: float) -> BroadcastLoad:
        is_only = not self.has_copy and len(self.running) == 1
        rungs = [rung.load(now, is_last=is_only and not rung.is_shed) for rung in self.rungs]
        is_measured = bool(self.running) and now >= MEASURED_S
        return BroadcastLoad(
            self.id,
            self.lag_s,
            self.base * self.error if is_measured else None,
            self.base,
            tuple(rungs),
            has_copy=self.has_copy,
        )


class Machine:
    """Runs broadcasts under a governor.

    Args:
        cores: of the machine.
        neighbour: cores that somebody else takes, by time.
    """

    def __init__(self, cores: float, neighbour: Callable[[float], float] = lambda _: 0.0) -> None:
        self.cores = cores
        self.governor = Governor(cores)
        self.neighbour = neighbour
        self.broadcasts: list[ModelBroadcast] = []
        self.now = 0.0
        self.actions: list[tuple[float, Action]] = []
        self._steps = 0

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self._step()

    def count(self, kind: type[Action], since: float = 0.0) -> int:
        return sum(1 for at, action in self.actions if isinstance(action, kind) and at >= since)

    def restore_distances(self) -> Iterator[float]:
        times = [at for at, action in self.actions if isinstance(action, Restore)]
        yield from (later - earlier for earlier, later in pairwise(times))

    def _step(self) -> None:
        self._steps += 1
        before, self.now = self.now, self._steps * STEP_S
        if int(self.now / SEGMENT_S) > int(before / SEGMENT_S):
            for broadcast in self.broadcasts:
                for rung in broadcast.rungs:
                    self._begin_segment(rung)
        self._encode()
        if self._steps % LOOK_EVERY == 0:
            loads = [broadcast.load(self.now) for broadcast in self.broadcasts]
            for action in self.governor.decide(self.now, loads):
                self.actions.append((self.now, action))
                self._order(action)

    def _begin_segment(self, rung: ModelRung) -> None:
        if rung.wanted is None:
            return
        is_shed, preset = rung.wanted
        rung.wanted = None
        if (is_shed, preset) != (rung.is_shed, rung.preset):
            rung.is_shed, rung.preset, rung.since = is_shed, preset, self.now

    def _encode(self) -> None:
        """Share the cores fairly: whoever needs less than its share leaves the rest to the others."""
        left = max(0.05 * self.cores, self.cores - self.neighbour(self.now))
        waiting = sorted(
            (broadcast for broadcast in self.broadcasts if broadcast.running),
            key=self._demand,
        )
        for index, broadcast in enumerate(waiting):
            got = min(self._demand(broadcast), left / (len(waiting) - index))
            left -= got
            broadcast.speed = got / broadcast.use
        for broadcast in self.broadcasts:
            if not broadcast.running:
                broadcast.lag_s = LEAST_LAG_S
                continue
            lag_s = broadcast.lag_s + STEP_S * (1 - broadcast.speed)
            broadcast.lag_s = max(LEAST_LAG_S, lag_s)
            broadcast.worst_s = max(broadcast.worst_s, broadcast.lag_s)

    def _demand(self, broadcast: ModelBroadcast) -> float:
        is_behind = broadcast.lag_s > LEAST_LAG_S
        return broadcast.use * (broadcast.fastest if is_behind else min(1.0, broadcast.fastest))

    def _order(self, action: Action) -> None:
        (broadcast,) = (one for one in self.broadcasts if one.id == action.id)
        (rung,) = (one for one in broadcast.rungs if one.name == action.rung)
        is_shed, preset = rung.wanted or (rung.is_shed, rung.preset)
        match action:
            case Shed(at_once=at_once):
                rung.wanted = True, preset
                rung.sheds.append(self.now)
                if at_once:
                    self._begin_segment(rung)
            case Restore():
                rung.wanted = False, preset
                rung.restores.append(self.now)
            case Cheapen() | Enrich():
                rung.wanted = is_shed, action.preset


def broadcast(
    name: str,
    width: int,
    height: int,
    *,
    top_copied: bool = True,
    error: float = 1.0,
    threads: int = 1,
    viewers: float = 1.0,
) -> ModelBroadcast:
    """Describe a broadcast with all rungs asked for, as the server would."""
    video = VideoTrack("h264", b"", "", width, height, None)
    found = [rung for rung in renditions_for(width, height) if not (top_copied and rung.is_source)]
    models = [_rung(rung, width * height, error, viewers) for rung in found]
    return ModelBroadcast(name, decode_cost(video), error, models, has_copy=top_copied, threads=threads)


def _rung(rendition: Rendition, source_pixels: int, error: float, viewers: float) -> ModelRung:
    spec = rung_spec(rendition, None, source_pixels=source_pixels)
    presets = cheaper_presets(spec.preset)
    return ModelRung(rendition.name, presets, encode_cost(spec), error, viewers, preset=spec.preset)
