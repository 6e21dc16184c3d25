"""A rung that encoders fill, as the ladder keeps it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple

from media.packet import VideoTrack
from transcode.rung import RungSpec

MAX_SPECS = 1000
"""What a rung has been, each time that it changed with a run of the source: viewers rewind over hours."""


class Phase(Enum):
    """Whether a rung is made."""

    DORMANT = "dormant"
    WAITING = "waiting"
    """It begins with the next segment."""
    AWAKE = "encoded"
    STOPPING = "stopping"
    SHED = "shed"


class AskedRung(NamedTuple):
    """A rung that is asked for now."""

    spec: RungSpec
    own_preset: str
    """What the table says; the spec may have a cheaper one."""
    is_shed: bool
    """Whether it is not made, so that nobody can ask for it."""
    requests: float
    """A second, of late."""


@dataclass(slots=True, eq=False)
class LadderRung:
    """One rung over all runs of a broadcast."""

    spec: RungSpec
    own_preset: str
    """What the table says; the spec may have a cheaper one."""
    phase: Phase = Phase.DORMANT
    track: VideoTrack | None = None
    """What its encoders make, once known: then parts can be promised."""
    awake_from: int = 0
    """Where what is made live begins."""
    shed_at: float | None = None
    """Since when it is not to be made, on the ladder's clock."""
    awaited: set[int] = field(default_factory=set)
    """Segments that somebody has asked for too early to say who makes them, by media sequence number."""
    began_at: int = 0
    """Where the run began that it is part of, in ticks."""
    _specs: deque[tuple[int, RungSpec]] = field(default_factory=lambda: deque(maxlen=MAX_SPECS))

    @property
    def name(self) -> str:
        """As in addresses."""
        return self.spec.name

    @property
    def is_shed(self) -> bool:
        """Whether it is not to be made."""
        return self.shed_at is not None

    @property
    def is_known(self) -> bool:
        """Whether parts can be promised."""
        return self.track is not None

    def become(self, spec: RungSpec, at: int) -> None:
        """Take note of what it is in the run that begins at `at`; a preset that was made cheaper stays."""
        is_same = spec == replace(self.spec, preset=self.own_preset)
        self.own_preset = spec.preset
        if not is_same:
            self.spec = spec
            self.track = None
        self.began_at = at
        if not self._specs or self._specs[-1][1] != self.spec:
            self._specs.append((at, self.spec))

    def spec_at(self, position: int) -> RungSpec | None:
        """Return what it was at a place on the timeline, None before it began."""
        return next((spec for at, spec in reversed(self._specs) if at <= position), None)

    def comes_live(self, start: int) -> bool:
        """Tell whether encoders at work deliver the segment that begins at `start`."""
        return self.phase in (Phase.AWAKE, Phase.STOPPING) and start >= self.awake_from
