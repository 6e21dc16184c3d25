"""Who gets which rung, and when he changes to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from webrtc.port import Rung, VideoFrame
from webrtc.rtp.burst import Burst
from webrtc.rtp.fanout import FanOut

from .event import ChannelEvent
from .keyframe_request import KeyframeRequests
from .place import NEVER_PTS, Mode
from .placement import HOLD_S, TICK_S, Placement
from .rung_flow import RungFlow
from .start import choose_stand_in, choose_start
from .viewer import Viewer

_MAX_HOLD_S = 1.5
"""For a rung that is known to be further behind than `HOLD_S`."""
_ON_ITS_WAY_S = 0.15
"""Frames that were kept come this soon after a rung is wanted; only then is a keyframe asked for."""
_SOON_S = 0.2
_STAND_IN_S = 0.5
_GIVE_UP_S = 1.5
_FRESH_TICKS = 1.5 * 90_000
_FRESH_KEYFRAME_S = 0.3
"""A picture that is lost this soon after a keyframe was lost before it."""
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

    def __init__(self, fanout: FanOut, ssrc: int, timestamp_base: int, events: deque[ChannelEvent]) -> None:
        self.flows: dict[str, RungFlow] = {}
        """Best first."""
        self.requests = KeyframeRequests()
        self.newest_pts = NEVER_PTS
        """Of all that came, sound too."""
        self.newest_at = 0.0
        self.viewers: dict[Viewer, None] = {}
        self._placement = Placement(fanout, events)
        self._fanout = fanout
        self._ssrc = ssrc
        self._timestamp_base = timestamp_base
        self._ticked_at = 0.0
        self._kept_up_at = 0.0

    @property
    def has_changed(self) -> bool:
        """Whether anybody has moved since this was set to False."""
        return self._placement.has_changed

    @has_changed.setter
    def has_changed(self, has_changed: bool) -> None:
        self._placement.has_changed = has_changed

    def newest(self) -> tuple[int, float]:
        """Return the newest `pts` of all that came, and when something came last."""
        return self.newest_pts, self.newest_at

    # --- rungs

    def forget(self, name: str) -> None:
        """Let go of what was kept of a rung that nobody wants."""
        self.requests.forget(name)
        if name in self.flows:
            self.flows[name].forget()

    def declare(self, rungs: Sequence[Rung], now: float) -> None:
        """Learn the ladder; viewers of a rung that is gone begin again with another."""
        before = self.flows
        self.flows = {}
        for rung in rungs:
            flow = before.get(rung.name) or RungFlow(rung, self._ssrc, self._timestamp_base)
            flow.rung = rung
            self.flows[rung.name] = flow
        gone = [flow for name, flow in before.items() if name not in self.flows]
        for flow in gone:
            self.requests.forget(flow.name)
        for viewer in list(self.viewers):
            self._leave(viewer, gone, now)

    def _leave(self, viewer: Viewer, gone: Sequence[RungFlow], now: float) -> None:
        place = viewer.place
        if place.flow in gone:
            if place.mode is not Mode.ABSENT:
                self._placement.wait(viewer, now)
            place.flow = None
        if place.wish is None or place.wish in gone:
            place.is_fixed = False
            self._begin_with(viewer, now)
        elif place.flow is None or any(goal in gone for goal in place.goals):
            self.aim(viewer, place.wish, now)

    def receive(self, name: str, frame: VideoFrame, now: float) -> None:
        """Take a frame and send what is due."""
        flow = self.flows.get(name)
        burst = flow.take(frame, now) if flow is not None else None
        if flow is None or burst is None:
            return
        self.note_media(burst.pts, now)
        if burst.is_keyframe:
            self.requests.note_keyframe(name, burst.pts)
        if not flow.live and flow.sent_index == burst.index:
            self._begin(flow, burst, now)
            if not flow.live:
                flow.skip(burst)
                self._finish(flow, now)
                return
        flow.pacer.add(burst, now)
        self._advance(flow, now)

    def note_media(self, pts: int, now: float) -> None:
        """Learn how far the broadcast is."""
        self.newest_pts = max(self.newest_pts, pts)
        self.newest_at = now

    def _advance(self, flow: RungFlow, now: float) -> None:
        for piece in flow.pacer.due(now):
            burst = piece.burst
            self._begin(flow, burst, now)
            refused = flow.live.send(self._fanout, piece.batches)
            flow.sent_index = burst.index + burst.runs[piece.stop - 1][1]
            for viewer in refused:
                self._placement.fall_behind(viewer, flow, burst, now)
            if flow.is_between:
                self._finish(flow, now)

    def _begin(self, flow: RungFlow, burst: Burst, now: float) -> None:
        if burst.index < flow.begun_index:
            return
        if burst.is_keyframe:
            for viewer in list(flow.wanting):
                self._arrive(viewer, flow, burst, now)
            for viewer in flow.live:
                if viewer.place.goals:
                    self._depart(viewer, flow, burst, now)
        flow.begin(burst, now)

    def _finish(self, flow: RungFlow, now: float) -> None:
        for viewer in list(flow.leaving):
            del flow.leaving[viewer]
            if not self._try_goals(viewer, now) and viewer.place.is_urgent:
                self._placement.hold(viewer, HOLD_S, now)
        for viewer in list(flow.catching):
            self._placement.catch_up(viewer, now)

    def _arrive(self, viewer: Viewer, flow: RungFlow, burst: Burst, now: float) -> None:
        place = viewer.place
        if place.mode is Mode.ABSENT:
            return
        if burst.pts > place.last_pts:
            self._placement.move(viewer, flow, burst, now)
        elif place.is_urgent and place.mode is not Mode.WAITING:
            self._hold_for(viewer, flow, now)

    def _depart(self, viewer: Viewer, flow: RungFlow, burst: Burst, now: float) -> None:
        """Hold a viewer at a keyframe of his rung if the same one is about to come from one he wants."""
        place = viewer.place
        if now < place.no_hold_before:
            return
        for goal in place.goals:
            lag_s = (burst.pts - goal.newest_pts) / 90_000
            if goal is flow or not goal.is_flowing(now) or not 0 < lag_s < _MAX_HOLD_S:
                continue
            self._placement.hold(viewer, max(HOLD_S, min(_MAX_HOLD_S, 1.3 * lag_s + 0.1)), now)
            if goal.rung.can_force:
                self._ask(goal, place.last_pts, now, wait_s=lag_s + _ON_ITS_WAY_S)
            return

    # --- viewers

    def add(self, viewer: Viewer, now: float) -> None:
        """Choose a rung for a viewer who is about to connect, so that it is there when he does."""
        self.viewers[viewer] = None
        self._begin_with(viewer, now)

    def connect(self, viewer: Viewer, now: float) -> None:
        """Send to a viewer from the first keyframe on that is to be had."""
        self._placement.wait(viewer, now)
        if viewer.place.is_fixed and viewer.place.wish is not None:
            self.aim(viewer, viewer.place.wish, now)
        else:
            self._begin_with(viewer, now)

    def remove(self, viewer: Viewer) -> None:
        """Send nothing more to a viewer."""
        self._placement.remove(viewer)
        self.viewers.pop(viewer, None)

    def _begin_with(self, viewer: Viewer, now: float) -> None:
        rung = choose_start([flow.rung for flow in self.flows.values()])
        if rung is None:
            viewer.place.wish = None
            self._placement.set_goals(viewer, [])
        else:
            self.aim(viewer, self.flows[rung.name], now)

    def aim(self, viewer: Viewer, flow: RungFlow, now: float, *, is_urgent: bool = False) -> None:
        """Have a viewer get `flow` from its next keyframe on that he can go on with.

        Args:
            viewer: of this channel.
            flow: of the ladder.
            now: monotonic seconds.
            is_urgent: rather no picture for a moment than more of the old rung.
        """
        place = viewer.place
        place.wish = flow
        place.is_urgent = is_urgent
        if place.flow is flow and place.hold is not None:
            self._placement.resume(viewer, now)
        if place.flow is flow and place.mode in (Mode.LIVE, Mode.CATCHING_UP):
            self._placement.set_goals(viewer, [])
            return
        self._placement.set_goals(viewer, [flow])
        if place.mode is Mode.ABSENT or self._try_goals(viewer, now):
            return
        if place.mode is Mode.WAITING and place.hold is None:
            self._seek(viewer, now)
        elif is_urgent and flow.is_flowing(now):  # else `_arrive` holds him when it comes
            self._hold_for(viewer, flow, now)

    def lose_picture(self, viewer: Viewer, now: float) -> bool:
        """Take note that a viewer's picture is broken up to the next keyframe; tell whether anything comes of it."""
        place, flow = viewer.place, viewer.place.flow
        if flow is None or place.mode not in (Mode.LIVE, Mode.CATCHING_UP):
            return False
        fresh_s = max(_FRESH_KEYFRAME_S, (viewer.round_trip.rtt_s or 0.0) + TICK_S)
        if now - max(place.entered_at, flow.keyframe_at) < fresh_s:
            return False
        if flow.rung.can_force:
            if not viewer.patience.allows(now):
                return False
            self._ask(flow, flow.newest_pts, now)
            return True
        return self._show_instead(viewer, flow, now)

    def _show_instead(self, viewer: Viewer, flow: RungFlow, now: float) -> bool:
        place = viewer.place
        if flow.is_keyframe_near(now):
            return False
        stand_in = self._find_stand_in(flow)
        if stand_in is None or stand_in.rung.bitrate_bps > flow.rung.bitrate_bps:
            return False
        if stand_in in place.goals or not viewer.patience.allows(now):
            return False
        wish = [place.wish] if place.wish not in (None, flow) else []
        self._placement.set_goals(viewer, [stand_in, *wish])
        place.is_urgent = True
        if not self._try_goals(viewer, now):
            self._hold_for(viewer, stand_in, now)  # what he would get meanwhile is broken
        return True

    def _find_stand_in(self, flow: RungFlow) -> RungFlow | None:
        rungs = [other.rung for other in self.flows.values()]
        rung = choose_stand_in(rungs, flow.rung, lambda rung: self._has_keyframe(self.flows[rung.name]))
        return self.flows[rung.name] if rung is not None else None

    def _has_keyframe(self, flow: RungFlow) -> bool:
        return self._is_fresh(flow) and flow.kept_keyframe(NEVER_PTS) is not None

    def _is_fresh(self, flow: RungFlow) -> bool:
        """Tell whether a rung is about as far as the broadcast is."""
        return flow.newest_pts >= self.newest_pts - _FRESH_TICKS

    def _try_goals(self, viewer: Viewer, now: float) -> bool:
        """Move a viewer to what was kept of a rung he wants, if that is possible."""
        for flow in viewer.place.goals:
            burst = flow.kept_keyframe(viewer.place.last_pts) if self._is_fresh(flow) else None
            if burst is not None:
                self._placement.move(viewer, flow, burst, now)
                return True
        return False

    def _hold_for(self, viewer: Viewer, flow: RungFlow, now: float) -> None:
        """Send nothing more of the old rung to a viewer, and have a keyframe of `flow` made, if that can be soon."""
        place = viewer.place
        if now < place.no_hold_before or not flow.rung.can_force:
            return
        if self.requests.pause_s(flow.name, now) > _SOON_S:
            return
        self._ask(flow, place.last_pts, now, wait_s=0.0 if flow.is_flowing(now) else _ON_ITS_WAY_S)
        if place.mode is Mode.LIVE and place.flow is not None and not place.flow.is_between:
            place.flow.leaving[viewer] = None
        else:
            self._placement.hold(viewer, HOLD_S, now)

    def _seek(self, viewer: Viewer, now: float) -> None:
        """Look for a first picture for a viewer who waits for one."""
        place, wish = viewer.place, viewer.place.wish
        if wish is None or self._try_goals(viewer, now):
            return
        waited_s = now - place.waiting_since
        is_flowing = wish.is_flowing(now)
        if wish.rung.can_force:
            if not viewer.counters.dropped:  # else it is his own path's fault: nobody else is to pay for it
                self._ask(wish, wish.newest_pts, now, wait_s=0.0 if is_flowing else _ON_ITS_WAY_S)
            is_hopeless = waited_s > _GIVE_UP_S
        else:
            is_hopeless = (is_flowing or waited_s > _STAND_IN_S) and not wish.is_keyframe_near(now)
        if not is_hopeless or (stand_in := self._find_stand_in(wish)) is None:
            return
        if stand_in not in place.goals:
            self._placement.set_goals(viewer, [*place.goals, stand_in])
            if self._try_goals(viewer, now):
                return
        if stand_in.rung.can_force:
            wait_s = 0.0 if stand_in.is_flowing(now) else _ON_ITS_WAY_S
            self._ask(stand_in, max(place.last_pts, stand_in.newest_pts), now, wait_s=wait_s)

    def _ask(self, flow: RungFlow, after_pts: int, now: float, *, wait_s: float = 0.0) -> None:
        self.requests.ask(flow.name, max(0, after_pts), now, wait_s=wait_s)

    # --- time

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        for flow in self.flows.values():
            if (due_at := flow.pacer.get_timer()) is not None and due_at <= now:
                self._advance(flow, now)
        for viewer in list(self._placement.catching):
            self._placement.catch_up(viewer, now)
        for viewer in list(self._placement.holding):
            hold = viewer.place.hold
            if hold is not None and now >= hold.until:
                self._placement.resume(viewer, now)
        if now - self._kept_up_at >= _UPKEEP_S:
            self._kept_up_at = now
            self._keep_up(now)
        self._ticked_at = now

    def _keep_up(self, now: float) -> None:
        for viewer in list(self._placement.waiting):
            self._seek(viewer, now)
        if now - self.newest_at > _GIVE_UP_S:
            return  # nothing comes at all: no rung is better than another
        for flow in self.flows.values():
            if flow.live and flow.silent_s(now) > _GIVE_UP_S:
                self._leave_stalled(flow, now)

    def _leave_stalled(self, flow: RungFlow, now: float) -> None:
        stand_in = self._find_stand_in(flow)
        if stand_in is None:
            return
        for viewer in flow.live:
            if stand_in not in viewer.place.goals:
                self._placement.set_goals(viewer, [*viewer.place.goals, stand_in])
                self._try_goals(viewer, now)

    def get_timer(self) -> float | None:
        """Return when `handle_timer` has something to do; None: only when something comes."""
        timers = [flow.pacer.get_timer() for flow in self.flows.values()]
        timers.append(self.requests.get_timer())
        timers += [viewer.place.hold.until for viewer in self._placement.holding if viewer.place.hold]
        if self._placement.catching:
            timers.append(self._ticked_at + TICK_S)
        if self.viewers:
            timers.append(self._kept_up_at + _UPKEEP_S)
        return min((timer for timer in timers if timer is not None), default=None)
