"""Viewers of streams in PostgreSQL: who watched when and for how long, and how many do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from control_api.postgres.database import Database
from control_api.viewer.audience import Audience, Viewer, ViewerRow
from control_api.viewer.viewer_id import user_of

if TYPE_CHECKING:
    from asyncpg import Record

_COLUMNS = "stream_id, viewer_id, joined_at, last_seen_at, left_at, visits, watch_time_s"
FIND = (
    f"SELECT {_COLUMNS} FROM stream_viewers "  # noqa: S608 constants
    "JOIN unnest($1::uuid[], $2::text[]) AS wanted (stream_id, viewer_id) USING (stream_id, viewer_id)"
)
LATEST = (
    f"SELECT {_COLUMNS} FROM stream_viewers "  # noqa: S608 constants
    "WHERE stream_id = ANY($1::uuid[]) ORDER BY last_seen_at DESC LIMIT $2"
)
# Figures are whole, not what is to be added: writing them again, when nobody knows whether it was done, does no harm.
# What another server knows of the same viewer is never made smaller. In order, so no two of them wait for each other.
WRITE = (
    f"INSERT INTO stream_viewers ({_COLUMNS}, user_id) SELECT * FROM unnest("  # noqa: S608 constants
    "$1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::integer[], "
    "$7::double precision[], $8::text[]) AS seen (stream_id, viewer_id) ORDER BY stream_id, viewer_id "
    "ON CONFLICT (stream_id, viewer_id) DO UPDATE SET "
    "last_seen_at = greatest(stream_viewers.last_seen_at, EXCLUDED.last_seen_at), "
    "left_at = CASE WHEN EXCLUDED.left_at IS NOT NULL "
    "THEN greatest(EXCLUDED.left_at, stream_viewers.last_seen_at) END, "
    "visits = greatest(stream_viewers.visits, EXCLUDED.visits), "
    "watch_time_s = greatest(stream_viewers.watch_time_s, EXCLUDED.watch_time_s)"
)
COUNT = (
    "UPDATE live_streams SET viewer_count = CASE WHEN status = 'live' THEN seen.viewer_count ELSE 0 END, "
    "peak_viewers = greatest(live_streams.peak_viewers, seen.peak_viewers) "
    "FROM unnest($1::uuid[], $2::integer[], $3::integer[]) AS seen (id, viewer_count, peak_viewers) "
    "WHERE live_streams.id = seen.id AND (live_streams.viewer_count <> seen.viewer_count "
    "OR live_streams.peak_viewers < seen.peak_viewers)"
)
CLOSE_SILENT = "UPDATE stream_viewers SET left_at = last_seen_at WHERE left_at IS NULL AND last_seen_at < $1"


class ViewerTable:
    """The table `stream_viewers`, and what `live_streams` says of it.

    Args:
        database: where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self, stream_ids: Sequence[str], limit: int) -> Sequence[ViewerRow]:
        """Read the viewers of streams, at most so many, those seen last.

        Raises:
            CapacityError: the database is away; so do all the others here.
        """
        return [_read(row) for row in await self._database.fetch(LATEST, stream_ids, limit)]

    async def find(self, viewers: Sequence[Viewer]) -> Sequence[ViewerRow]:
        """Read what is stored of viewers."""
        stream_ids = [viewer.audience.stream_id for viewer in viewers]
        rows = await self._database.fetch(FIND, stream_ids, [viewer.key for viewer in viewers])
        return [_read(row) for row in rows]

    async def write(self, viewers: Sequence[Viewer], audiences: Sequence[Audience]) -> None:
        """Store viewers, and how many there are, as they are at the time of the call."""
        rows = _columns([viewer.row() for viewer in viewers])
        figures = [audience.figures() for audience in audiences]
        counts = (
            [audience.stream_id for audience in audiences],
            [figure.viewer_count for figure in figures],
            [figure.peak_viewers for figure in figures],
        )
        async with self._database.transaction() as connection:
            if viewers:
                await connection.execute(WRITE, *rows)
            if audiences:
                await connection.execute(COUNT, *counts)

    async def close_silent(self, before: float) -> int:
        """Let those leave of whom nobody has heard since `before`: their server has died; returns how many."""
        return await self._database.execute(CLOSE_SILENT, _time(before))


def _columns(rows: Sequence[ViewerRow]) -> list[list[object]]:
    return [
        [row.stream_id for row in rows],
        [row.viewer_id for row in rows],
        [_time(row.joined_at) for row in rows],
        [_time(row.last_seen_at) for row in rows],
        [None if row.left_at is None else _time(row.left_at) for row in rows],
        [row.visits for row in rows],
        [row.watch_time_s for row in rows],
        [user_of(row.viewer_id) for row in rows],
    ]


def _read(row: Record) -> ViewerRow:
    left_at = row["left_at"]
    return ViewerRow(
        stream_id=row["stream_id"],
        viewer_id=row["viewer_id"],
        joined_at=row["joined_at"].timestamp(),
        last_seen_at=row["last_seen_at"].timestamp(),
        left_at=None if left_at is None else left_at.timestamp(),
        visits=row["visits"],
        watch_time_s=row["watch_time_s"],
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
