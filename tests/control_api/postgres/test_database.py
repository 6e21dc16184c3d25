"""A database that goes away and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from control_api.postgres.database import Database, count_of
from media.error import CapacityError, ConfigError
from tests.database import PostgresServer, embedded_binaries, running_postgres

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[PostgresServer]:
    """Run a server that a test may stop."""
    with running_postgres(embedded_binaries(tmp_path / "binaries"), 18) as server:
        yield server


def signal_all(server: PostgresServer, number: int) -> None:
    """Send a signal to the server and all its processes."""
    master = int((server.folder / "data/postmaster.pid").read_text().splitlines()[0])
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    for pid in (master, *map(int, children)):
        os.kill(pid, number)


async def until_back(database: Database) -> None:
    async with asyncio.timeout(10):
        while database.fault is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_database_that_hangs_costs_one_wait_and_comes_back(mortal: PostgresServer) -> None:
    database = await Database.open(mortal.dsn("postgres"), size=3)
    told: list[str] = []

    async def hook() -> None:
        told.append("back")

    database.when_back(hook)
    assert await database.fetchval("SELECT 1") == 1
    signal_all(mortal, signal.SIGSTOP)
    waiting = [asyncio.create_task(database.fetchval("SELECT 1")) for _ in range(8)]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(result, CapacityError) for result in results)
    assert database.fault == "the database does not answer"
    before = time.monotonic()
    for _ in range(100):
        with pytest.raises(CapacityError) as caught:
            await database.fetchval("SELECT 1")
    assert caught.value.retry_after_s > 0
    assert time.monotonic() - before < 1  # refused, not waited for: 100 waits would take minutes
    signal_all(mortal, signal.SIGCONT)
    await until_back(database)
    assert await database.fetchval("SELECT 1") == 1
    assert told == ["back"]
    await database.close()


async def test_connections_that_are_cut(mortal: PostgresServer) -> None:
    database = await Database.open(mortal.dsn("postgres"), size=3)
    await asyncio.gather(*(database.fetchval("SELECT 1") for _ in range(3)))
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mediaserver'"
    await mortal.execute(cut)
    results = await asyncio.gather(*(database.fetchval("SELECT 1") for _ in range(3)), return_exceptions=True)
    assert all(result == 1 or isinstance(result, CapacityError) for result in results), results
    await until_back(database)
    assert await asyncio.gather(*(database.fetchval("SELECT 1") for _ in range(9))) == [1] * 9
    await database.close()


async def test_a_change_that_is_cut_off_is_not_made(mortal: PostgresServer) -> None:
    database = await Database.open(mortal.dsn("postgres"), size=3)
    await database.execute("CREATE TABLE t (n int)")

    async def change() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO t VALUES (1)")
            await mortal.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'INSERT%'"
            )
            await connection.execute("INSERT INTO t VALUES (2)")

    with pytest.raises(CapacityError):
        await change()
    await until_back(database)
    assert await database.fetchval("SELECT count(*) FROM t") == 0
    await database.close()


async def test_what_the_caller_did_wrong_is_no_failure_of_the_database(mortal: PostgresServer) -> None:
    database = await Database.open(mortal.dsn("postgres"))
    with pytest.raises(asyncpg.UndefinedTableError):
        await database.fetchval("SELECT 1 FROM nothing")
    assert database.fault is None
    await database.close()


async def test_a_database_that_hangs_does_not_keep_the_server_from_ending(mortal: PostgresServer) -> None:
    database = await Database.open(mortal.dsn("postgres"))
    signal_all(mortal, signal.SIGSTOP)
    with pytest.raises(CapacityError):
        await database.fetchval("SELECT 1")
    async with asyncio.timeout(5):
        await database.close()
    signal_all(mortal, signal.SIGCONT)


async def test_a_password_is_told_to_nobody() -> None:
    with pytest.raises(ConfigError) as caught:
        await Database.open("postgresql://u:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "count"), [("UPDATE 3", 3), ("INSERT 0 1", 1), ("CREATE TABLE", 0), ("", 0)]
)
def test_counts(status: str, count: int) -> None:
    assert count_of(status) == count
