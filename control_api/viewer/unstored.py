"""What has changed of viewers and is not stored. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from control_api.viewer.audience import Audience, Span, Viewer


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be stored."""

    spans: Mapping[Viewer, Sequence[Span]]
    """Of each viewer, the oldest first."""
    audiences: Sequence[Audience]
    """Whose figures are to be stored, since all their viewers are in these changes or were in earlier ones."""


class Unstored:
    """Keeps what has changed, in the order of the changes."""

    def __init__(self) -> None:
        self._audiences: dict[Audience, None] = {}

    def __contains__(self, audience: Audience) -> bool:
        """Tell whether something of an audience is not stored."""
        return audience in self._audiences

    def add(self, viewer: Viewer) -> None:
        """Take note of a viewer that has changed."""
        viewer.audience.changed[viewer] = None
        self._audiences[viewer.audience] = None

    def add_audience(self, audience: Audience) -> None:
        """Take note of figures that have changed."""
        self._audiences[audience] = None

    def take(self, limit: int) -> Changes:
        """Take what has changed since the last time, at most so many viewers; who can't store it gives it back."""
        viewers: list[Viewer] = []
        done: list[Audience] = []
        for audience in list(self._audiences):
            taken = list(islice(audience.changed, limit - len(viewers)))
            viewers += taken
            for viewer in taken:
                del audience.changed[viewer]
            if audience.changed:
                break
            del self._audiences[audience]
            done.append(audience)
        spans = {}
        for viewer in viewers:
            spans[viewer] = [*viewer.older, viewer.span()]
            viewer.older = []
        return Changes(spans, done)

    def give_back(self, changes: Changes) -> None:
        """Take note that changes could not be stored."""
        for viewer, spans in changes.spans.items():
            # The last one may have become longer since.
            viewer.keep([span for span in spans if span.is_over and span.began != viewer.began])
            self.add(viewer)
        self._audiences |= dict.fromkeys(changes.audiences)

    def settle(self, changes: Changes, uniques: Mapping[str, int]) -> None:
        """Take note that changes are stored, and of how many viewers streams have by that."""
        for viewer in changes.spans:
            if not viewer.is_stored:
                viewer.is_stored = True
                viewer.audience.fresh -= 1
        for audience in {*changes.audiences, *(viewer.audience for viewer in changes.spans)}:
            audience.stored = uniques.get(audience.stream_id, audience.stored)
