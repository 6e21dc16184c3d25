"""What is known of people and is to be known no more, in PostgreSQL.

Rows that something is counted by stay, with nobody in particular in them. Everything is done in bounded pieces that can
be done again, so whoever is interrupted begins anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from control_api.audit import AuditNote
from control_api.chat.event import CommentDeleted
from control_api.postgres.audit_table import add_note
from control_api.postgres.database import Database, count_of

GONE = "gone:"
"""Begins the names of nobody in particular; 32 random hexadecimal digits follow, so that no real name is one."""

NO_NAME = "gone"
"""Shown for an author who is known no more."""

COMMENTS_AT_ONCE = 200
"""Comments deleted in a transaction: a trigger counts each of them, in the one row of their stream."""

ROWS_AT_ONCE = 1000

NEW_NAME = f"'{GONE}' || replace(gen_random_uuid()::text, '-', '')"
"""Makes such a name for each row."""

IS_LIVE = "SELECT EXISTS (SELECT FROM live_streams WHERE user_id = $1 AND status = 'live')"
STREAMS = "SELECT id FROM live_streams WHERE user_id = $1 ORDER BY id DESC LIMIT $2"
WRITTEN_IN = "SELECT stream_id FROM stream_comments WHERE user_id = $1 LIMIT 1"
LOCK_STREAM = "SELECT comment_seq FROM live_streams WHERE id = $1 FOR NO KEY UPDATE"
COMMENTS = (
    "SELECT id, deleted_at IS NULL AS is_shown FROM stream_comments "
    "WHERE user_id = $1 AND stream_id = $2 LIMIT $3"
)
TAKE = "UPDATE live_streams SET comment_seq = $2 WHERE id = $1"
DELETE_COMMENTS = (
    "UPDATE stream_comments SET user_id = $1, display_name = $2, content = '-', pinned_at = NULL, pinned_by = NULL, "
    "changed_seq = coalesce(new_seq, changed_seq), deleted_at = coalesce(deleted_at, now()), "
    "deleted_by = CASE WHEN deleted_by IS NULL OR deleted_by = user_id THEN $1 ELSE deleted_by END "
    "FROM unnest($3::uuid[], $4::bigint[]) AS one (comment_id, new_seq) WHERE id = comment_id"
)
REACTIONS = (
    f"UPDATE stream_reactions SET user_id = {NEW_NAME} WHERE user_id = $1 AND stream_id IN ("  # noqa: S608 constants
    "SELECT stream_id FROM stream_reactions WHERE user_id = $1 LIMIT $2)"
)
VIEWERS = (
    f"UPDATE stream_viewers SET viewer_id = {NEW_NAME}, user_id = NULL WHERE user_id = $1 AND stream_id IN ("  # noqa: S608
    "SELECT stream_id FROM stream_viewers WHERE user_id = $1 LIMIT $2)"
)
FORGET = (
    "DELETE FROM channel_keys WHERE user_id = $1",
    "DELETE FROM followers WHERE user_id = $1",
    "DELETE FROM followers WHERE follower_id = $1",
    "DELETE FROM moderators WHERE channel_id = $1",
    "DELETE FROM moderators WHERE user_id = $1",
    "DELETE FROM bans WHERE channel_id = $1",
    "DELETE FROM bans WHERE user_id = $1",
    "DELETE FROM webhooks WHERE user_id = $1",
    "DELETE FROM idempotency_keys WHERE user_id = $1",
)
RENAME = (
    "UPDATE bans SET banned_by = $2 WHERE banned_by = $1",
    "UPDATE stream_comments SET deleted_by = $2 WHERE deleted_by = $1",
    "UPDATE stream_comments SET pinned_by = $2 WHERE pinned_by = $1",
    "UPDATE audit_log SET actor_id = $2, address = NULL WHERE actor_id = $1",
    "UPDATE audit_log SET subject = $2 WHERE subject = $1",
    "UPDATE audit_log SET channel_id = $2 WHERE channel_id = $1",
)
LOCK_CHANNEL = "SELECT pg_advisory_xact_lock(hashtext('moderation'), hashtext($1))"


class ErasureTable:
    """Everything that names a user.

    Args:
        database: where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def is_live(self, user_id: str) -> bool:
        """Tell whether a user has a live stream.

        Raises:
            CapacityError: the database is away; so do all the others here.
        """
        return bool(await self._database.fetchval(IS_LIVE, user_id))

    async def streams(self, user_id: str) -> Sequence[str]:
        """List some streams of a user."""
        return [row["id"] for row in await self._database.fetch(STREAMS, user_id, ROWS_AT_ONCE)]

    async def delete_comments(self, user_id: str) -> Sequence[CommentDeleted] | None:
        """Delete some comments of a user, with what they said; None when there is none left.

        Returns:
            Those that could be seen.
        """
        async with self._database.transaction() as connection:
            stream_id = await connection.fetchval(WRITTEN_IN, user_id)
            if stream_id is None:
                return None
            seq = await connection.fetchval(LOCK_STREAM, stream_id)
            rows = await connection.fetch(COMMENTS, user_id, stream_id, COMMENTS_AT_ONCE)
            shown = [row["id"] for row in rows if row["is_shown"]]
            seqs = {comment_id: seq + n for n, comment_id in enumerate(shown, start=1)}
            ids = [row["id"] for row in rows]
            nobody = GONE + secrets.token_hex(16)
            await connection.execute(TAKE, stream_id, seq + len(shown))
            await connection.execute(DELETE_COMMENTS, nobody, NO_NAME, ids, [seqs.get(one) for one in ids])
        return [CommentDeleted(stream_id, comment_id, place) for comment_id, place in seqs.items()]

    async def unname_reactions(self, user_id: str) -> bool:
        """Make some reactions of a user nobody's; returns whether there may be more."""
        return await self._database.execute(REACTIONS, user_id, ROWS_AT_ONCE) == ROWS_AT_ONCE

    async def unname_viewers(self, user_id: str) -> bool:
        """Make a user nobody in particular where it watched; returns whether there may be more."""
        return await self._database.execute(VIEWERS, user_id, ROWS_AT_ONCE) == ROWS_AT_ONCE

    async def forget(self, user_id: str, pseudonym: str, note: AuditNote) -> int:
        """Delete all else that a user has, and put a pseudonym where it did something to others.

        Args:
            user_id: who.
            pseudonym: takes the place of the id.
            note: of the deletion.

        Returns:
            How many rows it concerned, apart from the note.
        """
        count = 0
        async with self._database.transaction() as connection:
            await connection.execute(LOCK_CHANNEL, user_id)
            for sql in FORGET:
                count += count_of(await connection.execute(sql, user_id))
            for sql in RENAME:
                count += count_of(await connection.execute(sql, user_id, pseudonym))
            await add_note(connection, note)
        return count
