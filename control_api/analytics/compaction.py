"""Snapshots are made fewer with age: nobody looks at ten seconds of a month ago."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from control_api.postgres.compaction_table import CompactionTable

LOOK_S = 600.0
"""Between two looks for old snapshots."""

DAY_S = 86_400

STAGES = ((10, 60, DAY_S), (60, 600, 30 * DAY_S))
"""Rows of so many seconds become rows of so many, when they are so old. A stream of three hours is 1080 rows for a day,
while its owner cuts clips of it; then 180, about what a chart shows anyway; then 18."""


class Compaction:
    """Sums old snapshots up, a little at a time.

    Args:
        table: keeps them.
        clock: Unix time.
    """

    def __init__(self, table: CompactionTable, clock: Callable[[], float]) -> None:
        self._table = table
        self._clock = clock

    async def work(self) -> bool:
        """Sum up some; returns whether there may be more.

        Raises:
            CapacityError: the database is away.
        """
        for span_s, into_s, age_s in STAGES:
            until = (self._clock() - age_s) // into_s * into_s
            if await self._table.sum_up(span_s, into_s, datetime.fromtimestamp(until, UTC)):
                return True
        return False
