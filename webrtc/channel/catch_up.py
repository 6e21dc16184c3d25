"""Viewers who get what was kept: three times as fast as it is shown, until they are level with the others."""

from __future__ import annotations

from enum import Enum

from webrtc.rtp.burst import Burst
from webrtc.rtp.fanout import FanOut

from .rung_flow import RungFlow
from .viewer import Viewer

SPEED = 3.0


class Progress(Enum):
    """How far a viewer has come."""

    BEHIND = "behind"
    LEVEL = "level"
    """The next packet is the one that is live next."""
    LOST = "lost"
    """What he needs next is not kept any more."""


def catch_up(viewer: Viewer, flow: RungFlow, fanout: FanOut, now: float) -> Progress:
    """Send what is due to a viewer who catches up; frames that are on their way to others wait until they are whole.

    A frame that the kernel refuses is tried again the next time.
    """
    place, track = viewer.place, viewer.video
    if track is None:
        return Progress.LOST
    while place.index < flow.sent_index:
        found = flow.packets.find(place.index)
        if found is None:
            return Progress.LOST
        burst = found[0]
        end = burst.index + burst.count
        if end > flow.sent_index or not _is_due(burst, place.began, now):
            return Progress.BEHIND
        refused = fanout.send(burst.batches(track.choice.variant), [track.line])
        place.sent_pts = max(place.sent_pts, burst.pts)
        track.history.note_sent(end)
        if refused:
            viewer.counters.refused += 1
            return Progress.BEHIND
        place.index = end
    # Ahead, he waits for frames that are due to others only later.
    return Progress.LEVEL if place.index == flow.sent_index else Progress.BEHIND


def _is_due(burst: Burst, began: tuple[int, float], now: float) -> bool:
    began_pts, began_at = began
    return burst.pts - began_pts <= SPEED * 90_000 * (now - began_at)
