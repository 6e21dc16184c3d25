"""Comments in PostgreSQL. Implements `control_api.chat.store.CommentStore`.

Whoever changes something locks the row of the stream first, by taking a `seq` from it: so `seq` rises in the order in
which changes are seen, and nobody waits in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from control_api.chat.store import ChangedComment, Comment, NewComment, Pin
from control_api.postgres.database import Database

if TYPE_CHECKING:
    from asyncpg import Record

COLUMNS = "id, stream_id, user_id, display_name, content, seq, created_at, pinned_at IS NOT NULL AS is_pinned"
# No `=` for the stream, so that no index of it is used: a stream that statistics do not know yet seems to have no
# comments, and all of them would be read to find one.
_HERE = "id = $2 AND stream_id IS NOT DISTINCT FROM $1 AND deleted_at IS NULL"

# Streams are locked in the order of their ids, since servers write batches at the same time.
ADD = (
    "WITH new AS (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) "
    "WITH ORDINALITY AS new (id, stream_id, user_id, display_name, content, place)), "
    "counted AS (SELECT stream_id, count(*) AS count FROM new GROUP BY stream_id), "
    "locked AS (SELECT id FROM live_streams WHERE id IN (SELECT stream_id FROM counted) AND status = 'live' "
    "ORDER BY id FOR NO KEY UPDATE), "
    "taken AS (UPDATE live_streams SET comment_seq = comment_seq + count FROM counted, locked "
    "WHERE live_streams.id = counted.stream_id AND live_streams.id = locked.id "
    "RETURNING live_streams.id, comment_seq - count AS before) "
    "INSERT INTO stream_comments (id, stream_id, user_id, display_name, content, seq, created_at) "
    "SELECT new.id, stream_id, user_id, display_name, content, "
    "before + row_number() OVER (PARTITION BY stream_id ORDER BY place), clock_timestamp() "
    "FROM new JOIN taken ON taken.id = stream_id RETURNING id, seq, created_at"
)
GET = f"SELECT {COLUMNS} FROM stream_comments WHERE {_HERE}"  # noqa: S608 names are constants, here and below
LATEST = (
    f"SELECT {COLUMNS} FROM stream_comments "  # noqa: S608
    "WHERE stream_id = $1 AND deleted_at IS NULL ORDER BY seq DESC LIMIT $2"
)
LATEST_BEFORE = (
    f"SELECT {COLUMNS} FROM stream_comments "  # noqa: S608
    "WHERE stream_id = $1 AND deleted_at IS NULL AND seq < $3 ORDER BY seq DESC LIMIT $2"
)
_CHANGES = f"SELECT {COLUMNS}, changed_seq, deleted_at IS NOT NULL AS is_deleted FROM stream_comments "  # noqa: S608
CHANGES = (
    f"({_CHANGES} WHERE stream_id = $1 AND deleted_at IS NULL AND seq > $2 ORDER BY seq LIMIT $3) UNION ALL "
    f"({_CHANGES} WHERE stream_id = $1 AND changed_seq > $2 AND seq <= $2 ORDER BY changed_seq LIMIT $3)"
)
NEWEST_SEQ = "SELECT comment_seq FROM live_streams WHERE id = $1"
PINNED = f"SELECT {COLUMNS} FROM stream_comments WHERE stream_id = $1 AND pinned_at IS NOT NULL"  # noqa: S608
TAKE_TWO = "UPDATE live_streams SET comment_seq = comment_seq + 2 WHERE id = $1 RETURNING comment_seq"
RELEASE = (
    "UPDATE stream_comments SET pinned_at = NULL, pinned_by = NULL, changed_seq = $2 "
    "WHERE stream_id = $1 AND pinned_at IS NOT NULL RETURNING id"
)
PIN = (
    "UPDATE stream_comments SET pinned_at = now(), pinned_by = $3, changed_seq = $4 "  # noqa: S608
    f"WHERE {_HERE} RETURNING {COLUMNS}"
)
_TAKE = (
    "WITH taken AS (UPDATE live_streams SET comment_seq = comment_seq + 1 WHERE live_streams.id = $1 "
    "RETURNING comment_seq) "
)
UNPIN = (
    f"{_TAKE} UPDATE stream_comments SET pinned_at = NULL, pinned_by = NULL, changed_seq = comment_seq "  # noqa: S608
    f"FROM taken WHERE {_HERE} AND pinned_at IS NOT NULL RETURNING changed_seq"
)
DELETE = (
    f"{_TAKE} UPDATE stream_comments SET pinned_at = NULL, pinned_by = NULL, changed_seq = comment_seq, "  # noqa: S608
    f"deleted_at = now(), deleted_by = $3 FROM taken WHERE {_HERE} RETURNING changed_seq"
)


class CommentTable:
    """The table `stream_comments`.

    Args:
        database: where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, comments: Sequence[NewComment]) -> Sequence[Comment | None]:
        """Store comments of any streams in one statement; None for those whose stream is not live."""
        names = ("id", "stream_id", "user_id", "display_name", "content")
        columns = [[getattr(comment, name) for comment in comments] for name in names]
        rows = {row["id"]: row for row in await self._database.fetch(ADD, *columns)}
        return [_stored(comment, rows.get(comment.id)) for comment in comments]

    async def get(self, stream_id: str, comment_id: str) -> Comment | None:
        """Find a comment of a stream."""
        return _comment(await self._database.fetchrow(GET, stream_id, comment_id))

    async def latest(self, stream_id: str, before: int | None, limit: int) -> Sequence[Comment]:
        """List the newest comments of a stream, the newest first; only those with a smaller `seq` than `before`."""
        if before is None:
            rows = await self._database.fetch(LATEST, stream_id, limit)
        else:
            rows = await self._database.fetch(LATEST_BEFORE, stream_id, limit, before)
        return [Comment(**row) for row in rows]

    async def changes(self, stream_id: str, since: int, limit: int) -> Sequence[ChangedComment]:
        """List comments that were written, pinned, unpinned or deleted after a `seq`."""
        return [_changed(dict(row)) for row in await self._database.fetch(CHANGES, stream_id, since, limit)]

    async def newest_seq(self, stream_id: str) -> int:
        """Give the highest `seq` of a stream; 0 when nothing has happened."""
        return await self._database.fetchval(NEWEST_SEQ, stream_id) or 0

    async def pinned(self, stream_id: str) -> Comment | None:
        """Find the pinned comment of a stream."""
        return _comment(await self._database.fetchrow(PINNED, stream_id))

    async def pin(self, stream_id: str, comment_id: str, user_id: str) -> Pin | None:
        """Pin a comment instead of the one that was; None when there is no such comment."""
        async with self._database.transaction() as connection:
            seq = await connection.fetchval(TAKE_TWO, stream_id)
            comment = _comment(await connection.fetchrow(GET, stream_id, comment_id))
            if comment is None or comment.is_pinned:
                return None if comment is None else Pin(comment, None)
            replaced_id = await connection.fetchval(RELEASE, stream_id, seq - 1)
            row = await connection.fetchrow(PIN, stream_id, comment_id, user_id, seq)
        pinned = _comment(row)
        return None if pinned is None else Pin(pinned, seq, replaced_id)

    async def unpin(self, stream_id: str, comment_id: str) -> int | None:
        """Pin a comment no more; gives the `seq` of that, None when it was not pinned."""
        seq: int | None = await self._database.fetchval(UNPIN, stream_id, comment_id)
        return seq

    async def delete(self, stream_id: str, comment_id: str, user_id: str) -> int | None:
        """Delete a comment, pinned or not; gives the `seq` of that, None when there is no such comment."""
        seq: int | None = await self._database.fetchval(DELETE, stream_id, comment_id, user_id)
        return seq


def _comment(row: Record | None) -> Comment | None:
    return None if row is None else Comment(**row)


def _changed(row: dict[str, Any]) -> ChangedComment:
    changed_seq, is_deleted = row.pop("changed_seq"), row.pop("is_deleted")
    return ChangedComment(Comment(**row), changed_seq, is_deleted)


def _stored(comment: NewComment, row: Record | None) -> Comment | None:
    if row is None:
        return None
    return Comment(
        id=comment.id,
        stream_id=comment.stream_id,
        user_id=comment.user_id,
        display_name=comment.display_name,
        content=comment.content,
        seq=row["seq"],
        created_at=row["created_at"],
    )
