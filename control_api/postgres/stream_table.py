"""Streams in PostgreSQL. Implements `control_api.stream.store.StreamStore`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from control_api.event.record import Event
from control_api.key_box import KeyBox
from control_api.postgres.database import Database
from control_api.postgres.outbox_table import add_event
from control_api.postgres.stream_list import list_statement
from control_api.postgres.stream_row import COLUMNS, WRITTEN, read, written
from control_api.stream.record import Stream, is_stream_id
from control_api.stream.store import StreamQuery
from media.error import StreamError

_PLACES = ", ".join(f"${n}" for n in range(1, len(WRITTEN) + 2))
_CHANGES = ", ".join(f"{name} = ${n}" for n, name in enumerate(WRITTEN, start=3))
# Names of columns are constants of this program; values are arguments.
INSERT = f"INSERT INTO live_streams (id, {', '.join(WRITTEN)}) VALUES ({_PLACES}) RETURNING {COLUMNS}"  # noqa: S608
UPDATE = (
    f"UPDATE live_streams SET {_CHANGES}, revision = revision + 1 "  # noqa: S608
    f"WHERE id = $1 AND revision = $2 RETURNING {COLUMNS}"
)
BY_ID = f"SELECT {COLUMNS} FROM live_streams WHERE id = $1"  # noqa: S608
BY_KEY = f"SELECT {COLUMNS} FROM live_streams WHERE stream_key_digest = $1"  # noqa: S608
LIVE = f"SELECT {COLUMNS} FROM live_streams WHERE status = 'live' ORDER BY id"  # noqa: S608
OPEN = (
    f"SELECT {COLUMNS} FROM live_streams "  # noqa: S608
    "WHERE status IN ('created', 'scheduled', 'live') ORDER BY id DESC LIMIT $1"
)
PUBLISHABLE = (
    f"SELECT {COLUMNS} FROM live_streams "  # noqa: S608
    "WHERE user_id = $1 AND (status IN ('live', 'created') OR status = 'scheduled' AND scheduled_at <= $2) "
    "ORDER BY array_position(ARRAY['live', 'created', 'scheduled'], status), "
    "CASE WHEN status = 'scheduled' THEN scheduled_at END DESC, id DESC LIMIT 1"
)
DUE = (
    f"SELECT {COLUMNS} FROM live_streams "  # noqa: S608
    "WHERE status = 'scheduled' AND scheduled_at <= $1 ORDER BY scheduled_at LIMIT $2"
)
UNREMINDED = DUE.replace("scheduled_at <= $1", "reminded_at IS NULL AND scheduled_at <= $1")


class StreamTable:
    """The table `live_streams`.

    Args:
        database: where it is.
        box: digests and seals stream keys.
    """

    def __init__(self, database: Database, box: KeyBox) -> None:
        self._database = database
        self._box = box

    async def add(self, stream: Stream) -> None:
        """Store a new stream."""
        await self._database.execute(INSERT, stream.id, *written(stream, self._box))

    async def get(self, stream_id: str) -> Stream | None:
        """Find a stream by its id."""
        if not is_stream_id(stream_id):
            return None
        return await self._one(BY_ID, stream_id)

    async def get_newest(self, stream_id: str) -> Stream | None:
        """Find a stream by its id."""
        return await self.get(stream_id)

    async def get_by_key(self, stream_key: str) -> Stream | None:
        """Find a stream by its stream key."""
        return await self._one(BY_KEY, self._box.digest(stream_key))

    async def replace(self, stream: Stream, *events: Event) -> Stream:
        """Store a change made to the revision that `stream` carries, and what is to be told of it."""
        async with self._database.transaction() as connection:
            values = written(stream, self._box)
            row = await connection.fetchrow(UPDATE, stream.id, stream.revision, *values)
            if row is None:
                raise StreamError("conflict", "The stream was changed by another request; read it again.")
            for event in events:
                await add_event(connection, event)
            return read(row, self._box)

    async def find(self, query: StreamQuery) -> Sequence[Stream]:
        """List streams, at most `query.limit`."""
        sql, arguments = list_statement(query)
        return await self._all(sql, *arguments)

    async def publishable(self, user_id: str, until: datetime) -> Stream | None:
        """Find what a user's encoder publishes to."""
        return await self._one(PUBLISHABLE, user_id, until)

    async def open_streams(self, limit: int) -> Sequence[Stream]:
        """List the newest streams that are or can become live."""
        return await self._all(OPEN, limit)

    async def live_streams(self) -> Sequence[Stream]:
        """List every live stream."""
        return await self._all(LIVE)

    async def due(self, until: datetime, limit: int) -> Sequence[Stream]:
        """List scheduled streams whose time comes before `until`, the earliest first."""
        return await self._all(DUE, until, limit)

    async def unreminded(self, until: datetime, limit: int) -> Sequence[Stream]:
        """List those of them of which nobody has been reminded."""
        return await self._all(UNREMINDED, until, limit)

    async def tell(self, event: Event) -> None:
        """Store what is to be told, of something that changes no stream."""
        async with self._database.connection() as connection:
            await add_event(connection, event)

    async def _one(self, sql: str, *arguments: object) -> Stream | None:
        row = await self._database.fetchrow(sql, *arguments)
        return None if row is None else read(row, self._box)

    async def _all(self, sql: str, *arguments: object) -> Sequence[Stream]:
        return [read(row, self._box) for row in await self._database.fetch(sql, *arguments)]
