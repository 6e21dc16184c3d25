"""Tells what has happened: takes events out of the outbox, one page of followers after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import structlog

from control_api.event.record import FOR_FOLLOWERS, FOR_OWNERS, Event
from control_api.postgres.outbox_table import Errand, OutboxTable
from control_api.user.social_graph_port import SocialGraph
from media.error import CapacityError

logger = structlog.get_logger(__name__)

AT_ONCE = 20
"""Events taken at once; their order is that in which they happened, as long as all goes well."""


class Outlet(Protocol):
    """Who is told."""

    async def announce(self, event: Event) -> None:
        """Tell of an event; doing so again does no harm."""
        ...

    async def tell(self, user_ids: Sequence[str], event: Event) -> None:
        """Tell some of the users whom an event concerns."""
        ...


class Herald:
    """Tells one outlet, and those whom an event concerns: the streamer's followers.

    Everybody is told at least once: what was told is noted afterwards, and a server that dies in between leaves its
    event to the next one.

    Args:
        outbox: has the events.
        graph: knows the followers.
        outlet: is told.
    """

    def __init__(self, outbox: OutboxTable, graph: SocialGraph, outlet: Outlet) -> None:
        self._outbox = outbox
        self._graph = graph
        self._outlet = outlet

    async def work(self) -> bool:
        """Tell what waits; returns whether there may be more.

        Raises:
            CapacityError: the database is away.
        """
        errands = await self._outbox.take(AT_ONCE)
        for errand in sorted(errands, key=lambda errand: errand.event.id):
            await self._run(errand)
        return len(errands) == AT_ONCE

    async def tidy(self) -> None:
        """Forget what was told long ago."""
        await self._outbox.forget_old()

    async def _run(self, errand: Errand) -> None:
        event = errand.event
        try:
            await self._outlet.announce(event)
            if event.type in FOR_FOLLOWERS:
                await self._tell_followers(errand)
        except CapacityError as error:
            # Somebody is away: the event is due again when its lease is over, and goes on where it was.
            logger.warning("event_not_told", event_id=event.id, reason=error.detail)
            return
        await self._outbox.finish(event.id)

    async def _tell_followers(self, errand: Errand) -> None:
        event, count = errand.event, 0
        if event.type in FOR_OWNERS and not errand.told_until:
            await self._outlet.tell([event.user_id], event)
        async for page in self._graph.followers(event.user_id):
            left = _behind(page, errand.told_until)
            if not left:
                continue
            await self._outlet.tell(left, event)
            count += len(left)
            await self._outbox.advance(event.id, left[-1], len(left))
        logger.info("followers_told", stream_id=event.stream_id, count=count)


def _behind(page: Sequence[str], told_until: str) -> Sequence[str]:
    """Leave out who has been told, where followers come in the order of their ids."""
    is_sorted = all(one <= other for one, other in pairwise(page))
    return page[bisect_right(page, told_until) :] if is_sorted else page
