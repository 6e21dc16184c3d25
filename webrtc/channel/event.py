"""What a channel tells its worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Wanted(NamedTuple):
    """The channel needs these rungs and no others, until the next one of these; repeated every 5 s."""

    rungs: Mapping[str, int]
    """How many viewers get or wait for each. A viewer who is on the way between two rungs counts for both."""
    audio: bool


class KeyframeWanted(NamedTuple):
    """Somebody needs a keyframe that would not come soon by itself."""

    rung: str
    after_pts: int
    """In ticks of 90 kHz: a keyframe up to there helps nobody."""


class RungChanged(NamedTuple):
    """A viewer gets another rung from now on, or his first."""

    session: str
    rung: str


ChannelEvent = Wanted | KeyframeWanted | RungChanged
