"""What is known of a stream's audience over time, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from control_api.postgres.database import Database

if TYPE_CHECKING:
    from asyncpg import Record

# What a row comes to: the most viewers, the mean of them, the last totals, what the encoder sent on average.
_POINT = (
    "at, viewer_count, round((coalesce(viewer_sum, viewer_count) / snapshots::numeric), 2)::float8 AS average_viewers, "
    "unique_viewers, comments_count, reactions_count, bitrate_bps, fps, rungs, experience"
)
# Comments and reactions are counted by the database itself. Where several servers take the same snapshot, each knows a
# part of the audience: the row has the most that one of them saw, and the reports to all of them. In order, so that no
# two of them wait for each other.
ADD = (
    "INSERT INTO stream_analytics (stream_id, at, viewer_count, viewer_sum, unique_viewers, comments_count, "  # noqa: S608
    "reactions_count, bitrate_bps, fps, signals, rungs, experience) "
    "SELECT id, $1, seen.viewer_count, seen.viewer_count, "
    "greatest(seen.unique_viewers, live_streams.unique_viewers), comments_count, reactions_count, "
    "bitrate_bps, fps, (bitrate_bps IS NOT NULL)::integer, string_to_array(rungs, ','), experience "
    "FROM unnest($2::uuid[], $3::integer[], $4::integer[], $5::bigint[], $6::real[], $7::text[], $8::jsonb[]) "
    "AS seen (id, viewer_count, unique_viewers, bitrate_bps, fps, rungs, experience) JOIN live_streams USING (id) "
    "WHERE status = 'live' OR ended_at > $1::timestamptz - interval '20 seconds' ORDER BY id "
    "ON CONFLICT (stream_id, at) DO UPDATE SET "
    "viewer_count = greatest(stream_analytics.viewer_count, excluded.viewer_count), "
    "viewer_sum = greatest(stream_analytics.viewer_sum, excluded.viewer_sum), "
    "unique_viewers = greatest(stream_analytics.unique_viewers, excluded.unique_viewers), "
    "comments_count = excluded.comments_count, reactions_count = excluded.reactions_count, "
    "bitrate_bps = coalesce(excluded.bitrate_bps, stream_analytics.bitrate_bps), "
    "fps = coalesce(excluded.fps, stream_analytics.fps), "
    "signals = greatest(stream_analytics.signals, excluded.signals), "
    "rungs = CASE WHEN excluded.rungs = '{}' THEN stream_analytics.rungs ELSE excluded.rungs END, "
    "experience = add_counts(stream_analytics.experience, excluded.experience) "
    f"WHERE stream_analytics.span_s = 10 RETURNING stream_id, {_POINT}"
)
# Of n rows the k-th ends a piece where k * limit / n reaches another whole number: evenly, and the last one always.
SERIES = (
    "WITH numbered AS MATERIALIZED (SELECT *, coalesce(viewer_sum, viewer_count) AS viewers, "
    "(k - 1) * $2::bigint / n AS piece FROM (SELECT *, row_number() OVER (ORDER BY at) AS k, count(*) OVER () AS n "
    "FROM stream_analytics WHERE stream_id = $1) AS snapshot), "
    "added AS (SELECT piece, name, sum(count::bigint) AS count FROM numbered, "
    "jsonb_each_text(experience) AS reported (name, count) GROUP BY piece, name), "
    "told AS (SELECT piece, jsonb_object_agg(name, count) AS experience FROM added GROUP BY piece) "
    "SELECT max(at) AS at, max(viewer_count) AS viewer_count, "
    "round(sum(viewers) / sum(snapshots), 2)::float8 AS average_viewers, "
    "max(unique_viewers) AS unique_viewers, (array_agg(comments_count ORDER BY k DESC))[1] AS comments_count, "
    "(array_agg(reactions_count ORDER BY k DESC))[1] AS reactions_count, "
    "(sum(bitrate_bps * signals) / nullif(sum(signals) FILTER (WHERE bitrate_bps IS NOT NULL), 0))::bigint "
    "AS bitrate_bps, sum(fps * signals) / nullif(sum(signals) FILTER (WHERE fps IS NOT NULL), 0) AS fps, "
    "string_to_array(coalesce(string_agg(nullif(array_to_string(rungs, ','), ''), ',' ORDER BY k), ''), ',') AS rungs, "
    "coalesce(told.experience, '{}') AS experience "
    "FROM numbered LEFT JOIN told USING (piece) GROUP BY piece, told.experience ORDER BY piece"
)
ROWS = (
    f"SELECT {_POINT} FROM stream_analytics "  # noqa: S608
    "WHERE stream_id = $1 AND at > $2 ORDER BY at LIMIT $3"
)
TOTALS = (
    "SELECT count(*) AS unique_viewers, coalesce(sum(visits), 0) AS visits, "
    "coalesce(sum(watch_time_s), 0) AS watch_time_s FROM stream_viewers WHERE stream_id = $1"
)
ENGAGED = (
    "SELECT count(*) FROM (SELECT user_id FROM stream_comments WHERE stream_id = $1 AND deleted_at IS NULL "
    "UNION SELECT user_id FROM stream_reactions WHERE stream_id = $1) AS engaged WHERE user_id <> $2"
)
# Step i of the thresholds: i of them are reached.
STAYED = (
    "SELECT width_bucket(watch_time_s, $2::float8[]) AS watched, "
    "width_bucket(extract(epoch FROM $3 - joined_at)::float8, $2::float8[]) AS possible, count(*) AS viewers "
    "FROM stream_viewers WHERE stream_id = $1 GROUP BY 1, 2"
)

# By when it happened, and not by the series: that is made coarser with age.
EVENTS = (
    "SELECT step, sum(comments)::integer AS comments, sum(reactions)::integer AS reactions FROM ("
    "SELECT floor(extract(epoch FROM created_at - $2::timestamptz) / $3::float8)::bigint AS step, "
    "1 AS comments, 0 AS reactions FROM stream_comments WHERE stream_id = $1 AND deleted_at IS NULL UNION ALL "
    "SELECT floor(extract(epoch FROM created_at - $2::timestamptz) / $3::float8)::bigint, 0, 1 "
    "FROM stream_reactions WHERE stream_id = $1) AS event WHERE step >= 0 AND step < $4 GROUP BY step"
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A stream at a moment."""

    stream_id: str
    viewer_count: int
    unique_viewers: int
    bitrate_bps: int | None
    fps: float | None
    rungs: Sequence[str] = ()
    """Names of those that are made at the moment."""
    experience: Mapping[str, int] | None = None
    """Counts of what players have reported; see `control_api.analytics.experience`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A stream over the time from the row before to this one's."""

    at: datetime
    viewer_count: int
    average_viewers: float
    unique_viewers: int
    comments_count: int
    reactions_count: int
    bitrate_bps: int | None
    fps: float | None
    rungs: Sequence[str]
    experience: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Totals:
    """What all viewers of a stream come to."""

    unique_viewers: int
    visits: int
    watch_time_s: float
    engaged_users: int
    """Users other than the owner who have commented or reacted."""


@dataclass(frozen=True, slots=True)
class Stay:
    """Viewers who watched as long as each other."""

    watched: int
    """How many of the thresholds their watch time reaches."""
    possible: int
    """How many it could have reached, seen from when they came."""
    viewers: int


class AnalyticsTable:
    """The table `stream_analytics`, and sums over the other tables of a stream.

    Args:
        database: where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, at: datetime, snapshots: Sequence[Snapshot]) -> Mapping[str, Row]:
        """Store snapshots of streams that are live, or were a moment ago; returns what is stored then, by stream.

        Raises:
            CapacityError: the database is away; so do all the others here.
        """
        columns: list[list[object]] = [
            [snapshot.stream_id for snapshot in snapshots],
            [snapshot.viewer_count for snapshot in snapshots],
            [snapshot.unique_viewers for snapshot in snapshots],
            [snapshot.bitrate_bps for snapshot in snapshots],
            [snapshot.fps for snapshot in snapshots],
            [",".join(snapshot.rungs) for snapshot in snapshots],
            [dict(snapshot.experience or {}) for snapshot in snapshots],
        ]
        rows = await self._database.fetch(ADD, at, *columns)
        return {row["stream_id"]: _row(row) for row in rows}

    async def series(self, stream_id: str, limit: int) -> Sequence[Row]:
        """Read how a stream went, the oldest first; more than `limit` rows are summed up into so many, evenly."""
        return [_row(row) for row in await self._database.fetch(SERIES, stream_id, limit)]

    async def rows(self, stream_id: str, after: datetime, limit: int) -> Sequence[Row]:
        """Read rows as they are stored, behind a time, the oldest first."""
        return [_row(row) for row in await self._database.fetch(ROWS, stream_id, after, limit)]

    async def totals(self, stream_id: str, owner_id: str) -> Totals:
        """Sum up a stream's viewers."""
        async with self._database.connection() as connection:
            [row] = await connection.fetch(TOTALS, stream_id)
            engaged = await connection.fetchval(ENGAGED, stream_id, owner_id)
        return Totals(row["unique_viewers"], row["visits"], row["watch_time_s"], engaged)

    async def stays(self, stream_id: str, thresholds_s: Sequence[float], end: datetime) -> Sequence[Stay]:
        """Count the viewers by how long they watched.

        Args:
            stream_id: of the stream.
            thresholds_s: seconds, rising.
            end: of the stream, or now.
        """
        rows = await self._database.fetch(STAYED, stream_id, list(thresholds_s), end)
        return [Stay(row["watched"], row["possible"], row["viewers"]) for row in rows]

    async def events(
        self, stream_id: str, started_at: datetime, step_s: float, steps: int
    ) -> Mapping[int, tuple[int, int]]:
        """Count the comments that were not deleted, and the reactions, of each step of a stream where some came.

        Args:
            stream_id: of the stream.
            started_at: when it began.
            step_s: how long a step is, seconds.
            steps: only so many.
        """
        rows = await self._database.fetch(EVENTS, stream_id, started_at, step_s, steps)
        return {row["step"]: (row["comments"], row["reactions"]) for row in rows}


def _row(row: Record) -> Row:
    values: dict[str, Any] = {name: row[name] for name in Row.__dataclass_fields__}
    return Row(**values | {"rungs": list(dict.fromkeys(filter(None, row["rungs"])))})
