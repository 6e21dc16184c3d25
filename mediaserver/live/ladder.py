"""The rungs that encoders fill: each is made while somebody asks for it, or cannot be at present.

```
 DORMANT ──asked for──► AWAKE ──nobody asks for 30 s──► STOPPING ──► DORMANT
   parts are promised     │ shed                           ▲
                          └──────────► SHED ──restored─────┘ (AWAKE with a segment)
                                       parts are gaps
```
Rungs begin and stop where segments begin, but for one that wakes: it begins where the open segment did. What has been
promised before is made when it is asked for (`promises`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace

import structlog

from hls.output import HlsOutput
from hls.variant import VariantState
from media.packet import VideoTrack
from transcode.rung import RungSpec

from .declaration import Declaration
from .demand import Demand
from .encoding import Encoding
from .introduction import Introduction
from .ladder_rung import AskedRung, LadderRung, Phase
from .past import SegmentRenderer
from .promises import Promises

log = structlog.get_logger(__name__)

SHED_LINGER_S = 120.0
"""How long a rung that was shed is wanted though nobody can ask for it. Then it is offered again, and whoever comes
wakes it if the machine can carry it."""


class Ladder:
    """Decides when each encoded rung of a broadcast is made.

    Args:
        stream_id: names the broadcast in logs.
        output: the HLS side.
        declared: has the writers.
        encoding: the encoders.
        renderer: makes what has passed; None: every rung is encoded all the time.
        admit: asked before a rung wakes, whether the machine can carry it.
        on_change: called when a rung has begun or stopped to be made.
        clock: seconds, never stepping back.
    """

    def __init__(
        self,
        stream_id: str,
        output: HlsOutput,
        declared: Declaration,
        encoding: Encoding,
        renderer: SegmentRenderer | None,
        *,
        admit: Callable[[RungSpec], bool] = lambda _: True,
        on_change: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log.bind(stream_id=stream_id)
        self._output = output
        self._timeline = output.timeline
        self._declared = declared
        self._encoding = encoding
        self._renderer = renderer
        self._promises: Promises | None = None
        self._introduction: Introduction | None = None
        if renderer is not None:
            self._promises = Promises(stream_id, output, declared, renderer, self._on_made)
            self._introduction = Introduction(stream_id, renderer, self._unknown, self._on_known)
        self._admit = admit
        self._on_change = on_change
        self._clock = clock
        self._rungs: dict[str, LadderRung] = {}
        self._carried: set[str] = set()  # the rungs that this run fills by encoders
        self._filled_until = 0
        self.demand = Demand()
        output.on_request = self.on_request

    def phase(self, name: str) -> Phase | None:
        """Tell how a rung is made; None when no encoder fills it in this run."""
        return self._rungs[name].phase if name in self._carried else None

    def spec_at(self, name: str, position: int) -> RungSpec | None:
        """Say what a rung was at a place on the timeline, with its own preset; None when no encoder filled it."""
        rung = self._rungs.get(name)
        spec = rung.spec_at(position) if rung is not None else None
        return replace(spec, preset=rung.own_preset) if rung is not None and spec is not None else None

    # Runs.

    def begin(self, spec: RungSpec, at: int) -> None:
        """Let encoders fill a rung from `at` on, where a segment begins."""
        rung = self._rungs.setdefault(spec.name, LadderRung(spec, spec.preset))
        self._carried.add(spec.name)
        rung.become(spec, at)
        if rung.track is not None:
            # Something else may have filled it meanwhile.
            self._declared.writers[spec.name].set_track(rung.track, at)
        self._begin(rung, at)

    def leave(self, names: Collection[str]) -> None:
        """Take note that something else fills these rungs from now on."""
        for name in self._carried.intersection(names):
            self._rungs[name].phase = Phase.DORMANT
            self._rungs[name].awaited.clear()
            self._set_state(name, VariantState.ACTIVE)
        self._carried.difference_update(names)

    def cut(self, at: int) -> None:
        """Let rungs begin and stop: a segment begins at `at`, whose frame has not come."""
        for rung in self._present():
            name = rung.name
            if rung.phase is Phase.WAITING:
                self._declared.writers[name].promise(at)
                self._wake_at(rung, at)
                self._settle(rung)
            elif rung.phase is Phase.SHED and not (rung.is_shed and self._is_wanted(name)):
                self._declared.writers[name].advance(at)
                rung.shed_at = None
                self._begin(rung, at)
            elif rung.phase is Phase.AWAKE and (rung.is_shed or not self._is_wanted(name)):
                self._stop(rung, at)
            elif rung.phase is Phase.AWAKE and self._encoding.spec(name) != rung.spec:
                self._encoding.encode(rung.spec, at)
            elif rung.phase is Phase.DORMANT and rung.awaited:
                self._fill(rung, at)
                self._settle(rung)
        self._learn()

    def advance(self) -> None:
        """Publish what the timeline has of the rungs that are not made."""
        if self._timeline.frontier != self._filled_until:
            self._filled_until = self._timeline.frontier
            for rung in self._present():
                self._fill(rung, self._filled_until)

    def end_run(self, at: int) -> None:
        """End a run of the source at `at`, where the timeline has closed its segment."""
        for rung in self._present():
            self._fill(rung, at)
            self._settle(rung)

    async def close(self) -> None:
        """Let nothing wake any more; what has been promised is still made: players read the end of a broadcast."""
        if self._introduction is not None:
            await self._introduction.close()

    # Demand.

    def on_request(self, name: str, msn: int) -> None:
        """Take note that media of a rung has been asked for."""
        rung = self._rungs.get(name)
        if rung is None or self._promises is None:
            return
        if self._promises.is_near(msn):
            self.demand.note(name, self._clock())
        item = self._declared.writers[name].rendition.item(msn)
        if item is None or not item.segment.is_closed:
            self._wake(rung)
        self._promises.request(rung, msn, is_carried=name in self._carried)

    def watch(self, name: str, viewers: int) -> None:
        """Take note that so many viewers get a rung as it is made, from now on; again every few seconds."""
        rung = self._rungs.get(name)
        if rung is None or self._renderer is None:
            return
        self.demand.note_viewers(name, viewers, self._clock())
        if viewers:
            self._wake(rung)

    # What the machine can carry.

    def asked(self) -> list[AskedRung]:
        """List the rungs that are asked for, as they are now: an order shows with the segment that it waits for."""
        now = self._clock()
        return [
            AskedRung(
                (rung.phase is Phase.AWAKE and self._encoding.spec(rung.name)) or rung.spec,
                rung.own_preset,
                rung.phase is Phase.SHED,
                self.demand.rate(rung.name, now),
            )
            for rung in self._present()
            if rung.phase in (Phase.AWAKE, Phase.WAITING, Phase.SHED) or rung.is_shed
        ]

    def shed(self, name: str, *, at_once: bool = False) -> None:
        """Make a rung no more, from the next segment on or at once: its parts are gaps."""
        rung = self._rungs[name]
        if not rung.is_shed:
            rung.shed_at = self._clock()
        if rung.phase is Phase.WAITING or (at_once and rung.phase is Phase.AWAKE):
            self._encoding.stop(name)
            self._sleep(rung)

    def restore(self, name: str) -> None:
        """Make a rung again, from the next segment on."""
        self._rungs[name].shed_at = None

    def set_preset(self, name: str, preset: str) -> None:
        """Encode a rung with another preset from the next segment on; its parameter sets stay."""
        rung = self._rungs[name]
        rung.spec = replace(rung.spec, preset=preset)

    # Within.

    def _set_state(self, name: str, state: VariantState) -> None:
        self._output.set_state(name, state)
        self._on_change()

    def _settle(self, rung: LadderRung) -> None:
        if self._promises is not None:
            self._promises.settle(rung)

    def _present(self) -> list[LadderRung]:
        return [self._rungs[name] for name in self._carried]

    def _is_wanted(self, name: str) -> bool:
        shed_at, now = self._rungs[name].shed_at, self._clock()
        if shed_at is not None and now - shed_at <= SHED_LINGER_S:
            return True
        return self._renderer is None or self.demand.wants(name, now)

    def _begin(self, rung: LadderRung, at: int) -> None:
        if rung.name == self.demand.pinned:
            # What has passed of all others is made from it; it may have been one of many before this run.
            rung.shed_at = None
        if self._is_wanted(rung.name) and not rung.is_shed:
            self._wake_at(rung, at)
        else:
            self._stop(rung, at)

    def _wake(self, rung: LadderRung) -> None:
        """Begin with the open segment, if the rung sleeps."""
        segment = self._timeline.open_segment
        name = rung.name
        if (
            rung.phase is not Phase.DORMANT
            or name not in self._carried
            or segment is None
            or not rung.is_known
        ):
            return
        if not self._admit(rung.spec):
            rung.shed_at = self._clock()
            self._sleep(rung)
            return
        writer = self._declared.writers[name]
        writer.promise(self._timeline.frontier)
        has_place = not segment.part_ends or writer.resume(segment.msn)
        if has_place and self._encoding.encode_open_segment(rung.spec, segment.start):
            rung.phase, rung.awake_from = Phase.AWAKE, segment.start
        else:
            rung.phase = Phase.WAITING
            writer.promise(self._timeline.frontier)
        self._log.info("quality is asked for", rung=name, begins=rung.phase is Phase.AWAKE)
        self._set_state(name, VariantState.ACTIVE)

    def _wake_at(self, rung: LadderRung, at: int) -> None:
        if rung.phase not in (Phase.AWAKE, Phase.STOPPING):
            rung.awake_from = at
        self._encoding.encode(rung.spec, at)
        rung.phase = Phase.AWAKE
        self._set_state(rung.name, VariantState.ACTIVE)

    def _stop(self, rung: LadderRung, at: int) -> None:
        if rung.name in self._encoding.names:
            rung.phase = Phase.STOPPING
            self._encoding.stop_behind(rung.name, at)
        else:
            self._sleep(rung)

    def on_stopped(self, name: str) -> None:
        """Learn that all has come of a rung that was to stop."""
        rung = self._rungs.get(name)
        if rung is None or name not in self._carried or rung.phase is not Phase.STOPPING:
            return
        self._sleep(rung)
        if self._is_wanted(name):
            self._wake(rung)

    def _sleep(self, rung: LadderRung) -> None:
        name = rung.name
        if rung.phase is not Phase.DORMANT or rung.is_shed:
            self._log.info("quality is not made any more", rung=name, shed=rung.is_shed)
        segment, was_promised = self._timeline.open_segment, rung.phase in (Phase.DORMANT, Phase.WAITING)
        if rung.is_shed and was_promised and segment is not None:
            # Nobody will make what has been promised of the open segment: that becomes a gap as well.
            self._declared.writers[name].resume(segment.msn)
        rung.phase = Phase.SHED if rung.is_shed else Phase.DORMANT
        self._set_state(name, VariantState.SHED if rung.is_shed else VariantState.DORMANT)
        self._learn()
        self._fill(rung, self._timeline.frontier)
        self._settle(rung)

    def _fill(self, rung: LadderRung, until: int) -> None:
        writer = self._declared.writers[rung.name]
        if rung.phase is Phase.SHED:
            writer.advance(until)
        elif rung.phase in (Phase.DORMANT, Phase.WAITING) and rung.is_known:
            writer.promise(until)

    def _on_made(self, name: str, msn: int) -> None:
        """Go on live where a player goes on that has got its first segment."""
        rung = self._rungs[name]
        if self._promises is not None and self._promises.is_near(msn) and self._is_wanted(name):
            self._wake(rung)

    def _unknown(self) -> list[LadderRung]:
        return [rung for rung in self._present() if rung.phase is Phase.DORMANT and not rung.is_known]

    def _on_known(self, rung: LadderRung, track: VideoTrack) -> None:
        self._declared.writers[rung.name].set_track(track, rung.began_at)
        rung.track = track
        self._fill(rung, self._timeline.frontier)
        self._settle(rung)
        if self.demand.has_viewers(rung.name, self._clock()):
            self._wake(rung)

    def _learn(self) -> None:
        if self._introduction is not None:
            self._introduction.begin()
