"""Where a viewer's picture comes from, and where he is to go."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .rung_flow import RungFlow

NEVER_PTS = -1
"""Before everything."""


class Mode(Enum):
    """How a viewer gets frames."""

    ABSENT = "absent"
    """Not connected yet."""
    WAITING = "waiting"
    """He gets nothing until a keyframe comes that he can go on with."""
    CATCHING_UP = "catching up"
    """He gets what was kept, faster than it is shown, until he is level."""
    LIVE = "live"


class Hold(NamedTuple):
    """A viewer left a flow in order to wait for a keyframe of another one that is behind it."""

    at: int
    """Index in the old one where he goes on if that does not come."""
    until: float


@dataclass(slots=True)
class Place:
    """One viewer's. `switchboard` is the only one to change it."""

    mode: Mode = Mode.ABSENT
    flow: RungFlow | None = None
    """The rung he gets, got last, or held."""
    wish: RungFlow | None = None
    """The rung that he is to get for good."""
    goals: list[RungFlow] = field(default_factory=list)
    """Rungs that he goes to at their next keyframe; apart from `wish`, ones that stand in for it."""
    is_fixed: bool = False
    """Whether he chose his rung himself."""
    is_urgent: bool = False
    """Whether going there is worth to have no picture for a moment."""
    hold: Hold | None = None
    no_hold_before: float = 0.0
    """It did not work lately."""
    index: int = 0
    """In the flow; what comes next while he catches up."""
    began: tuple[int, float] = (0, 0.0)
    """Catching up began with this `pts` at this time."""
    sent_pts: int = NEVER_PTS
    """Of the newest frame he got, as far as it was not live."""
    entered_at: float = 0.0
    waiting_since: float = 0.0
    settled: RungFlow | None = None
    """The wish that came true last."""
    announced: str | None = None
    """The rung that was last said to be his."""

    @property
    def last_pts(self) -> int:
        """`pts` of the newest frame he was sent any of: only what is behind it can follow."""
        if self.mode is Mode.LIVE and self.flow is not None:
            return max(self.sent_pts, self.flow.sent_pts)
        return self.sent_pts

    @property
    def is_settled(self) -> bool:
        """Whether he is where he should be."""
        return self.mode in (Mode.LIVE, Mode.CATCHING_UP) and not self.goals
