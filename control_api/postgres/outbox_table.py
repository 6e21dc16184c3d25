"""What has to be told, in PostgreSQL: written with what it tells of, taken by one server at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from control_api.event.record import Event, EventType
from control_api.postgres.database import Database

if TYPE_CHECKING:
    from control_api.postgres.database import Connection

LEASE_S = 30.0
"""How long an event is left to the server that took it; it asks for more time with each page of followers."""

KEPT = "7 days"

ADD = (
    "INSERT INTO outbox (event_id, type, stream_id, user_id, is_private, happened_at, data, outlet) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING"
)
TAKE = (
    "UPDATE outbox SET due_at = now() + make_interval(secs => $3) WHERE outlet = $1 AND event_id IN ("
    "SELECT event_id FROM outbox WHERE outlet = $1 AND done_at IS NULL AND due_at <= now() "
    "ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING *"
)
ADVANCE = (
    "UPDATE outbox SET told_until = $3, told_count = told_count + $4, due_at = now() + make_interval(secs => $5) "
    "WHERE event_id = $1 AND outlet = $2"
)
FINISH = "UPDATE outbox SET done_at = now() WHERE event_id = $1 AND outlet = $2"
FORGET = f"DELETE FROM outbox WHERE outlet = $1 AND done_at < now() - interval '{KEPT}'"  # noqa: S608 a constant


class OutletName(StrEnum):
    """Who is told. Each is told at its own pace, however long another takes."""

    PAGES = "pages"
    """Open pages and webhooks."""
    REDIS = "redis"


@dataclass(frozen=True, slots=True)
class Errand:
    """An event, and how far it has been told."""

    event: Event
    told_until: str


class OutboxTable:
    """The table `outbox`, as one outlet sees it.

    Args:
        database: where it is.
        outlet: is to be told.
    """

    def __init__(self, database: Database, outlet: OutletName = OutletName.PAGES) -> None:
        self._database = database
        self._outlet = outlet

    async def copy(self, event: Event) -> None:
        """Store an event that another outlet is told of; doing so again changes nothing."""
        async with self._database.connection() as connection:
            await add_event(connection, event, self._outlet)

    async def take(self, limit: int) -> Sequence[Errand]:
        """Take events that nobody else works on, those that have waited longest first."""
        rows = await self._database.fetch(TAKE, self._outlet.value, limit, LEASE_S)
        return [
            Errand(
                Event(
                    id=row["event_id"],
                    type=EventType(row["type"]),
                    stream_id=row["stream_id"],
                    user_id=row["user_id"],
                    is_private=row["is_private"],
                    happened_at=row["happened_at"],
                    data=row["data"],
                ),
                row["told_until"],
            )
            for row in rows
        ]

    async def advance(self, event_id: str, told_until: str, count: int) -> None:
        """Note that followers up to one have been told."""
        await self._database.execute(ADVANCE, event_id, self._outlet.value, told_until, count, LEASE_S)

    async def finish(self, event_id: str) -> None:
        """Note that everybody has been told."""
        await self._database.execute(FINISH, event_id, self._outlet.value)

    async def forget_old(self) -> None:
        """Delete what has been told a week ago."""
        await self._database.execute(FORGET, self._outlet.value)


async def add_event(connection: Connection, event: Event, outlet: OutletName = OutletName.PAGES) -> None:
    """Store an event, within whatever transaction the connection is in."""
    await connection.execute(
        ADD,
        event.id,
        event.type.value,
        event.stream_id,
        event.user_id,
        event.is_private,
        event.happened_at,
        event.data,
        outlet.value,
    )
