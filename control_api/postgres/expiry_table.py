"""Who watched and wrote, of streams of long ago, in PostgreSQL: nobody in particular any more."""

from __future__ import annotations

from datetime import datetime

from control_api.postgres.database import Database, count_of
from control_api.postgres.erasure_table import GONE, NEW_NAME, NO_NAME, ROWS_AT_ONCE

AUTHORS_AT_ONCE = 100
"""Authors of one stream renamed in a transaction, with all that they wrote there."""

LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('personal data'))"
FIND = (
    "SELECT id, user_id FROM live_streams WHERE status = 'ended' AND viewers_erased_at IS NULL AND ended_at <= $1 "
    "ORDER BY ended_at LIMIT 1"
)
VIEWERS = (
    f"UPDATE stream_viewers SET viewer_id = {NEW_NAME}, user_id = NULL "  # noqa: S608 constants, here and below
    "WHERE stream_id = $1 AND viewer_id IN (SELECT viewer_id FROM stream_viewers WHERE stream_id = $1 "
    f"AND viewer_id NOT LIKE '{GONE}%' LIMIT $2)"
)
_NAMED = f"stream_id = $1 AND user_id <> $2 AND user_id !~ '^{GONE}[0-9a-f]{{32}}$'"
# One name for all that somebody wrote in a stream, and for the reaction: as many have taken part as before.
RENAMED = (
    f"SELECT user_id, {NEW_NAME} AS name FROM ("  # noqa: S608
    f"(SELECT user_id FROM stream_comments WHERE {_NAMED} LIMIT $3) UNION "
    f"(SELECT user_id FROM stream_reactions WHERE {_NAMED} LIMIT $3)) AS known LIMIT $3"
)
COMMENTS = (
    "UPDATE stream_comments SET user_id = name, display_name = $4 "
    "FROM unnest($2::text[], $3::text[]) AS renamed (known, name) WHERE stream_id = $1 AND user_id = known"
)
REACTIONS = (
    "UPDATE stream_reactions SET user_id = name "
    "FROM unnest($2::text[], $3::text[]) AS renamed (known, name) WHERE stream_id = $1 AND user_id = known"
)
MODERATORS = (
    "UPDATE stream_comments SET deleted_by = CASE WHEN deleted_by <> $2 THEN $3 ELSE deleted_by END, "
    "pinned_by = CASE WHEN pinned_by <> $2 THEN $3 ELSE pinned_by END "
    "WHERE stream_id = $1 AND (deleted_by <> $2 OR pinned_by <> $2)"
)
DONE = "UPDATE live_streams SET viewers_erased_at = now() WHERE id = $1"


class ExpiryTable:
    """Viewers and authors of ended streams.

    Args:
        database: where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unname_some(self, ended_before: datetime) -> bool:
        """Make some viewers and authors of one stream nobody in particular; the owner keeps the name.

        A server that does the same at the moment is left alone.

        Args:
            ended_before: only of streams that ended by then.

        Returns:
            Whether there may be more to do.

        Raises:
            CapacityError: the database is away.
        """
        async with self._database.transaction() as connection:
            if not await connection.fetchval(LOCK):
                return False
            stream = await connection.fetchrow(FIND, ended_before)
            if stream is None:
                return False
            stream_id, owner_id = stream["id"], stream["user_id"]
            viewers = count_of(await connection.execute(VIEWERS, stream_id, ROWS_AT_ONCE))
            if viewers == ROWS_AT_ONCE:
                return True
            rows = await connection.fetch(RENAMED, stream_id, owner_id, AUTHORS_AT_ONCE)
            if rows:
                known, names = [row["user_id"] for row in rows], [row["name"] for row in rows]
                await connection.execute(COMMENTS, stream_id, known, names, NO_NAME)
                await connection.execute(REACTIONS, stream_id, known, names)
                return True
            await connection.execute(MODERATORS, stream_id, owner_id, NO_NAME)
            await connection.execute(DONE, stream_id)
        return True
