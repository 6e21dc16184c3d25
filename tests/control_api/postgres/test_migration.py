"""The schema: on empty databases, over itself, by hand, by two at once, and from the future."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import asyncpg
import pytest

from control_api.postgres.migration import FOLDER, TRACES, bring_up_to_date, check
from media.error import ConfigError
from tests.database import PostgresServer

NAMES = sorted(path.stem for path in FOLDER.glob("*.sql"))
BRIEF = {"live_streams", "stream_viewers", "stream_comments", "stream_reactions", "stream_analytics"}


async def tables(dsn: str) -> set[str]:
    connection = await asyncpg.connect(dsn)
    try:
        return {
            row[0]
            for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        }
    finally:
        await connection.close()


async def test_an_empty_database_gets_everything_once(any_postgres: PostgresServer) -> None:
    async with any_postgres.bare_database() as dsn:
        assert await bring_up_to_date(dsn) == NAMES
        assert await tables(dsn) >= BRIEF
        assert await bring_up_to_date(dsn) == []


async def test_the_files_run_by_hand(any_postgres: PostgresServer) -> None:
    async with any_postgres.bare_database() as dsn:
        for name in NAMES[:1]:
            psql = await asyncio.create_subprocess_exec(
                any_postgres.binaries / "psql",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                dsn,
                "-f",
                FOLDER / f"{name}.sql",
            )
            assert await psql.wait() == 0
        assert await tables(dsn) >= BRIEF
        # The server finds the first done and does the rest.
        assert await bring_up_to_date(dsn) == NAMES[1:]


async def test_a_later_file_run_by_hand(any_postgres: PostgresServer) -> None:
    async with any_postgres.bare_database() as dsn:
        for name in TRACES:
            program, file = any_postgres.binaries / "psql", FOLDER / f"{name}.sql"
            psql = await asyncio.create_subprocess_exec(
                program, "-v", "ON_ERROR_STOP=1", "-d", dsn, "-f", file
            )
            assert await psql.wait() == 0
        assert set(await bring_up_to_date(dsn)) == set(NAMES) - set(TRACES)


async def test_several_servers_that_start_at_once(any_postgres: PostgresServer) -> None:
    async with any_postgres.bare_database() as dsn:
        applied = await asyncio.gather(*(bring_up_to_date(dsn) for _ in range(5)))
        assert sorted(applied, key=len) == [[], [], [], [], NAMES]


async def test_a_newer_schema_is_refused_in_words(any_postgres: PostgresServer, tmp_path: Path) -> None:
    for path in FOLDER.glob("*.sql"):
        shutil.copy(path, tmp_path)
    newer = (
        "-- Of the future\n-- depends:\n\n-- migrate: apply\nCREATE TABLE future ();\n-- migrate: rollback\n"
    )
    (tmp_path / "999_future.sql").write_text(newer)
    async with any_postgres.bare_database() as dsn:
        await bring_up_to_date(dsn, tmp_path)
        for look in (bring_up_to_date, check):
            with pytest.raises(ConfigError, match=r"schema 999_future, which is newer than this program"):
                await look(dsn)


async def test_a_migration_that_fails_leaves_nothing(any_postgres: PostgresServer, tmp_path: Path) -> None:
    bad = (
        "-- Bad\n-- depends:\n\n-- migrate: apply\nCREATE TABLE a ();\nSELECT 1 / 0;\n-- migrate: rollback\n"
    )
    (tmp_path / "001_bad.sql").write_text(bad)
    async with any_postgres.bare_database() as dsn:
        with pytest.raises(ConfigError, match="001_bad: division by zero"):
            await bring_up_to_date(dsn, tmp_path)
        assert "a" not in await tables(dsn)


@pytest.mark.parametrize(
    ("dsn", "words"),
    [
        ("postgresql://u:secret@127.0.0.1:1/x", "cannot be reached"),
        ("postgresql://u:secret@/x?host=/nowhere", "cannot be reached"),
        ("postgresql://u:secret@[::1/x", "no address of a PostgreSQL"),
    ],
)
async def test_a_database_that_is_not_there(dsn: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        await bring_up_to_date(dsn)
    assert "secret" not in str(caught.value)


async def test_a_database_that_does_not_exist(any_postgres: PostgresServer) -> None:
    with pytest.raises(ConfigError, match='refuses: database "nothing" does not exist'):
        await bring_up_to_date(any_postgres.dsn("nothing"))
