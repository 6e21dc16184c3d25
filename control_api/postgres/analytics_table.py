"""What is known of a stream's audience over time, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from control_api.postgres.database import Database

# Comments and reactions are counted by the database itself.
ADD = (
    "INSERT INTO stream_analytics (stream_id, at, viewer_count, unique_viewers, comments_count, reactions_count, "
    "bitrate_bps, fps) SELECT id, $1, seen.viewer_count, seen.unique_viewers, comments_count, reactions_count, "
    "bitrate_bps, fps FROM unnest($2::uuid[], $3::integer[], $4::integer[], $5::bigint[], $6::real[]) "
    "AS seen (id, viewer_count, unique_viewers, bitrate_bps, fps) JOIN live_streams USING (id) "
    "WHERE status = 'live' ON CONFLICT DO NOTHING"
)
# Of n rows the k-th is taken where k * limit / n reaches another whole number: evenly, and the last one always.
SERIES = (
    "SELECT at, viewer_count, unique_viewers, comments_count, reactions_count, bitrate_bps, fps FROM ("
    "SELECT *, row_number() OVER (ORDER BY at) AS k, count(*) OVER () AS n FROM stream_analytics WHERE stream_id = $1"
    ") AS numbered WHERE k * $2::bigint / n > (k - 1) * $2::bigint / n ORDER BY at"
)
TOTALS = (
    "SELECT count(*) AS unique_viewers, coalesce(sum(visits), 0) AS visits, "
    "coalesce(sum(watch_time_s), 0) AS watch_time_s FROM stream_viewers WHERE stream_id = $1"
)
ENGAGED = (
    "SELECT count(*) FROM (SELECT user_id FROM stream_comments WHERE stream_id = $1 AND deleted_at IS NULL "
    "UNION SELECT user_id FROM stream_reactions WHERE stream_id = $1) AS engaged WHERE user_id <> $2"
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A stream at a moment."""

    stream_id: str
    viewer_count: int
    unique_viewers: int
    bitrate_bps: int | None
    fps: float | None


@dataclass(frozen=True, slots=True)
class Totals:
    """What all viewers of a stream come to."""

    unique_viewers: int
    visits: int
    watch_time_s: float
    engaged_users: int
    """Users other than the owner who have commented or reacted."""


class AnalyticsTable:
    """The table `stream_analytics`, and sums over the other tables of a stream.

    Args:
        database: where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, at: datetime, snapshots: Sequence[Snapshot]) -> None:
        """Store snapshots of streams that are live.

        Raises:
            CapacityError: the database is away; so do all the others here.
        """
        columns: list[list[object]] = [
            [snapshot.stream_id for snapshot in snapshots],
            [snapshot.viewer_count for snapshot in snapshots],
            [snapshot.unique_viewers for snapshot in snapshots],
            [snapshot.bitrate_bps for snapshot in snapshots],
            [snapshot.fps for snapshot in snapshots],
        ]
        await self._database.execute(ADD, at, *columns)

    async def series(self, stream_id: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """Read the snapshots of a stream, the oldest first; of more than `limit` so many, evenly."""
        return [dict(row) for row in await self._database.fetch(SERIES, stream_id, limit)]

    async def totals(self, stream_id: str, owner_id: str) -> Totals:
        """Sum up a stream's viewers."""
        async with self._database.connection() as connection:
            [row] = await connection.fetch(TOTALS, stream_id)
            engaged = await connection.fetchval(ENGAGED, stream_id, owner_id)
        return Totals(row["unique_viewers"], row["visits"], row["watch_time_s"], engaged)
