"""The viewers of one stream, as records that `control_api.viewer.presence` keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

MAX_SPANS = 16
"""Spans of one viewer that wait to be stored. Of more, which takes a database that is away, the two oldest become one
that is as long as both."""

INSTANT_S = 1e-6
"""So much later than the end of a visit the next one begins at the earliest: what can be told apart when stored."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How many watch a stream, at a moment."""

    viewer_count: int
    peak_viewers: int
    unique_viewers: int


@dataclass(frozen=True, slots=True)
class Count:
    """Figures of a stream, and when they were so."""

    figures: Figures
    version: int
    """In milliseconds of Unix time; what is stored is never replaced by an older one."""


class KnownViewer(NamedTuple):
    """Who is stored as somebody who has watched a stream."""

    stream_id: str
    key: str
    last_seen_at: float
    """Unix time, of the leave where there was one."""


class Span(NamedTuple):
    """A time in which one viewer watched, as it is stored. Times are Unix times."""

    stream_id: str
    key: str
    """Of the viewer; see `control_api.viewer.viewer_id`."""
    began: float
    ended: float
    is_over: bool
    """Whether the viewer was absent then; else that was the last sign of life so far."""
    is_visit: bool
    """Whether a visit begins with it for certain; else what other servers know decides."""


@dataclass(slots=True, eq=False)
class Viewer:
    """One viewer of one stream; compared by identity."""

    audience: Audience
    key: str
    began: float
    """The present span, or the last one."""
    seen_at: float
    """The last sign of life, which is the end of the span."""
    left_at: float | None = None
    """None while present."""
    is_visit: bool = False
    quiet_until: float = 0.0
    """After a leave: what a player had asked for by then is no sign of life."""
    opened: int = 0
    """Sockets that are open."""
    is_stored: bool = False
    """Whether there is a row of this viewer."""
    older: list[Span] = field(default_factory=list)
    """What is over and not stored."""

    def span(self) -> Span:
        """Give the last span as it is now."""
        is_over = self.left_at is not None
        ended = max(self.began, self.seen_at)
        return Span(self.audience.stream_id, self.key, self.began, ended, is_over, self.is_visit)

    def begin(self, now: float, *, is_visit: bool) -> None:
        """Begin another span."""
        if self.left_at is not None and self.left_at > -inf:
            if self in self.audience.changed:
                self.keep([self.span()])
            self.began = max(now, self.span().ended + INSTANT_S)
        else:
            self.began = now
        self.seen_at, self.is_visit = now, is_visit

    def keep(self, spans: list[Span]) -> None:
        """Keep spans that are over and not stored."""
        older = sorted({*self.older, *spans})
        while len(older) > MAX_SPANS:
            first, second, *rest = older
            began = max(first.began, second.began - (first.ended - first.began))
            older = [second._replace(began=began, is_visit=first.is_visit), *rest]
        self.older = older


@dataclass(slots=True, eq=False)
class Audience:
    """Everybody who watches or has watched one stream; compared by identity."""

    stream_id: str
    owner_key: str
    peak: int
    stored: int
    """Viewers that have a row."""
    fresh: int = 0
    """Viewers that have none yet, as far as is known here."""
    viewers: dict[str, Viewer] = field(default_factory=dict)
    present: int = 0
    closed_at: float = inf
    changed: dict[Viewer, None] = field(default_factory=dict)
    """Those of whom not everything is stored, in the order of the changes."""

    @property
    def is_closed(self) -> bool:
        """Whether the stream has ended."""
        return self.closed_at < inf

    def figures(self) -> Figures:
        """Give the figures."""
        return Figures(self.present, self.peak, self.stored + self.fresh)

    def enter(self) -> None:
        """Count one more who is present."""
        self.present += 1
        self.peak = max(self.peak, self.present)
