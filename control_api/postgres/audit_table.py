"""Who has looked at or changed what is secret, and who moderated which channel, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from control_api.audit import AuditEntry, AuditNote
from control_api.postgres.database import Database

if TYPE_CHECKING:
    from asyncpg import Record

    from control_api.postgres.database import Connection

ADD = (
    "INSERT INTO audit_log (actor_id, action, subject, address, channel_id, details) "
    "VALUES ($1, $2, $3, $4, $5, $6)"
)
OF_CHANNEL = (
    "SELECT id, at, actor_id, action, subject, address, channel_id, details FROM audit_log "
    "WHERE channel_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
)


class AuditTable:
    """The table `audit_log`.

    Args:
        database: where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, actor_id: str, action: str, subject: str, address: str | None) -> None:
        """Write down that somebody does something; what cannot be written down is not to be done.

        Args:
            actor_id: who.
            action: a word, such as `stream_key.shown`.
            subject: of what: the id of a stream or a user.
            address: where the request came from.

        Raises:
            CapacityError: the database is away.
        """
        note = AuditNote(actor_id=actor_id, action=action, subject=subject, address=address)
        async with self._database.connection() as connection:
            await add_note(connection, note)

    async def of_channel(self, channel_id: str, before: int, limit: int) -> Sequence[AuditEntry]:
        """List what was done in a channel, the newest first.

        Args:
            channel_id: whose channel.
            before: only notes with smaller ids.
            limit: so many at most.
        """
        return [_entry(row) for row in await self._database.fetch(OF_CHANNEL, channel_id, before, limit)]


async def add_note(connection: Connection, note: AuditNote) -> None:
    """Write a note, within whatever transaction the connection is in."""
    values = (note.actor_id, note.action, note.subject, note.address, note.channel_id, dict(note.details))
    await connection.execute(ADD, *values)


def _entry(row: Record) -> AuditEntry:
    fields = ("actor_id", "action", "subject", "address", "channel_id", "details")
    return AuditEntry(row["id"], row["at"], AuditNote(**{name: row[name] for name in fields}))
