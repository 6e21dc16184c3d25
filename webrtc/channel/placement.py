"""Moves viewers between rungs so that none of them sees a hole, nor any number twice."""

from __future__ import annotations

from collections import deque

from webrtc.rtp.burst import Burst
from webrtc.rtp.fanout import FanOut

from .catch_up import Progress, catch_up
from .event import ChannelEvent, RungChanged
from .place import Hold, Mode
from .rung_flow import RungFlow
from .viewer import Viewer

TICK_S = 0.01
HOLD_S = 0.5
_HOLD_AGAIN_S = 10.0
_URGENT_AGAIN_S = 1.0
"""After a hold that came to nothing. Where the path is too narrow, more of the old rung does no good either."""


class Placement:
    """The moves themselves; when they are made is for `Switchboard` to say.

    A viewer leaves a flow only between two frames. The one thing that can break a frame in two is the kernel when it
    takes no more: the whole frame is sent again then, under the numbers it had.
    """

    def __init__(self, fanout: FanOut, events: deque[ChannelEvent]) -> None:
        self.waiting: dict[Viewer, None] = {}
        """Connected viewers who get nothing and are not held."""
        self.has_changed = False
        """Whether anybody has moved since this was set to False."""
        self.holding: dict[Viewer, None] = {}
        self.catching: dict[Viewer, None] = {}
        self._fanout = fanout
        self._events = events

    def set_goals(self, viewer: Viewer, goals: list[RungFlow]) -> None:
        """Have a viewer want these rungs and no others."""
        self.has_changed = True
        for flow in viewer.place.goals:
            flow.wanting.pop(viewer, None)
        viewer.place.goals = goals
        for flow in goals:
            flow.wanting[viewer] = None

    def move(self, viewer: Viewer, flow: RungFlow, burst: Burst, now: float) -> None:
        """Let a viewer go on with the keyframe `burst` of `flow`, as soon as the frame is whole he gets now."""
        place = viewer.place
        if place.mode is Mode.LIVE and place.flow is not None and not place.flow.is_between:
            place.flow.leaving[viewer] = None
        else:
            self._enter(viewer, flow, burst, now)

    def _enter(self, viewer: Viewer, flow: RungFlow, burst: Burst, now: float) -> None:
        place = viewer.place
        self._take_out(viewer)
        place.flow = flow
        place.is_urgent = False
        place.entered_at = now
        is_there = place.wish is None or place.wish is flow
        self.set_goals(viewer, [] if place.wish is None or is_there else [place.wish])
        if is_there:
            self._settle(viewer, flow, now)
        if place.announced != flow.name:
            place.announced = flow.name
            self._events.append(RungChanged(viewer.session, flow.name))
        self._follow(viewer, flow, burst.index, burst.pts, now)

    def _settle(self, viewer: Viewer, flow: RungFlow, now: float) -> None:
        """Let the estimate know of a change that it may have wished for; one that stands in for another is none."""
        before, viewer.place.settled = viewer.place.settled, flow
        if before is not None and before is not flow:
            is_up = flow.rung.bitrate_bps > before.rung.bitrate_bps
            viewer.estimate.note_change(is_up=is_up, now=now)

    def hold(self, viewer: Viewer, hold_s: float, now: float) -> None:
        """Send nothing to a viewer until a rung he wants has a keyframe, but not for longer than `hold_s`.

        To be called between two frames of his rung.
        """
        place, flow = viewer.place, viewer.place.flow
        if flow is None or place.mode not in (Mode.LIVE, Mode.CATCHING_UP):
            return
        index = flow.sent_index if place.mode is Mode.LIVE else place.index
        self._take_out(viewer)
        place.mode = Mode.WAITING
        place.hold = Hold(index, now + hold_s)
        self.holding[viewer] = None

    def resume(self, viewer: Viewer, now: float) -> None:
        """Let a held viewer go on where he was held."""
        place, flow = viewer.place, viewer.place.flow
        if flow is None or place.hold is None:
            return
        index = place.hold.at
        self._take_out(viewer)
        place.no_hold_before = now + (_URGENT_AGAIN_S if place.is_urgent else _HOLD_AGAIN_S)
        found = flow.packets.find(index)
        if found is None and index < flow.packets.next_index:
            self.drop(viewer, now)
            return
        pts = found[0].pts if found else flow.newest_pts
        self._follow(viewer, flow, index, pts, now)

    def drop(self, viewer: Viewer, now: float) -> None:
        """Send nothing to a viewer up to the next keyframe, since what he needs next is not there any more."""
        viewer.counters.dropped += 1
        self.wait(viewer, now)
        flow, goals = viewer.place.flow, viewer.place.goals
        if flow is not None and flow not in goals:
            self.set_goals(viewer, [*goals, flow])

    def wait(self, viewer: Viewer, now: float) -> None:
        """Send nothing to a viewer until he gets into a rung that he wants."""
        self._take_out(viewer)
        viewer.place.mode = Mode.WAITING
        viewer.place.waiting_since = now
        self.waiting[viewer] = None

    def remove(self, viewer: Viewer) -> None:
        """Forget a viewer."""
        self._take_out(viewer)
        self.set_goals(viewer, [])
        viewer.place.mode = Mode.ABSENT

    def fall_behind(self, viewer: Viewer, flow: RungFlow, burst: Burst, now: float) -> None:
        """Let a viewer have a frame again that the kernel did not take from the start or at some point."""
        viewer.counters.refused += 1
        self._take_out(viewer)
        self._catch_up_from(viewer, flow, burst.index, burst.pts, now + TICK_S)

    def catch_up(self, viewer: Viewer, now: float) -> None:
        """Send what is due to a viewer who catches up, and let him be live when he is level."""
        flow, track = viewer.place.flow, viewer.video
        if flow is None or track is None:
            return
        progress = catch_up(viewer, flow, self._fanout, now)
        if progress is Progress.LOST:
            self.drop(viewer, now)
        elif progress is Progress.LEVEL and not flow.is_backlog(now):
            self._go_live(viewer, flow)

    def _follow(self, viewer: Viewer, flow: RungFlow, index: int, pts: int, now: float) -> None:
        track = viewer.video
        if track is None:
            return
        track.history.begin(flow.packets, index)
        track.line.offset = track.history.offset & 0xFFFF
        if index == flow.sent_index and not flow.is_backlog(now):
            self._go_live(viewer, flow)
        else:
            self._catch_up_from(viewer, flow, index, pts, now)

    def _catch_up_from(self, viewer: Viewer, flow: RungFlow, index: int, pts: int, now: float) -> None:
        place = viewer.place
        place.mode = Mode.CATCHING_UP
        place.index = index
        place.began = (pts, now)
        flow.catching[viewer] = None
        self.catching[viewer] = None

    def _go_live(self, viewer: Viewer, flow: RungFlow) -> None:
        if viewer.video is None:
            return
        self._take_out(viewer)
        viewer.place.mode = Mode.LIVE
        flow.live.add(viewer.video.line, viewer)

    def _take_out(self, viewer: Viewer) -> None:
        """Take a viewer from wherever he is, with all that he was sent counted."""
        place, flow, track = viewer.place, viewer.place.flow, viewer.video
        self.has_changed = True
        self.waiting.pop(viewer, None)
        self.holding.pop(viewer, None)
        self.catching.pop(viewer, None)
        place.hold = None
        if flow is None or track is None:
            return
        flow.catching.pop(viewer, None)
        flow.leaving.pop(viewer, None)
        if place.mode is Mode.LIVE:
            track.history.note_sent(flow.sent_index)
            place.sent_pts = place.last_pts
            flow.live.remove(track.line)
