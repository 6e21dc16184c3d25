"""Moderators, bans and chat settings in PostgreSQL. Implements `control_api.moderation.store.ModerationStore`.

Changes of one channel happen one after the other, so nobody is moderator and banned at once, and the ids of the log
rise in the order in which its entries become visible.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from control_api.audit import AuditNote
from control_api.moderation.store import MAX_MODERATORS, Ban, ChatSettings, Deed, KnownBans, Moderator
from control_api.postgres.audit_table import AuditTable, add_note
from control_api.postgres.database import Database, count_of
from media.error import StreamError

if TYPE_CHECKING:
    from asyncpg import Record

    from control_api.postgres.database import Connection

MAX_KNOWN_BANS = 2000
"""Read at once, each second in which somebody writes; channels with more are asked about each user."""

LOCK = "SELECT pg_advisory_xact_lock(hashtext('moderation'), hashtext($1))"
MODERATORS = "SELECT user_id, created_at FROM moderators WHERE channel_id = $1 ORDER BY created_at, user_id"
APPOINT = (
    "INSERT INTO moderators (channel_id, user_id) SELECT $1, $2 "
    "WHERE (SELECT count(*) FROM moderators WHERE channel_id = $1) < $3 ON CONFLICT DO NOTHING"
)
IS_MODERATOR = "SELECT EXISTS (SELECT FROM moderators WHERE channel_id = $1 AND user_id = $2)"
DISMISS = "DELETE FROM moderators WHERE channel_id = $1 AND user_id = $2"
BAN_COLUMNS = "id, user_id, banned_by, reason, created_at, ends_at"
# Names of columns are constants of this program; values are arguments.
BAN = (
    "INSERT INTO bans (channel_id, user_id, banned_by, reason, created_at, ends_at) "  # noqa: S608
    "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (channel_id, user_id) DO UPDATE SET id = DEFAULT, "
    f"banned_by = $3, reason = $4, created_at = $5, ends_at = $6 RETURNING {BAN_COLUMNS}"
)
FORGET_ENDED = "DELETE FROM bans WHERE channel_id = $1 AND ends_at <= $2"
UNBAN = "DELETE FROM bans WHERE channel_id = $1 AND user_id = $2"
BANS = (
    f"SELECT {BAN_COLUMNS} FROM bans WHERE channel_id = $1 AND id < $3 "  # noqa: S608
    "AND (ends_at IS NULL OR ends_at > $2) ORDER BY id DESC LIMIT $4"
)
KNOWN_BANS = (
    "SELECT user_id, ends_at FROM bans WHERE channel_id = $1 AND (ends_at IS NULL OR ends_at > $2) LIMIT $3"
)
BAN_OF = (
    f"SELECT {BAN_COLUMNS} FROM bans WHERE channel_id = $1 AND user_id = $2 "  # noqa: S608
    "AND (ends_at IS NULL OR ends_at > $3)"
)
SETTINGS_COLUMNS = ("slow_mode_s", "followers_only", "links_allowed", "blocked_words")
SETTINGS = f"SELECT {', '.join(SETTINGS_COLUMNS)} FROM chat_settings WHERE stream_id = $1"  # noqa: S608
CHANGE_SETTINGS = (
    f"INSERT INTO chat_settings (stream_id, {', '.join(SETTINGS_COLUMNS)}) "  # noqa: S608
    "VALUES ($1, coalesce($2::integer, 0), coalesce($3::boolean, false), coalesce($4::boolean, true), "
    "coalesce($5::text[], '{}')) ON CONFLICT (stream_id) DO UPDATE SET "
    "slow_mode_s = coalesce($2, chat_settings.slow_mode_s), "
    "followers_only = coalesce($3, chat_settings.followers_only), "
    "links_allowed = coalesce($4, chat_settings.links_allowed), "
    "blocked_words = coalesce($5, chat_settings.blocked_words) "
    f"RETURNING {', '.join(SETTINGS_COLUMNS)}"
)


class ModerationTable:
    """The tables `moderators`, `bans` and `chat_settings`, and what `audit_log` has of them.

    Args:
        database: where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.log = AuditTable(database).of_channel

    async def moderators(self, channel_id: str) -> Sequence[Moderator]:
        """List the moderators of a channel, those appointed first first."""
        return [Moderator(**row) for row in await self._database.fetch(MODERATORS, channel_id)]

    async def appoint(self, channel_id: str, user_id: str, note: AuditNote) -> None:
        """Make somebody a moderator, and lift a ban of theirs; nothing happens when they are one.

        Raises:
            StreamError: `too_many`.
        """
        async with self._changing(channel_id) as connection:
            if await connection.fetchval(IS_MODERATOR, channel_id, user_id):
                return
            if not count_of(await connection.execute(APPOINT, channel_id, user_id, MAX_MODERATORS)):
                raise StreamError("too_many", f"A channel has {MAX_MODERATORS} moderators at most.")
            await add_note(connection, note)
            if count_of(await connection.execute(UNBAN, channel_id, user_id)):
                await add_note(connection, replace(note, action=Deed.UNBANNED))

    async def dismiss(self, channel_id: str, user_id: str, note: AuditNote) -> None:
        """Make somebody a moderator no more; nothing happens when they are none."""
        async with self._changing(channel_id) as connection:
            if count_of(await connection.execute(DISMISS, channel_id, user_id)):
                await add_note(connection, note)

    async def ban(self, channel_id: str, ban: Ban, note: AuditNote) -> Ban:
        """Set a ban in place of an older one, and dismiss the one who is banned; returns it with its id."""
        values = (ban.user_id, ban.banned_by, ban.reason, ban.created_at, ban.ends_at)
        async with self._changing(channel_id) as connection:
            await connection.execute(FORGET_ENDED, channel_id, ban.created_at)
            [row] = await connection.fetch(BAN, channel_id, *values)
            await add_note(connection, note)
            if count_of(await connection.execute(DISMISS, channel_id, ban.user_id)):
                await add_note(connection, replace(note, action=Deed.DISMISSED))
        return Ban(**row)

    async def unban(self, channel_id: str, user_id: str, now: datetime, note: AuditNote) -> None:
        """Lift a ban; nothing happens when there is none."""
        async with self._changing(channel_id) as connection:
            await connection.execute(FORGET_ENDED, channel_id, now)
            if count_of(await connection.execute(UNBAN, channel_id, user_id)):
                await add_note(connection, note)

    async def bans(self, channel_id: str, now: datetime, before: int, limit: int) -> Sequence[Ban]:
        """List bans that hold, the newest first: those with ids smaller than `before`."""
        return [Ban(**row) for row in await self._database.fetch(BANS, channel_id, now, before, limit)]

    async def known_bans(self, channel_id: str, now: datetime) -> KnownBans:
        """Give the bans of a channel that hold, as many as can be remembered."""
        rows = await self._database.fetch(KNOWN_BANS, channel_id, now, MAX_KNOWN_BANS + 1)
        return KnownBans({row["user_id"]: row["ends_at"] for row in rows}, len(rows) <= MAX_KNOWN_BANS)

    async def ban_of(self, channel_id: str, user_id: str, now: datetime) -> Ban | None:
        """Find the ban of a user that holds."""
        row = await self._database.fetchrow(BAN_OF, channel_id, user_id, now)
        return None if row is None else Ban(**row)

    async def settings(self, stream_id: str) -> ChatSettings:
        """Give the chat settings of a stream."""
        row = await self._database.fetchrow(SETTINGS, stream_id)
        return ChatSettings() if row is None else _settings(row)

    async def change_settings(
        self, stream_id: str, changes: Mapping[str, object], note: AuditNote
    ) -> ChatSettings:
        """Change some of the chat settings of a stream; returns all of them."""
        values = (changes.get(name) for name in SETTINGS_COLUMNS)
        async with self._database.transaction() as connection:
            [row] = await connection.fetch(CHANGE_SETTINGS, stream_id, *values)
            await add_note(connection, note)
        return _settings(row)

    @asynccontextmanager
    async def _changing(self, channel_id: str) -> AsyncIterator[Connection]:
        async with self._database.transaction() as connection:
            await connection.execute(LOCK, channel_id)
            yield connection


def _settings(row: Record) -> ChatSettings:
    return ChatSettings(**{**row, "blocked_words": tuple(row["blocked_words"])})
