"""Which rung suits a viewer's path. Pure policy; `switchboard` carries it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .path_quality import PathQuality

HEADROOM = 1.25
"""What the path should carry of a rung's bitrate before that is chosen: bitrates vary, and keyframes are large."""
MUCH_TOO_LOW = 0.8
"""A receiver that was late itself takes that for a queue, once, and its estimate for 0.85 of what came: nothing but the
estimate says so then, and that is not enough."""
SETTLE_S = 5.0
"""No way up sooner after a change: the estimate has to learn the new rung first."""
_TRIAL_S = 15.0
"""A way down sooner after one up means that it was too much."""
_MAX_BACK_OFF_S = 60.0


class Step(NamedTuple):
    """A rung as the estimate sees it."""

    name: str
    bitrate_bps: int
    """Measured where it runs, else planned."""


class Choice(NamedTuple):
    """A rung that suits better than the present one."""

    name: str
    is_urgent: bool
    """The present one fills a queue on the way: better no picture for a moment than more of it."""


class Estimate:
    """One viewer's.

    Down: at once when the receiver's estimate (REMB) falls below what is sent and packets already wait on the way;
    one step when much is lost for two reports in a row, or very much in one. Loss alone, as radio links have it, does
    not lead down as long as the estimate holds.

    Up: when the estimate says so; or, since Chromium's is at most 1.5 times what it gets, after some quiet seconds for
    a trial. A rung that was too much is tried again later and later, up to a minute.
    """

    def __init__(self, now: float) -> None:
        self.path = PathQuality(now)
        self._changed_at = now
        self._climbed_at: float | None = None
        self._back_off_s = SETTLE_S
        self._no_climb_before = now
        self._low_since: float | None = None

    def note_change(self, *, is_up: bool, now: float) -> None:
        """Learn that the viewer gets another rung now, by this policy."""
        if is_up:
            self._climbed_at = now
        elif self._climbed_at is not None:
            failed = now - self._climbed_at < _TRIAL_S
            self._back_off_s = min(_MAX_BACK_OFF_S, 2 * self._back_off_s) if failed else SETTLE_S
            self._no_climb_before = now + self._back_off_s
            self._climbed_at = None
        self._changed_at = now
        self._low_since = None

    def choose(self, ladder: Sequence[Step], current: str, now: float) -> Choice | None:
        """Choose another rung, or None where the present one is right.

        Args:
            ladder: what there is, best first.
            current: the one the viewer gets; one that is not in the ladder is left alone.
            now: monotonic seconds.
        """
        at = next((index for index, step in enumerate(ladder) if step.name == current), None)
        if at is None:
            return None
        below = ladder[at + 1 :]
        if below and (choice := self._choose_down(ladder[at], below, now)):
            return choice
        return self._choose_up(ladder[at], ladder[:at], now) if at else None

    def _choose_down(self, step: Step, below: Sequence[Step], now: float) -> Choice | None:
        path = self.path
        bandwidth_bps = path.bandwidth_bps(now)
        self._note_low(bandwidth_bps, step, now)
        since_change_s = now - self._changed_at
        if bandwidth_bps is not None and self._low_since is not None and since_change_s >= 1.0:
            low_s = now - self._low_since
            is_collapsed = bandwidth_bps < 0.5 * step.bitrate_bps
            if (path.is_queue_growing or path.losses[-1] >= 0.1) and (is_collapsed or low_s >= 0.4):
                return Choice(_fit(below, bandwidth_bps), is_urgent=True)
            is_evident = bandwidth_bps < MUCH_TOO_LOW * step.bitrate_bps or path.losses[-1] >= 0.02
            if (is_evident or path.is_queue_growing) and low_s >= (1.5 if is_collapsed else 3.0):
                return Choice(_fit(below, bandwidth_bps), is_urgent=False)
        if since_change_s < 2.0:
            return None
        if bandwidth_bps is None and path.queue_s > 0.25:
            return Choice(below[0].name, is_urgent=True)
        if path.losses[-1] >= 0.3 or (min(path.losses) >= 0.1 and not self._is_carried(bandwidth_bps, step)):
            return Choice(below[0].name, is_urgent=False)
        return None

    def _note_low(self, bandwidth_bps: int | None, step: Step, now: float) -> None:
        if bandwidth_bps is None or bandwidth_bps >= 0.9 * step.bitrate_bps:
            self._low_since = None
        elif self._low_since is None or self.path.is_bandwidth_rising:
            self._low_since = now  # while it rises, the receiver still learns

    def _is_carried(self, bandwidth_bps: int | None, step: Step) -> bool:
        """Tell whether losses come from the path as it is, not from what is sent on it."""
        if bandwidth_bps is None or self.path.is_queue_growing:
            return False
        return bandwidth_bps >= step.bitrate_bps and min(self.path.losses) < 0.2

    def _choose_up(self, step: Step, above: Sequence[Step], now: float) -> Choice | None:
        path = self.path
        if now - self._changed_at < SETTLE_S or now < self._no_climb_before:
            return None
        if path.is_queue_growing or path.losses[-1] >= 0.1:
            return None
        bandwidth_bps = path.bandwidth_bps(now)
        if bandwidth_bps is not None:
            for better in above:
                if bandwidth_bps >= HEADROOM * better.bitrate_bps:
                    return Choice(better.name, is_urgent=False)
            if bandwidth_bps < 1.1 * step.bitrate_bps:
                return None
        return Choice(above[-1].name, is_urgent=False) if path.is_quiet(now) else None


def _fit(below: Sequence[Step], bandwidth_bps: int) -> str:
    """Return the best rung that fits, else the smallest. The receiver's estimate is below what the path carries."""
    fitting = (step.name for step in below if step.bitrate_bps <= 0.95 * bandwidth_bps)
    return next(fitting, below[-1].name)
