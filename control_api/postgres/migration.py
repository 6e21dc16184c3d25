"""The schema, brought up to date by the numbered files in `control_api/migrations`.

The files are plain SQL, which `psql -f` runs on an empty database just as well.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import structlog
from pogo_core.error import BadMigrationError
from pogo_core.migration import Migration
from pogo_core.util import migrate
from pogo_core.util.sql import ensure_pogo_sync, get_applied_migrations, migration_applied

from control_api.postgres.database import AWAY, COMMAND_TIMEOUT_S, connect_fault
from media.error import ConfigError

if TYPE_CHECKING:
    from asyncpg import Connection, Record

logger = structlog.get_logger(__name__)

FOLDER = Path(__file__).resolve().parent.parent / "migrations"
SCHEMA = "public"
LOCK = 8_098_001
"""Of `pg_advisory_lock`: whoever holds it changes the schema. It ends with its connection."""

OLDEST = 150_000
"""`server_version_num` of the oldest PostgreSQL that this is tested with."""

TRACES = {
    "001_create_live_streaming_tables": "live_streams",
    "002_create_control_tables": "followers",
    "003_find_missed_comments": "stream_comments_changed",
    "004_create_experience_and_erasure": "stream_analytics_by_age",
    "005_viewer_spans": "add_watched",
}
"""Something that each of these files makes: who made the database with `psql -f` has it, but no record of it."""


async def bring_up_to_date(dsn: str, folder: Path = FOLDER) -> Sequence[str]:
    """Apply the migrations that a database lacks, one server at a time.

    Returns:
        Names of those that were applied now.

    Raises:
        ConfigError: the database cannot be reached, is too old, or has a newer schema than this program knows.
    """
    async with _connected(dsn) as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        return await _apply(connection, folder)


async def check(dsn: str) -> None:
    """Find out whether a database would do, without changing it.

    Raises:
        ConfigError: as `bring_up_to_date`.
    """
    async with _connected(dsn) as connection:
        if await connection.fetchval("SELECT to_regclass('_pogo_migration')"):
            _refuse_newer(await get_applied_migrations(connection, schema_name=SCHEMA), _names(FOLDER))


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[Connection[Record]]:
    try:
        connection = await asyncpg.connect(dsn, timeout=COMMAND_TIMEOUT_S)
    except (*AWAY, asyncpg.PostgresError, ValueError) as error:
        raise ConfigError([f"DATABASE_URL: {connect_fault(error)}"]) from error
    try:
        _check_version(connection)
        yield connection
    except asyncpg.PostgresError as error:
        raise ConfigError([f"DATABASE_URL: {connect_fault(error)}"]) from error
    except BadMigrationError as error:
        cause = error.__cause__ or error
        raise ConfigError([f"DATABASE_URL: {error}: {cause}"]) from error
    finally:
        await connection.close(timeout=COMMAND_TIMEOUT_S)


async def _apply(connection: Connection[Record], folder: Path) -> Sequence[str]:
    names = _names(folder)
    await ensure_pogo_sync(connection)
    await _adopt(connection, names)
    before = await get_applied_migrations(connection, schema_name=SCHEMA)
    _refuse_newer(before, names)
    await migrate.apply(connection, folder, schema_name=SCHEMA, logger=_quiet())
    applied = [name for name in names if name not in before]
    for name in applied:
        logger.info("migration_applied", name=name)
    return applied


def _refuse_newer(applied: set[str], known: Sequence[str]) -> None:
    if unknown := sorted(applied - set(known)):
        newest = unknown[-1]
        raise ConfigError(
            [
                f"DATABASE_URL: the database has schema {newest}, which is newer than this program. Update the program"
            ]
        )


def _names(folder: Path) -> Sequence[str]:
    return sorted(path.stem for path in folder.glob("*.sql"))


async def _adopt(connection: Connection[Record], names: Sequence[str]) -> None:
    """Take note of files that were run by hand."""
    applied = await get_applied_migrations(connection, schema_name=SCHEMA)
    for name, trace in TRACES.items():
        if (
            name in names
            and name not in applied
            and await connection.fetchval(
                "SELECT coalesce(to_regclass($1)::text, to_regproc($1)::text)", trace
            )
        ):
            known = Migration(name, FOLDER / f"{name}.sql", None)
            await migration_applied(connection, known.id, known.hash, schema_name=SCHEMA)


def _check_version(connection: Connection[Record]) -> None:
    version = connection.get_server_version()
    if version.major * 10_000 < OLDEST:
        raise ConfigError(
            [f"DATABASE_URL: this is PostgreSQL {version.major}; {OLDEST // 10_000} or newer is needed"]
        )


def _quiet() -> logging.Logger:
    """Make a logger that keeps the library's own words to itself: what it does is logged here."""
    quiet = logging.getLogger("pogo")
    quiet.propagate = False
    quiet.addHandler(logging.NullHandler())
    return quiet
