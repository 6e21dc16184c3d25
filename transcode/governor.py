"""Never behind live: what the encoders of all broadcasts make, decided for the machine as a whole. Pure.

Lag is the proof that too much is made; costs say what helps. When lag grows, the machine has given what it can: what
was got out of it is its capacity from then on, and the rungs that are worth most within it stay. That capacity rises
again slowly, and what was taken away comes back one by one, each failure making the next attempt later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from transcode.capacity import CALM_S, MUCH_S, Capacity, LagTrend
from transcode.choice import choose
from transcode.governed import Action, BroadcastLoad, Cheapen, Enrich, Restore, RungLoad, Shed
from transcode.history import MAX_RESTORE_S, History
from transcode.pricing import Pricing
from transcode.reason import reasons
from transcode.restoration import Restoration
from transcode.survey import STRAINED, Survey

__all__ = ["Action", "BroadcastLoad", "Cheapen", "Enrich", "Governor", "Restore", "RungLoad", "Shed"]

SETTLE_S = 2.5
"""After something was taken away, before more is: it goes at the start of a segment, and lag takes time to fall."""

SETTLE_AT_ONCE_S = 1.25

LOOK_S = 1.0
"""How often something that could be given back is looked for."""

START_S = 3.0
"""How long encoders that begin are left alone, unless they are measured before: a worker has to be found, and the
first rung begins where the open segment did, which is caught up with."""

SEGMENT_S = 2.0
"""How long a shed may wait for the start of a segment; lag grows meanwhile."""

LIMIT_S = 1.0
"""Nobody is to be further behind live."""

ROOM = 0.95
"""Share of the capacity that may be filled by something new."""

CATCH_UP = 0.92
"""Share of it that is left when lag has to fall."""

IMPOSSIBLE = 1.1
"""Times the cores there are: so much cannot be done, whatever errors measurements have."""

FORGET_S = MAX_RESTORE_S
"""How long a broadcast is remembered that has nothing to encode."""

LATE_LOOP_S = 0.3
"""The server's own event loop is so late, twice in a row: encoders leave it no room."""


class Governor:
    """Decides for all broadcasts of one server.

    Args:
        cores: that this process may use.
    """

    def __init__(self, cores: float) -> None:
        self._cores = cores
        self._capacity = Capacity(cores)
        self._trends: dict[str, LagTrend] = {}
        self._history = History()
        self._pricing = Pricing()
        self._settled_at = self._restored_at = float("-inf")
        self._looked_at: float | None = None
        self._was_loop_late = False
        self._began: dict[str, float] = {}  # since when something is made of a broadcast
        self._seen: dict[str, float] = {}
        self._reasons: Mapping[str, str] = {}

    @property
    def capacity(self) -> float:
        """Cores that encoders may use, as far as it is known."""
        return self._capacity.cores

    def reasons(self) -> Mapping[str, str]:
        """Say in plain words, by id of broadcast, what is not made or made with less effort, and why."""
        return self._reasons

    def decide(self, now: float, loads: Sequence[BroadcastLoad], late_s: float = 0.0) -> list[Action]:
        """Decide what has to change now.

        Args:
            now: seconds on a clock that never goes back.
            loads: of all broadcasts of which encoded rungs are asked for.
            late_s: how late the server's event loop is.
        """
        elapsed = 0.0 if self._looked_at is None else now - self._looked_at
        self._looked_at = now
        self._observe(now, loads)
        survey = Survey(now, loads, self._history, self._pricing)
        is_loop_late, self._was_loop_late = (
            late_s >= LATE_LOOP_S and self._was_loop_late,
            late_s >= LATE_LOOP_S,
        )
        late = [load for load in loads if self._trends[load.id].is_late]
        is_impossible = survey.is_measured and survey.use > IMPOSSIBLE * self._cores
        actions: list[Action] = []
        if late or is_loop_late or is_impossible:
            actions = self._lower(survey, late)
        elif all(self._trends[load.id].lag_s < CALM_S for load in loads):
            self._capacity.rise(elapsed, survey.use if survey.is_measured else 0.0)
            actions = self._raise(survey)
        self._reasons = reasons(survey, self.capacity)
        return actions

    def admits(
        self,
        now: float,
        loads: Sequence[BroadcastLoad],
        stream_id: str,
        rung: str,
        *,
        estimate: float,
        base_estimate: float,
    ) -> bool:
        """Tell whether another rung may wake now.

        Args:
            now: as in `decide`.
            loads: likewise, rungs that were let in a moment ago included.
            stream_id: the rung's broadcast.
            rung: its name.
            estimate: what the rung will cost, guessed.
            base_estimate: what decoding will cost if it does not run for another rung already.
        """
        survey = Survey(now, loads, self._history, self._pricing)
        if not survey.use:
            return True
        if any(trend.is_late for trend in self._trends.values()) or now < self._settled_at:
            return False
        key = stream_id, rung
        use = survey.use + self._pricing.waking(key, estimate)
        if not any(load.id == stream_id and survey.running(load) for load in loads):
            use += self._pricing.guess(base_estimate)
        if use > ROOM * self.capacity or not self._history.may_raise(key, now, use):
            return False
        self._history.wake(now, key)
        return True

    def _observe(self, now: float, loads: Sequence[BroadcastLoad]) -> None:
        self._trends = {load.id: self._trends.get(load.id) or LagTrend() for load in loads}
        made = [load for load in loads if not all(rung.is_shed for rung in load.rungs)]
        self._began = {load.id: self._began.get(load.id, now) for load in made}
        for load in loads:
            is_beginning = load.base_cost is None and now - self._began.get(load.id, now) < START_S
            if is_beginning:
                self._trends[load.id].forget()
            else:
                self._trends[load.id].add(now, load.lag_s)
        # A rung that sleeps, and a broadcast between two encoders, is not another one when it comes back.
        self._seen |= {load.id: now for load in loads}
        self._seen = {stream: at for stream, at in self._seen.items() if now - at <= FORGET_S}
        self._history.keep(self._seen)
        self._pricing.keep(self._seen, now - FORGET_S)
        self._pricing.learn(now, loads)

    def _raise(self, survey: Survey) -> list[Action]:
        if survey.now < max(self._settled_at, self._restored_at + LOOK_S):
            return []
        self._restored_at = survey.now
        return Restoration(survey, self._history, ROOM * self.capacity).actions()

    def _lower(self, survey: Survey, late: Sequence[BroadcastLoad]) -> list[Action]:
        trends = [self._trends[load.id] for load in late]
        is_urgent = any(
            trend.lag_s >= MUCH_S or trend.lag_s + SEGMENT_S * trend.growth >= LIMIT_S for trend in trends
        )
        if survey.now < self._settled_at:
            is_growing = any(trend.growth > 0 for trend in trends)
            hurried = list(self._hurry(survey)) if is_urgent and is_growing else []
            if hurried:
                self._settled_at = min(self._settled_at, survey.now + SETTLE_AT_ONCE_S)
            return hurried
        blamed = [load for load in late if survey.is_strained(load)]
        actions: list[Action] = []
        if blamed and len(blamed) == len(late) and survey.use <= ROOM * self.capacity:
            for load in blamed:
                actions += self._relieve(survey, load, is_urgent)
        else:
            self._capacity.fall(self._got(survey), survey.use)
            actions += list(self._undo(survey, is_urgent)) or self._fit(survey, is_urgent)
        if actions:
            sheds = [(action.id, action.rung) for action in actions if isinstance(action, Shed)]
            cheapens = [(action.id, action.rung) for action in actions if isinstance(action, Cheapen)]
            self._history.lower(survey.now, survey.use, sheds=sheds, cheapens=cheapens)
            self._settled_at = survey.now + (SETTLE_AT_ONCE_S if is_urgent and sheds else SETTLE_S)
        return actions

    def _got(self, survey: Survey) -> float:
        """Tell how many cores have worked: a broadcast that loses 0.3 s each second gets 0.7 of what it wants.

        Never less than half: a trend of a second is too rough for more, and the next look is soon.
        """
        return sum(
            survey.use_of(load) * (1 - min(0.5, max(0.0, self._trends[load.id].growth)))
            for load in survey.loads
        )

    def _hurry(self, survey: Survey) -> Iterator[Action]:
        """Order again, at once, what still waits for its segment."""
        for load in survey.loads:
            for rung in load.rungs:
                key = load.id, rung.name
                if not rung.is_shed and self._history.is_leaving(key, survey.now):
                    self._history.hurry(key, survey.now)
                    yield Shed(load.id, rung.name, at_once=True)

    def _undo(self, survey: Survey, at_once: bool) -> Iterator[Action]:
        """Take back what was given lately: it has been too much."""
        for load in survey.loads:
            for rung in survey.spare(load):
                key = load.id, rung.name
                if not self._history.is_on_probation(key, survey.now):
                    continue
                index = rung.presets.index(rung.preset)
                if not self._history.was_enriched(key):
                    yield Shed(load.id, rung.name, at_once)
                elif index > 0:
                    yield Cheapen(load.id, rung.name, rung.presets[index - 1])

    def _fit(self, survey: Survey, at_once: bool) -> Iterator[Action]:
        groups = [survey.group(load, survey.running(load)) for load in survey.loads]
        chosen = choose(groups, CATCH_UP * min(self.capacity, survey.use))
        return survey.reductions(chosen, at_once=at_once)

    def _relieve(self, survey: Survey, load: BroadcastLoad, at_once: bool) -> Iterator[Action]:
        """Take from a broadcast whose own thread is the limit: its dearest rung gets cheaper, or goes."""
        running = survey.spare(load)
        if (
            running
            and survey.price(load, running[0]) >= STRAINED
            and running[0].preset != running[0].presets[0]
        ):
            yield Cheapen(load.id, running[0].name, running[0].presets[0])
            return
        # Where decoding is the limit each rung less helps a little, by its scaling.
        is_rungs_fault = bool(running) and survey.price(load, running[0]) >= STRAINED
        count = 1 if is_rungs_fault or not at_once else (len(running) + 1) // 2
        for rung in running[:count]:
            yield Shed(load.id, rung.name, at_once)
