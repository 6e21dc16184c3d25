"""What the governor is told, and what it orders. Values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RungLoad:
    """An encoded rung that somebody asks for now."""

    name: str
    preset: str
    """What it runs at, or would run at."""
    presets: tuple[str, ...]
    """What it may run at, cheapest first."""
    cost: float | None
    """Measured, in CPU seconds per second of media; None while unknown."""
    estimate: float
    """The same at `preset`, guessed."""
    value: float
    """What it is worth to its viewers, compared with other rungs (`cost.worth`)."""
    is_shed: bool
    """Whether it is asked for and not made."""
    is_last: bool
    """Whether its broadcast has nothing else to show."""


@dataclass(frozen=True, slots=True)
class BroadcastLoad:
    """A broadcast of which encoded rungs are asked for now."""

    id: str
    lag_s: float
    """Media time between the newest packet sent to the encoders and the newest frame that came back."""
    base_cost: float | None
    """Measured cost of decoding and scaling; None while unknown."""
    base_estimate: float
    rungs: tuple[RungLoad, ...]
    """Those that are asked for now, shed ones included."""
    has_copy: bool = False
    """Whether it shows something that is not encoded. If not, one of its rungs is always made."""


@dataclass(frozen=True, slots=True)
class Cheapen:
    """Go on with a cheaper preset, from the next segment on; also said of a rung that is about to be restored."""

    id: str
    rung: str
    preset: str


@dataclass(frozen=True, slots=True)
class Enrich:
    """Go on with a better preset, from the next segment on."""

    id: str
    rung: str
    preset: str


@dataclass(frozen=True, slots=True)
class Shed:
    """Stop making a rung, at the start of the next segment or at once.

    Said again with `at_once` when lag grows while the first order still waits for its segment.
    """

    id: str
    rung: str
    at_once: bool


@dataclass(frozen=True, slots=True)
class Restore:
    """Make a rung again, from the next segment on."""

    id: str
    rung: str


Action = Cheapen | Enrich | Shed | Restore

Key = tuple[str, str]
"""Id of a broadcast and name of a rung."""
