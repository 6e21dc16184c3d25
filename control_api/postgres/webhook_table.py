"""Webhooks and what is still to be delivered to them, in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import uuid_utils

from control_api.event.record import Event
from control_api.key_box import KeyBox
from control_api.postgres.database import Database
from control_api.stream.record import Identity
from control_api.webhook.outcome import Outcome

if TYPE_CHECKING:
    from asyncpg import Record

LEASE_S = 60.0
"""How long a delivery is left to the server that took it; an attempt takes ten seconds at most."""

MAX_WEBHOOKS = 20
"""Of one user."""

ADD = (
    "INSERT INTO webhooks (id, user_id, is_global, url, events, secret_sealed) SELECT $1, $2, $3, $4, $5, $6 "
    "WHERE (SELECT count(*) FROM webhooks WHERE user_id = $2) < $7 RETURNING *"
)
LIST = "SELECT * FROM webhooks WHERE user_id = $1 ORDER BY id"
DELETE = "DELETE FROM webhooks WHERE id = $1 AND user_id = $2"
QUEUE = (
    "INSERT INTO webhook_deliveries (webhook_id, event_id, type, body) "
    "SELECT id, $1, $2, $3 FROM webhooks "
    "WHERE $2 = ANY (events) AND disabled_at IS NULL AND (user_id = $4 OR is_global) "
    "ON CONFLICT (webhook_id, event_id) DO NOTHING"
)
TAKE = (
    "WITH taken AS (UPDATE webhook_deliveries SET due_at = now() + make_interval(secs => $1) WHERE id IN ("
    "SELECT id FROM webhook_deliveries AS one WHERE state = 'pending' AND due_at <= now() AND NOT EXISTS ("
    "SELECT FROM webhook_deliveries AS other WHERE other.webhook_id = one.webhook_id AND other.state = 'pending' "
    "AND other.due_at <= now() AND (other.due_at, other.id) < (one.due_at, one.id)) "
    "ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING *) "
    "SELECT taken.*, url, secret_sealed FROM taken JOIN webhooks ON webhooks.id = webhook_id"
)
DONE = (
    "UPDATE webhook_deliveries SET state = $2, attempts = attempts + 1, last_status = $3, last_error = $4, "
    "finished_at = now() WHERE id = $1"
)
AGAIN = (
    "UPDATE webhook_deliveries SET attempts = attempts + 1, last_status = $2, last_error = $3, due_at = $4 "
    "WHERE id = $1"
)
DISABLE = (
    "UPDATE webhooks SET disabled_at = now(), disabled_reason = $2 WHERE id = $1 AND disabled_at IS NULL"
)
BURY = (
    "UPDATE webhook_deliveries SET state = 'dead', finished_at = now(), last_error = $2 "
    "WHERE webhook_id = $1 AND state = 'pending'"
)
FORGET = (
    "DELETE FROM webhook_deliveries WHERE state <> 'pending' AND finished_at < now() - interval '30 days'"
)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Somebody's address for events."""

    id: str
    user_id: str
    is_global: bool
    """Whether it is told of everybody's streams."""
    url: str
    events: tuple[str, ...]
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one webhook."""

    id: int
    webhook_id: str
    event_id: str
    type: str
    body: bytes
    attempts: int
    """That have failed so far."""
    url: str
    secret: str


class WebhookTable:
    """The tables `webhooks` and `webhook_deliveries`.

    Args:
        database: where they are.
        box: seals secrets.
    """

    def __init__(self, database: Database, box: KeyBox) -> None:
        self._database = database
        self._box = box

    async def add(self, owner: Identity, url: str, events: Sequence[str], secret: str) -> Webhook | None:
        """Store a webhook, an admin's for everybody's streams; None when the owner has as many as may be."""
        webhook_id = str(uuid_utils.uuid7())
        sealed = self._box.seal(secret, webhook_id)
        values = (webhook_id, owner.user_id, owner.is_admin, url, list(events), sealed, MAX_WEBHOOKS)
        row = await self._database.fetchrow(ADD, *values)
        return None if row is None else _webhook(row)

    async def list(self, user_id: str) -> Sequence[Webhook]:
        """List a user's webhooks."""
        return [_webhook(row) for row in await self._database.fetch(LIST, user_id)]

    async def delete(self, webhook_id: str, user_id: str) -> bool:
        """Delete a user's webhook and what waits for it; tells whether there was one."""
        return await self._database.execute(DELETE, webhook_id, user_id) > 0

    async def queue(self, event: Event) -> None:
        """Note what is to be delivered of an event; doing so again changes nothing."""
        body = json.dumps(event.message(), ensure_ascii=False, separators=(",", ":"))
        await self._database.execute(QUEUE, event.id, event.type.value, body, event.user_id)

    async def take(self, limit: int) -> Sequence[Delivery]:
        """Take deliveries that are due and that nobody else works on, one of each webhook."""
        return [
            Delivery(
                id=row["id"],
                webhook_id=row["webhook_id"],
                event_id=row["event_id"],
                type=row["type"],
                body=row["body"].encode(),
                attempts=row["attempts"],
                url=row["url"],
                secret=self._box.open(row["secret_sealed"], row["webhook_id"]),
            )
            for row in await self._database.fetch(TAKE, LEASE_S, limit)
        ]

    async def note(self, delivery: Delivery, outcome: Outcome, again_at: datetime | None) -> None:
        """Note what became of an attempt.

        Args:
            delivery: that was attempted.
            outcome: of the attempt.
            again_at: when to try again; None: never.
        """
        if outcome.is_delivered or again_at is None:
            state = "delivered" if outcome.is_delivered else "dead"
            await self._database.execute(DONE, delivery.id, state, outcome.status, outcome.error)
        else:
            await self._database.execute(AGAIN, delivery.id, outcome.status, outcome.error, again_at)
        if outcome.is_gone:
            async with self._database.transaction() as connection:
                await connection.execute(DISABLE, delivery.webhook_id, outcome.error)
                await connection.execute(BURY, delivery.webhook_id, outcome.error)

    async def forget_old(self) -> None:
        """Delete deliveries that were finished a month ago."""
        await self._database.execute(FORGET)


def _webhook(row: Record) -> Webhook:
    return Webhook(
        id=row["id"],
        user_id=row["user_id"],
        is_global=row["is_global"],
        url=row["url"],
        events=tuple(row["events"]),
        created_at=row["created_at"],
        disabled_at=row["disabled_at"],
        disabled_reason=row["disabled_reason"],
    )
