"""What happens to scheduled streams by itself: a reminder before their time, an end long after it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from control_api.stream.lifecycle import EXPIRY, REMINDER
from control_api.stream.service import StreamService
from control_api.stream.store import StreamStore

AT_ONCE = 100
"""Streams; the others follow at once."""


class Schedule:
    """Looks after scheduled streams.

    Args:
        service: changes them.
        store: knows which.
        now: tells the time, aware.
    """

    def __init__(self, service: StreamService, store: StreamStore, now: Callable[[], datetime]) -> None:
        self._service = service
        self._store = store
        self._now = now

    async def work(self) -> bool:
        """Do what is due; returns whether there may be more.

        Raises:
            CapacityError: nothing can be stored at the moment.
        """
        over = await self._store.due(self._now() - EXPIRY, AT_ONCE)
        for stream in over:
            await self._service.expire(stream.id)
        near = await self._store.unreminded(self._now() + REMINDER, AT_ONCE)
        for stream in near:
            await self._service.remind(stream.id)
        return AT_ONCE in (len(over), len(near))
