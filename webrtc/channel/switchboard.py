"""Who gets which rung, and when he changes to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from webrtc.port import Rung, VideoFrame
from webrtc.rtp.burst import Burst
from webrtc.rtp.fanout import FanOut

from .course import GIVE_UP_S, Course
from .event import ChannelEvent
from .ladder import ON_ITS_WAY_S, Ladder
from .place import Mode
from .placement import HOLD_S, TICK_S, Placement
from .rung_flow import RungFlow
from .viewer import Viewer

_MAX_HOLD_S = 1.5
"""For a rung that is known to be further behind than `HOLD_S`. One that is even more can only be gone to from others
that are."""
_UPKEEP_S = 0.1


class Switchboard:
    """The viewers of a broadcast who have a picture, and its rungs.

    Frames of one rung go to all who are live on it in one go. Everything else happens between two frames of a rung:
    a viewer enters one at a keyframe whose `pts` is behind all that he got, since timestamps may not go back. Where
    the rung he goes to is further behind than the one he has, as encoded ones are behind the copied one, he is held:
    he gets nothing from a keyframe of the old rung on until the same one comes from the new rung; if it does not, he
    goes on in the old one where he was held, and has missed nothing.

    A picture that is lost on a rung whose keyframes cannot be forced is shown from another rung in the meantime.
    """

    def __init__(self, fanout: FanOut, ladder: Ladder, events: deque[ChannelEvent]) -> None:
        self.ladder = ladder
        self.placement = Placement(fanout, events)
        self.course = Course(ladder, self.placement)
        self.viewers: dict[Viewer, None] = {}
        self._fanout = fanout
        self._ticked_at = 0.0
        self._kept_up_at = 0.0

    # --- viewers

    def add(self, viewer: Viewer, now: float) -> None:
        """Choose a rung for a viewer who is about to connect, so that it is there when he does."""
        self.viewers[viewer] = None
        self.course.begin(viewer, now)

    def connect(self, viewer: Viewer, now: float) -> None:
        """Send to a viewer from the first keyframe on that is to be had."""
        self.placement.wait(viewer, now)
        if viewer.place.is_fixed and viewer.place.wish is not None:
            self.course.aim(viewer, viewer.place.wish, now)
        else:
            self.course.begin(viewer, now)

    def remove(self, viewer: Viewer) -> None:
        """Send nothing more to a viewer."""
        self.placement.remove(viewer)
        self.viewers.pop(viewer, None)

    # --- rungs

    def declare(self, rungs: Sequence[Rung], now: float) -> None:
        """Learn the ladder; viewers of a rung that is gone begin again with another."""
        gone = self.ladder.declare(rungs)
        for viewer in list(self.viewers):
            self._leave(viewer, gone, now)

    def _leave(self, viewer: Viewer, gone: Sequence[RungFlow], now: float) -> None:
        place = viewer.place
        if place.flow in gone:
            if place.mode is not Mode.ABSENT:
                self.placement.wait(viewer, now)
            place.flow = None
        if place.wish is None or place.wish in gone:
            place.is_fixed = False
            self.course.begin(viewer, now)
        elif place.flow is None or any(goal in gone for goal in place.goals):
            self.course.aim(viewer, place.wish, now)

    def receive(self, name: str, frame: VideoFrame, now: float) -> None:
        """Take a frame and send what is due."""
        flow = self.ladder.flows.get(name)
        burst = flow.take(frame, now) if flow is not None else None
        if flow is None or burst is None:
            return
        self.ladder.note_media(burst.pts, now)
        if burst.is_keyframe:
            self.ladder.requests.note_keyframe(name, burst.pts)
        if not flow.live and flow.sent_index == burst.index:
            self._begin(flow, burst, now)
            if not flow.live:
                flow.skip(burst)
                self._finish(flow, now)
                return
        flow.pacer.add(burst, now)
        self._advance(flow, now)

    def _advance(self, flow: RungFlow, now: float) -> None:
        for piece in flow.pacer.due(now):
            burst = piece.burst
            self._begin(flow, burst, now)
            refused = flow.live.send(self._fanout, piece.batches)
            flow.sent_index = burst.index + burst.runs[piece.stop - 1][1]
            for viewer in refused:
                self.placement.fall_behind(viewer, flow, burst, now)
            if flow.is_between:
                self._finish(flow, now)

    def _begin(self, flow: RungFlow, burst: Burst, now: float) -> None:
        """Let viewers come and go before a keyframe; nothing where the frame has begun already."""
        if burst.index < flow.begun_index:
            return
        if burst.is_keyframe:
            for viewer in list(flow.wanting):
                self._arrive(viewer, flow, burst, now)
            for viewer in flow.live:
                if viewer.place.goals:
                    self._depart(viewer, flow, burst, now)
        flow.begin(burst, now)

    def _arrive(self, viewer: Viewer, flow: RungFlow, burst: Burst, now: float) -> None:
        place = viewer.place
        if place.mode is Mode.ABSENT:
            return
        if burst.pts > place.last_pts:
            self.placement.move(viewer, flow, burst, now)
        elif place.is_urgent and place.mode is not Mode.WAITING:
            self.course.hold_for(viewer, flow, now)

    def _depart(self, viewer: Viewer, flow: RungFlow, burst: Burst, now: float) -> None:
        """Hold a viewer at a keyframe of his rung if the same one is about to come from one he wants."""
        place = viewer.place
        if now < place.no_hold_before:
            return
        for goal in place.goals:
            lag_s = (burst.pts - goal.newest_pts) / 90_000
            if goal is flow or not goal.is_flowing(now) or not 0 < lag_s < _MAX_HOLD_S:
                continue
            self.placement.hold(viewer, max(HOLD_S, min(_MAX_HOLD_S, 1.3 * lag_s + 0.1)), now)
            if goal.rung.can_force:  # should the keyframe here be one that was forced
                self.ladder.requests.ask(goal.name, place.last_pts, now, wait_s=lag_s + ON_ITS_WAY_S)
            return

    def _finish(self, flow: RungFlow, now: float) -> None:
        """Let viewers go who waited for the end of a frame, and others come who are level with it."""
        for viewer in list(flow.leaving):
            del flow.leaving[viewer]
            if not self.course.try_goals(viewer, now) and viewer.place.is_urgent:
                self.placement.hold(viewer, HOLD_S, now)
        for viewer in list(flow.catching):
            self.placement.catch_up(viewer, now)

    # --- time

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        self._ticked_at = now
        for flow in self.ladder.flows.values():
            if (due_at := flow.pacer.get_timer()) is not None and due_at <= now:
                self._advance(flow, now)
        for viewer in list(self.placement.catching):
            self.placement.catch_up(viewer, now)
        for viewer in list(self.placement.holding):
            hold = viewer.place.hold
            if hold is not None and now >= hold.until:
                self.placement.resume(viewer, now)
        if now - self._kept_up_at >= _UPKEEP_S:
            self._kept_up_at = now
            self._keep_up(now)

    def _keep_up(self, now: float) -> None:
        for viewer in list(self.placement.waiting):
            self.course.seek(viewer, now)
        if now - self.ladder.newest_at > GIVE_UP_S:
            return  # nothing comes at all: no rung is better than another
        for flow in self.ladder.flows.values():
            if flow.live and flow.silent_s(now) > GIVE_UP_S:
                self.course.leave_stalled(flow, now)

    def get_timer(self) -> float | None:
        """Return when `handle_timer` has something to do; None: only when something comes."""
        timers = [flow.pacer.get_timer() for flow in self.ladder.flows.values()]
        timers.append(self.ladder.requests.get_timer())
        timers += [viewer.place.hold.until for viewer in self.placement.holding if viewer.place.hold]
        if self.placement.catching:
            timers.append(self._ticked_at + TICK_S)
        if self.viewers:
            timers.append(self._kept_up_at + _UPKEEP_S)
        return min((timer for timer in timers if timer is not None), default=None)
