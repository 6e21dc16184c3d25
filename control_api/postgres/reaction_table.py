"""Reactions in PostgreSQL. Implements `control_api.chat.store.ReactionStore`."""

from __future__ import annotations

from collections.abc import Sequence

from control_api.chat.store import Reaction, ReactionCounts, ReactionType
from control_api.postgres.database import Database

# Streams are locked first, in the order of their ids, as comments do it: new reactions are counted there. Reactions
# come in the order of the primary key, since servers write batches at the same time.
PUT = (
    "WITH locked AS (SELECT id FROM live_streams WHERE id = ANY ($1::uuid[]) AND status = 'live' "
    "ORDER BY id FOR NO KEY UPDATE) "
    "INSERT INTO stream_reactions (stream_id, user_id, type) "
    "SELECT stream_id, new.user_id, type FROM unnest($1::uuid[], $2::text[], $3::text[]) "
    "AS new (stream_id, user_id, type) JOIN locked ON locked.id = stream_id "
    "ORDER BY stream_id, new.user_id "
    "ON CONFLICT (stream_id, user_id) DO UPDATE SET type = excluded.type, changed_at = now() RETURNING stream_id"
)
COUNT = (
    "SELECT stream_id, type, count(*) FROM stream_reactions WHERE stream_id = ANY ($1::uuid[]) "
    "GROUP BY stream_id, type"
)


class ReactionTable:
    """The table `stream_reactions`.

    Args:
        database: where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, reactions: Sequence[Reaction]) -> Sequence[ReactionCounts | None]:
        """Store reactions to any streams in one statement; of one user to one stream the last one stays.

        Returns:
            For each how the stream's reactions are now counted; None when the stream is not live.
        """
        last = {(one.stream_id, one.user_id): one for one in reactions}.values()
        columns = [one.stream_id for one in last], [one.user_id for one in last], [one.type for one in last]
        rows = await self._database.fetch(PUT, *columns)
        counts = await self._count({row["stream_id"] for row in rows})
        return [counts.get(one.stream_id) for one in reactions]

    async def _count(self, stream_ids: set[str]) -> dict[str, ReactionCounts]:
        counts = {stream_id: dict.fromkeys(ReactionType, 0) for stream_id in stream_ids}
        for row in await self._database.fetch(COUNT, sorted(stream_ids)):
            counts[row["stream_id"]][ReactionType(row["type"])] = row["count"]
        return {**counts}
