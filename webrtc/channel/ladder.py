"""The rungs of a broadcast, and what is known of them together."""

from __future__ import annotations

from collections.abc import Sequence

from webrtc.port import Rung
from webrtc.rtp.burst import Burst

from .keyframe_request import KeyframeRequests
from .place import NEVER_PTS
from .rung_flow import RungFlow
from .start import choose_stand_in, choose_start
from .viewer import Viewer

ON_ITS_WAY_S = 0.15
"""Frames that were kept come this soon after a rung is wanted; only then is a keyframe asked for."""
_FRESH_TICKS = 1.5 * 90_000


class Ladder:
    """A channel's. Rungs share an SSRC and a clock."""

    def __init__(self, ssrc: int, timestamp_base: int) -> None:
        self.flows: dict[str, RungFlow] = {}
        """Best first."""
        self.requests = KeyframeRequests()
        self.newest_pts = NEVER_PTS
        """Of all that came, sound too."""
        self.newest_at = 0.0
        self._ssrc = ssrc
        self._timestamp_base = timestamp_base

    def declare(self, rungs: Sequence[Rung]) -> list[RungFlow]:
        """Learn which rungs there are; return those that are not there any more."""
        before = self.flows
        self.flows = {}
        for rung in rungs:
            flow = before.get(rung.name) or RungFlow(rung, self._ssrc, self._timestamp_base)
            flow.rung = rung
            self.flows[rung.name] = flow
        gone = [flow for name, flow in before.items() if name not in self.flows]
        for flow in gone:
            self.requests.forget(flow.name)
        return gone

    def forget(self, name: str) -> None:
        """Let go of what was kept of a rung that nobody wants."""
        self.requests.forget(name)
        if name in self.flows:
            self.flows[name].forget()

    def note_media(self, pts: int, now: float) -> None:
        """Learn how far the broadcast is."""
        self.newest_pts = max(self.newest_pts, pts)
        self.newest_at = now

    def newest(self) -> tuple[int, float]:
        """Return the newest `pts` of all that came, and when something came last."""
        return self.newest_pts, self.newest_at

    def ask(self, flow: RungFlow, after_pts: int, now: float) -> None:
        """Have a keyframe of a rung made; where frames do not come yet, only if none is among the first."""
        wait_s = 0.0 if flow.is_flowing(now) else ON_ITS_WAY_S
        self.requests.ask(flow.name, max(0, after_pts), now, wait_s=wait_s)

    def find_start(self) -> RungFlow | None:
        """Return what viewers begin with."""
        rung = choose_start([flow.rung for flow in self.flows.values()])
        return self.flows[rung.name] if rung is not None else None

    def find_stand_in(self, flow: RungFlow) -> RungFlow | None:
        """Return what may be shown while `flow` cannot be."""
        rungs = [other.rung for other in self.flows.values()]
        rung = choose_stand_in(rungs, flow.rung, lambda other: self._has_keyframe(self.flows[other.name]))
        return self.flows[rung.name] if rung is not None else None

    def find_kept(self, viewer: Viewer) -> tuple[RungFlow, Burst] | None:
        """Find a keyframe that was kept of a rung a viewer wants, and that he can go on with."""
        for flow in viewer.place.goals:
            burst = flow.kept_keyframe(viewer.place.last_pts) if self._is_fresh(flow) else None
            if burst is not None:
                return flow, burst
        return None

    def _has_keyframe(self, flow: RungFlow) -> bool:
        return self._is_fresh(flow) and flow.kept_keyframe(NEVER_PTS) is not None

    def _is_fresh(self, flow: RungFlow) -> bool:
        """Tell whether a rung is about as far as the broadcast is."""
        return flow.newest_pts >= self.newest_pts - _FRESH_TICKS
