"""Why a stream's encoder was last refused or lost, for its owner to read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MAX_STREAMS = 10_000
"""How many streams have their last error kept; the oldest one goes."""


@dataclass(frozen=True, slots=True)
class LastError:
    """What went wrong, and when."""

    at: float
    """Seconds since the epoch."""
    message: str


class LastErrors:
    """The last error of each stream.

    Args:
        wall_clock: seconds since the epoch.
    """

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._errors: OrderedDict[str, LastError] = OrderedDict()

    def note(self, stream_id: str, message: str) -> None:
        """Keep a sentence."""
        self._errors[stream_id] = LastError(self._wall_clock(), message)
        self._errors.move_to_end(stream_id)
        if len(self._errors) > MAX_STREAMS:
            self._errors.popitem(last=False)

    def get(self, stream_id: str) -> LastError | None:
        """Return the last error of a stream, None when all has gone well."""
        return self._errors.get(stream_id)
