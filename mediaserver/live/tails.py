"""Where encoded rungs and runs of the source end, of which the encoders still have something."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection


class Tails:
    """Remembers ends until the encoders have delivered what lies before them; places are in ticks."""

    def __init__(self) -> None:
        self._limits: dict[str, int] = {}  # where a copied run waits for the end of the encoded one
        self._ends: dict[str, int] = {}  # where rungs stop
        self._runs: deque[int] = deque()
        self._is_settled = asyncio.Event()
        self._is_settled.set()

    # Runs.

    @property
    def has_run(self) -> bool:
        """Whether a run that is over has not been delivered as a whole."""
        return bool(self._runs)

    def end_run(self, at: int) -> None:
        """Take note that a run ends at `at`."""
        self._runs.append(at)
        self._is_settled.clear()

    def pop_run(self) -> int:
        """Return where the oldest run ended, which has been delivered now."""
        at = self._runs.popleft()
        if not self._runs:
            self._is_settled.set()
        return at

    async def wait(self) -> None:
        """Wait until all runs have been delivered."""
        await self._is_settled.wait()

    # Rungs.

    def limit(self, name: str, at: int) -> None:
        """Let nothing of a rung be published beyond `at`: something else waits to fill it from there on."""
        self._limits[name] = at

    def end(self, name: str, at: int) -> None:
        """Let a rung stop at `at`."""
        self._ends[name] = at

    def go_on(self, name: str) -> None:
        """Let a rung not stop."""
        self._ends.pop(name, None)

    def forget(self, name: str) -> None:
        """Take note that a rung is not encoded any more."""
        self._limits.pop(name, None)
        self._ends.pop(name, None)

    def bound(self, name: str, until: int) -> int:
        """Return how far a rung may be published of what lies before `until`."""
        return min(until, self._limits.get(name, until), self._ends.get(name, until))

    def ended(self, until: int, *, but: Collection[str] = ()) -> list[str]:
        """List the rungs that stop at `until` or before."""
        return [name for name, at in self._ends.items() if at <= until and name not in but]
