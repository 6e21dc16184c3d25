"""Where viewers are to go: to what suits them, to what there is for now, away from what has stopped."""

from __future__ import annotations

from .ladder import Ladder
from .place import Mode
from .placement import HOLD_S, TICK_S, Placement
from .rung_flow import RungFlow
from .viewer import Viewer

_SOON_S = 0.2
_STAND_IN_S = 0.5
"""For so long frames may be on their way of a rung whose keyframes cannot be forced."""
GIVE_UP_S = 1.5
_FRESH_KEYFRAME_S = 0.3
"""A picture that is lost this soon after a keyframe was lost before it."""


class Course:
    """Sets the goals of a channel's viewers."""

    def __init__(self, ladder: Ladder, placement: Placement) -> None:
        self._ladder = ladder
        self._placement = placement

    def begin(self, viewer: Viewer, now: float) -> None:
        """Aim at what viewers begin with."""
        flow = self._ladder.find_start()
        if flow is None:
            viewer.place.wish = None
            self._placement.set_goals(viewer, [])
        else:
            self.aim(viewer, flow, now)

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
        if place.mode is Mode.ABSENT or self.try_goals(viewer, now):
            return
        if place.mode is Mode.WAITING and place.hold is None:
            self.seek(viewer, now)
        elif is_urgent and flow.is_flowing(now):  # else he is held when its first keyframe comes
            self.hold_for(viewer, flow, now)

    def try_goals(self, viewer: Viewer, now: float) -> bool:
        """Move a viewer to what was kept of a rung he wants, if that is possible."""
        kept = self._ladder.find_kept(viewer)
        if kept is not None:
            self._placement.move(viewer, *kept, now)
        return kept is not None

    def hold_for(self, viewer: Viewer, flow: RungFlow, now: float) -> None:
        """Send nothing more of the old rung to a viewer, and have a keyframe of `flow` made, if that can be soon."""
        place = viewer.place
        if now < place.no_hold_before or not flow.rung.can_force:
            return
        if self._ladder.requests.pause_s(flow.name, now) > _SOON_S:
            return
        self._ladder.ask(flow, place.last_pts, now)
        if place.mode is Mode.LIVE and place.flow is not None and not place.flow.is_between:
            place.flow.leaving[viewer] = None
        else:
            self._placement.hold(viewer, HOLD_S, now)

    def seek(self, viewer: Viewer, now: float) -> None:
        """Look for a first picture for a viewer who waits for one."""
        place, wish = viewer.place, viewer.place.wish
        if wish is None or self.try_goals(viewer, now):
            return
        waited_s = now - place.waiting_since
        if wish.rung.can_force:
            if not viewer.counters.dropped:  # else it is his own path's fault: nobody else is to pay for it
                self._ladder.ask(wish, wish.newest_pts, now)
            is_hopeless = waited_s > GIVE_UP_S
        else:
            is_hopeless = (wish.is_flowing(now) or waited_s > _STAND_IN_S) and not wish.is_keyframe_near(now)
        if is_hopeless:
            self._seek_stand_in(viewer, wish, now)

    def _seek_stand_in(self, viewer: Viewer, wish: RungFlow, now: float) -> None:
        place = viewer.place
        stand_in = self._ladder.find_stand_in(wish)
        if stand_in is None:
            return
        if stand_in not in place.goals:
            self._placement.set_goals(viewer, [*place.goals, stand_in])
            if self.try_goals(viewer, now):
                return
        if stand_in.rung.can_force:
            self._ladder.ask(stand_in, max(place.last_pts, stand_in.newest_pts), now)

    def lose_picture(self, viewer: Viewer, now: float) -> None:
        """Help a viewer whose picture is broken up to the next keyframe, if that is not about to come."""
        place, flow = viewer.place, viewer.place.flow
        if flow is None or place.mode not in (Mode.LIVE, Mode.CATCHING_UP):
            return
        fresh_s = max(_FRESH_KEYFRAME_S, (viewer.round_trip.rtt_s or 0.0) + TICK_S)
        if now - max(place.entered_at, flow.keyframe_at) < fresh_s:
            return
        if not flow.rung.can_force:
            self._show_instead(viewer, flow, now)
        elif viewer.patience.allows(now):
            self._ladder.ask(flow, flow.newest_pts, now)

    def _show_instead(self, viewer: Viewer, flow: RungFlow, now: float) -> None:
        """Show another rung until the next keyframe of `flow`, which cannot be forced."""
        place = viewer.place
        stand_in = None if flow.is_keyframe_near(now) else self._ladder.find_stand_in(flow)
        if stand_in is None or stand_in.rung.bitrate_bps > flow.rung.bitrate_bps:
            return
        if stand_in in place.goals or not viewer.patience.allows(now):
            return
        wish = place.wish
        self._placement.set_goals(viewer, [stand_in] if wish is None or wish is flow else [stand_in, wish])
        place.is_urgent = True
        if not self.try_goals(viewer, now):
            self.hold_for(viewer, stand_in, now)  # what he would get meanwhile is broken

    def leave_stalled(self, flow: RungFlow, now: float) -> None:
        """Show another rung to all who are live on one that has stopped, until it goes on."""
        stand_in = self._ladder.find_stand_in(flow)
        if stand_in is None:
            return
        for viewer in flow.live:
            if stand_in not in viewer.place.goals:
                self._placement.set_goals(viewer, [*viewer.place.goals, stand_in])
                self.try_goals(viewer, now)
