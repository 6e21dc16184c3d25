"""The viewers of one stream, as records that `control_api.viewer.presence` keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Figures:
    """How many watch a stream, at a moment."""

    viewer_count: int
    peak_viewers: int
    unique_viewers: int


class ViewerRow(NamedTuple):
    """What is stored of a viewer. Times are Unix times."""

    stream_id: str
    viewer_id: str
    """The key; see `control_api.viewer.viewer_id`."""
    joined_at: float
    last_seen_at: float
    left_at: float | None
    visits: int
    watch_time_s: float


@dataclass(slots=True, eq=False)
class Viewer:
    """One viewer of one stream; compared by identity."""

    audience: Audience
    key: str
    joined_at: float
    """For the first time."""
    seen_at: float
    """The last sign of life."""
    left_at: float | None = None
    """None while present."""
    quiet_until: float = 0.0
    """After a leave: what a player had asked for by then is no sign of life."""
    visits: int = 0
    watch_time_s: float = 0.0
    """Up to `seen_at`, or `left_at`."""
    has_past: bool = False
    """Whether what was stored of this viewer before is part of these figures."""

    def row(self) -> ViewerRow:
        """Give what is to be stored, as it is now."""
        return ViewerRow(
            stream_id=self.audience.stream_id,
            viewer_id=self.key,
            joined_at=self.joined_at,
            last_seen_at=self.seen_at,
            left_at=self.left_at,
            visits=self.visits,
            watch_time_s=self.watch_time_s,
        )


@dataclass(slots=True, eq=False)
class Audience:
    """Everybody who watches or has watched one stream; compared by identity."""

    stream_id: str
    owner_key: str
    peak: int
    forgotten: int
    """Viewers that are stored and not in `viewers`."""
    viewers: dict[str, Viewer] = field(default_factory=dict)
    present: int = 0
    closed_at: float = inf
    changed: dict[Viewer, None] = field(default_factory=dict)
    """Those whose row is not what is stored, in the order of the changes."""

    @property
    def is_closed(self) -> bool:
        """Whether the stream has ended."""
        return self.closed_at < inf

    def figures(self) -> Figures:
        """Give the figures."""
        return Figures(self.present, self.peak, len(self.viewers) + self.forgotten)

    def enter(self) -> None:
        """Count one more who is present."""
        self.present += 1
        self.peak = max(self.peak, self.present)
