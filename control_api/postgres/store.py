"""Everything that the services keep, in PostgreSQL. Implements `control_api.stream.store.Store`."""

from __future__ import annotations

from control_api.postgres.stream_table import StreamTable
from control_api.postgres.user_table import UserTable


class PostgresStore(StreamTable, UserTable):
    """The tables of streams and users, as one."""
