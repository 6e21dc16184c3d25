"""Viewers that several servers count together: the port, and what goes through it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import NamedTuple, Protocol

from control_api.viewer.audience import Figures


class Act(StrEnum):
    """What a server tells of a viewer."""

    JOIN = "J"
    SEEN = "S"
    OPEN = "O"
    """A socket is open: no leave ends that."""
    KNOWN = "K"
    """Has watched, and is absent here."""
    LEAVE = "L"
    """Leaves on every server, unless a socket is open on another one."""


class Note(NamedTuple):
    """Something that a server tells of a viewer."""

    stream_id: str
    key: str
    act: Act
    at: float
    """Unix time: of the join, the sign of life or the leave."""


class Finding(NamedTuple):
    """What was known of a viewer before a note."""

    is_let_go: bool = False
    """By a leave: another server has to be told that counts the viewer as present."""
    held_until: float = 0.0
    """When other servers would have let the viewer go, Unix time; 0 for who was not present on any."""


@dataclass(frozen=True, slots=True)
class SharedFigures:
    """How many watch a stream, on all servers."""

    figures: Figures
    version: int
    """Rises with every answer about a stream, in milliseconds of Unix time or more."""
    due_at: float = inf
    """When the next viewer goes, if nothing is heard of that one; Unix time."""
    findings: Sequence[Finding] = ()
    """One for each note."""


class SharedPresence(Protocol):
    """Where servers count together."""

    async def tell(self, notes: Mapping[str, Sequence[Note]], now: float) -> Mapping[str, SharedFigures]:
        """Tell what has happened, in its order, and hear how many watch by that.

        Args:
            notes: of each stream; none for one that is only asked for.
            now: Unix time.

        Raises:
            CapacityError: it does not answer; nobody knows what it has taken.
        """
        ...
