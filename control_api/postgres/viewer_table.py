"""Viewers of streams in PostgreSQL: who watched when and for how long, and how many do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING

from asyncpg import DeadlockDetectedError

from control_api.postgres.database import Database
from control_api.viewer.audience import Count, KnownViewer, Span
from control_api.viewer.unstored import Changes
from control_api.viewer.viewer_id import user_of

if TYPE_CHECKING:
    from control_api.postgres.database import Connection

TRIES = 3
"""Two servers that store viewers of the same streams may stand in each other's way once in a while."""

LATEST = (
    "SELECT stream_id, viewer_id, extract(epoch FROM coalesce(left_at, last_seen_at))::float8 AS seen_at "
    "FROM stream_viewers WHERE stream_id = ANY($1::uuid[]) ORDER BY last_seen_at DESC LIMIT $2"
)
# Spans are added to those that are known, whichever server saw them: what two servers saw at the same time counts once,
# and writing it again, when nobody knows whether it was done, does no harm. Whether somebody is present is for the
# server to say that saw the last sign of life. In order, so that rows are not waited for crosswise.
WRITE = """
INSERT INTO stream_viewers AS known
    (stream_id, viewer_id, user_id, joined_at, last_seen_at, left_at, is_visit, watch_time_s, watched)
SELECT stream_id, viewer_id, user_id, to_timestamp(began), to_timestamp(ended),
    CASE WHEN is_over THEN to_timestamp(ended) END, is_visit,
    extract(epoch FROM to_timestamp(ended) - to_timestamp(began)),
    tstzmultirange(tstzrange(to_timestamp(began), to_timestamp(ended), '[]'))
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::float8[], $5::float8[], $6::boolean[], $7::boolean[])
    AS seen (stream_id, viewer_id, user_id, began, ended, is_over, is_visit)
ORDER BY stream_id, viewer_id
ON CONFLICT (stream_id, viewer_id) DO UPDATE SET
    joined_at = least(known.joined_at, EXCLUDED.joined_at),
    last_seen_at = greatest(known.last_seen_at, EXCLUDED.last_seen_at),
    left_at = CASE WHEN EXCLUDED.last_seen_at < known.last_seen_at THEN known.left_at ELSE EXCLUDED.left_at END,
    is_visit = EXCLUDED.is_visit,
    (visits, watch_time_s, watched, folded_until) = (SELECT added.* FROM add_watched(
        known.visits, known.watch_time_s, known.watched, known.folded_until,
        EXCLUDED.joined_at, EXCLUDED.last_seen_at, EXCLUDED.is_visit) AS added)
"""
COUNT = (
    "UPDATE live_streams SET viewer_count = CASE WHEN status <> 'live' THEN 0 "
    "WHEN seen.version >= viewer_count_version THEN seen.viewer_count ELSE live_streams.viewer_count END, "
    "viewer_count_version = greatest(viewer_count_version, seen.version), "
    "peak_viewers = greatest(live_streams.peak_viewers, seen.peak_viewers) "
    "FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::bigint[]) "
    "AS seen (id, viewer_count, peak_viewers, version) "
    "WHERE live_streams.id = seen.id AND (live_streams.viewer_count <> seen.viewer_count "
    "OR live_streams.peak_viewers < seen.peak_viewers)"
)
UNIQUE = "SELECT id, unique_viewers FROM live_streams WHERE id = ANY($1::uuid[])"
CLOSE_SILENT = "UPDATE stream_viewers SET left_at = last_seen_at WHERE left_at IS NULL AND last_seen_at < $1"


class ViewerTable:
    """The table `stream_viewers`, and what `live_streams` says of it.

    Args:
        database: where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self, stream_ids: Sequence[str], limit: int) -> Sequence[KnownViewer]:
        """Read the viewers of streams, at most so many, those seen last.

        Raises:
            CapacityError: the database is away; so do all the others here.
        """
        rows = await self._database.fetch(LATEST, stream_ids, limit)
        return [KnownViewer(row["stream_id"], row["viewer_id"], row["seen_at"]) for row in rows]

    async def write(self, changes: Changes, counts: Mapping[str, Count]) -> Mapping[str, int]:
        """Store when viewers watched, and how many do.

        Args:
            changes: the spans of each viewer.
            counts: how many watch the streams whose figures are to be stored.

        Returns:
            How many viewers each stream has had by that, of those that are concerned.
        """
        for _ in range(TRIES - 1):
            try:
                return await self._write(changes, counts)
            except DeadlockDetectedError:
                continue
        return await self._write(changes, counts)

    async def close_silent(self, before: float) -> int:
        """Let those leave of whom nobody has heard since `before`: their server has died; returns how many."""
        return await self._database.execute(CLOSE_SILENT, datetime.fromtimestamp(before, UTC))

    async def _write(self, changes: Changes, counts: Mapping[str, Count]) -> Mapping[str, int]:
        # A row changes once in a statement; hardly anybody has come and gone twice since the last time.
        rounds = [
            [span for span in part if span is not None] for part in zip_longest(*changes.spans.values())
        ]
        concerned = {span.stream_id for part in rounds for span in part} | counts.keys()
        if not concerned:
            return {}
        async with self._database.transaction() as connection:
            for part in rounds:
                await connection.execute(WRITE, *_columns(part))
            if counts:
                await _write_counts(connection, counts)
            rows = await connection.fetch(UNIQUE, list(concerned))
        return {row["id"]: row["unique_viewers"] for row in rows}


async def _write_counts(connection: Connection, counts: Mapping[str, Count]) -> None:
    ordered = sorted(counts.items())
    await connection.execute(
        COUNT,
        [stream_id for stream_id, _ in ordered],
        [count.figures.viewer_count for _, count in ordered],
        [count.figures.peak_viewers for _, count in ordered],
        [count.version for _, count in ordered],
    )


def _columns(spans: Sequence[Span]) -> list[list[object]]:
    return [
        [span.stream_id for span in spans],
        [span.key for span in spans],
        [user_of(span.key) for span in spans],
        [span.began for span in spans],
        [max(span.began, span.ended) for span in spans],
        [span.is_over for span in spans],
        [span.is_visit for span in spans],
    ]
