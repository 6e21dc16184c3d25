"""Snapshots of long ago, summed up, in PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta

from control_api.postgres.database import Database

MAX_SPANS = 200
"""Of one stream, summed up in one go: 2000 rows at most, some 50 ms."""

LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('old snapshots'))"
FIND = "SELECT stream_id, at FROM stream_analytics WHERE span_s = $1 AND at <= $2 ORDER BY span_s, at LIMIT 1"
# A span ends with its last moment, and the row keeps the time of the last snapshot in it: so it takes that one's place.
MERGE = (
    "WITH old AS MATERIALIZED (SELECT *, "
    "date_bin(make_interval(secs => $2), at - interval '1 microsecond', timestamptz '2000-01-01 00:00Z') AS piece "
    "FROM stream_analytics WHERE stream_id = $1 AND span_s < $2 AND at > $3 AND at <= $4), "
    "added AS (SELECT piece, name, sum(count::bigint) AS count FROM old, "
    "jsonb_each_text(experience) AS reported (name, count) GROUP BY piece, name), "
    "told AS (SELECT piece, jsonb_object_agg(name, count) AS experience FROM added GROUP BY piece), "
    "made AS (SELECT piece, array_agg(DISTINCT rung) AS rungs FROM old, unnest(rungs) AS rung GROUP BY piece) "
    "INSERT INTO stream_analytics (stream_id, at, span_s, snapshots, viewer_count, viewer_sum, unique_viewers, "
    "comments_count, reactions_count, bitrate_bps, fps, signals, rungs, experience) "
    "SELECT $1, max(at), $2, sum(snapshots), max(viewer_count), sum(coalesce(viewer_sum, viewer_count)), "
    "max(unique_viewers), (array_agg(comments_count ORDER BY at DESC))[1], "
    "(array_agg(reactions_count ORDER BY at DESC))[1], "
    "round(sum(bitrate_bps * signals) / nullif(sum(signals) FILTER (WHERE bitrate_bps IS NOT NULL), 0)), "
    "sum(fps * signals) / nullif(sum(signals) FILTER (WHERE fps IS NOT NULL), 0), sum(signals), "
    "coalesce(made.rungs[1:40], '{}'), coalesce(told.experience, '{}') "
    "FROM old LEFT JOIN told USING (piece) LEFT JOIN made USING (piece) GROUP BY piece, made.rungs, told.experience "
    "ON CONFLICT (stream_id, at) DO UPDATE SET (span_s, snapshots, viewer_count, viewer_sum, unique_viewers, "
    "comments_count, reactions_count, bitrate_bps, fps, signals, rungs, experience) = (excluded.span_s, "
    "excluded.snapshots, excluded.viewer_count, excluded.viewer_sum, excluded.unique_viewers, "
    "excluded.comments_count, excluded.reactions_count, excluded.bitrate_bps, excluded.fps, excluded.signals, "
    "excluded.rungs, excluded.experience)"
)
FORGET = "DELETE FROM stream_analytics WHERE stream_id = $1 AND span_s < $2 AND at > $3 AND at <= $4"


class CompactionTable:
    """The old part of the table `stream_analytics`.

    Args:
        database: where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sum_up(self, span_s: int, into_s: int, until: datetime) -> bool:
        """Sum up some rows of one stream; a server that does the same at the moment is left alone.

        Args:
            span_s: what the rows are about, seconds.
            into_s: what rows shall be about, a multiple of it.
            until: only rows up to this time, a multiple of `into_s`.

        Returns:
            Whether there was something to do.

        Raises:
            CapacityError: the database is away.
        """
        async with self._database.transaction() as connection:
            if not await connection.fetchval(LOCK):
                return False
            row = await connection.fetchrow(FIND, span_s, until)
            if row is None:
                return False
            span = timedelta(seconds=into_s)
            start = _floor(row["at"] - timedelta(microseconds=1), span)
            window = row["stream_id"], into_s, start, min(until, start + MAX_SPANS * span)
            await connection.execute(MERGE, *window)
            await connection.execute(FORGET, *window)
        return True


def _floor(at: datetime, span: timedelta) -> datetime:
    origin = at.replace(year=2000, month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
    return origin + (at - origin) // span * span
