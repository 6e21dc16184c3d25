"""Bringing into the database what has changed of viewers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from control_api.postgres.viewer_table import ViewerTable
from control_api.viewer.audience import Audience, Count
from control_api.viewer.presence import Presence
from control_api.viewer.tally import Tally

AT_ONCE = 2000
"""Viewers stored with one statement."""

EXACT_S = 1.0
"""How old the watch time of open sockets may be when everything is stored."""


class Ledger:
    """Stores one batch after the other.

    Args:
        presence: what is known of viewers.
        tally: how many they are.
        table: keeps both.
        clock: Unix time.
    """

    def __init__(
        self, presence: Presence, tally: Tally, table: ViewerTable, clock: Callable[[], float]
    ) -> None:
        self._presence = presence
        self._unstored = presence.unstored
        self._tally = tally
        self._table = table
        self._clock = clock
        self._lock = asyncio.Lock()

    async def store(self) -> bool:
        """Store what has changed; returns whether there is more.

        Raises:
            CapacityError: the database is away; nothing is lost.
        """
        async with self._lock:
            self._presence.expire(self._clock())
            self._tally.settle()
            changes = self._unstored.take(AT_ONCE)
            is_stored = False
            try:
                uniques = await self._table.write(changes, self._counts(changes.audiences))
                self._unstored.settle(changes, uniques)
                is_stored = True
            finally:
                if not is_stored:
                    self._unstored.give_back(changes)
        return len(changes.spans) == AT_ONCE

    async def store_all(self) -> None:
        """Store everything that has changed by now, with the time that open sockets have been watching.

        Raises:
            CapacityError: the database is away.
        """
        self._presence.refresh(self._presence.expire(self._clock()), EXACT_S)
        while await self.store():
            pass

    def _counts(self, audiences: Sequence[Audience]) -> dict[str, Count]:
        found = {audience.stream_id: self._tally.count(audience.stream_id) for audience in audiences}
        return {stream_id: count for stream_id, count in found.items() if count is not None}
