"""Personal data is kept for so many days, where that is configured."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from control_api.postgres.expiry_table import ExpiryTable

LOOK_S = 3600.0
"""Between two looks for what is due: a day is not meant to the minute."""


class PersonalData:
    """Makes viewers and authors of streams that ended long ago nobody in particular, a little at a time.

    Args:
        table: keeps them.
        days: for so long they are kept; 0 for ever.
        now: tells the time.
    """

    def __init__(self, table: ExpiryTable, days: int, now: Callable[[], datetime]) -> None:
        self._table = table
        self._days = days
        self._now = now

    async def work(self) -> bool:
        """Do some of what is due; returns whether there may be more.

        Raises:
            CapacityError: the database is away.
        """
        if not self._days:
            return False
        return await self._table.unname_some(self._now() - timedelta(days=self._days))
