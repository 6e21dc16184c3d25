"""PostgreSQL servers for tests: one of each version per run, a fresh database with the newest schema per test."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from control_api.postgres.database import Database
from control_api.postgres.migration import bring_up_to_date
from mediaserver.postgres.binaries import Account, usable_binaries
from mediaserver.postgres.embedded import LAUNCHER

EMPTY = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '\\_pogo%' LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
END $$
"""
"""Faster than new databases, and than TRUNCATE, for a few rows."""
DEBIAN = "/usr/lib/postgresql"
_numbers = count()


class PostgresServer:
    """A running PostgreSQL that takes anybody who can reach its folder."""

    def __init__(self, folder: Path, version: int, binaries: Path) -> None:
        self.folder = folder
        self.binaries = binaries
        self.version = version
        self._free: list[str] = []

    def dsn(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    async def execute(self, sql: str, database: str = "postgres") -> None:
        connection = await asyncpg.connect(self.dsn(database))
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """Lend a database with the newest schema and no rows; yields its address."""
        name = self._free.pop() if self._free else await self._new()
        try:
            yield self.dsn(name)
        finally:
            await self.execute(EMPTY, name)
            self._free.append(name)

    @asynccontextmanager
    async def bare_database(self) -> AsyncIterator[str]:
        """Make a database without any table; yields its address."""
        name = f"bare_{next(_numbers)}"
        await self.execute(f"CREATE DATABASE {name}")
        try:
            yield self.dsn(name)
        finally:
            await self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _new(self) -> str:
        name = f"test_{next(_numbers)}"
        await self.execute(f"CREATE DATABASE {name}")
        await bring_up_to_date(self.dsn(name))
        return name


@cache
def account() -> Account:
    """Choose who runs it: not root."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    user = pwd.getpwnam("nobody")
    return Account(user.pw_uid, user.pw_gid)


@contextmanager
def running_postgres(binaries: Path, version: int) -> Iterator[PostgresServer]:
    """Run a PostgreSQL with a new data folder; it forgets everything when it is killed, which makes it fast."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    who = account()
    os.chown(folder, who.uid, who.gid)
    as_user = {"user": who.uid, "group": who.gid, "extra_groups": []} if os.geteuid() == 0 else {}
    log = (folder / "log").open("wb")
    process = None
    try:
        make = [binaries / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
                "--locale=C.UTF-8", "--no-sync"]  # fmt: skip
        subprocess.run(make, check=True, stdout=log, stderr=log, cwd=folder, **as_user)  # type: ignore[call-overload]
        settings = ("listen_addresses=", f"unix_socket_directories={folder}", "fsync=off", "jit=off",
                    "max_connections=100", "shared_buffers=32MB")  # fmt: skip
        # Through the launcher, which ties its life to that of the tests.
        run = [sys.executable, "-I", "-S", LAUNCHER, who.uid, who.gid, folder, signal.SIGQUIT.value, os.getpid(),
               binaries / "postgres", "-D", folder / "data", *(f"--{setting}" for setting in settings)]  # fmt: skip
        process = subprocess.Popen([str(word) for word in run], stdout=log, stderr=log)
        _wait_for(folder / "data/postmaster.pid", process)
        yield PostgresServer(folder, version, binaries)
    finally:
        if process is not None:
            process.send_signal(signal.SIGCONT)  # a test may have stopped it
            process.send_signal(signal.SIGQUIT)
            process.wait(10)
        log.close()
        shutil.rmtree(folder)


def _wait_for(pid_file: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while not (pid_file.exists() and "ready" in pid_file.read_text()):
        assert process.poll() is None, (pid_file.parent.parent / "log").read_text()
        assert time.monotonic() < end
        time.sleep(0.02)


def embedded_binaries(keep: Path) -> Path:
    """Find the programs that the server itself uses."""
    return usable_binaries(account(), keep)


def system_binaries() -> tuple[Path, int] | None:
    """Find the oldest version that the system has, and its number: 15 on Debian 12, the oldest that is supported."""
    found = {int(path.parent.parent.name): path.parent for path in Path(DEBIAN).glob("*/bin/postgres")}
    return (found[min(found)], min(found)) if found else None


@pytest.fixture(scope="session")
def postgres_18(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Run the version that the server brings with it."""
    binaries = embedded_binaries(tmp_path_factory.mktemp("postgres") / "binaries")
    with running_postgres(binaries, 18) as server:
        yield server


@pytest.fixture(scope="session")
def system_postgres() -> Iterator[PostgresServer]:
    """Run the version that the system has."""
    found = system_binaries()
    if found is None:
        if os.environ.get("CI"):
            raise FileNotFoundError("PostgreSQL is needed; scripts/system-packages installs it")
        pytest.skip("PostgreSQL is not installed")
    with running_postgres(*found) as server:
        yield server


@pytest.fixture(params=["postgres_18", "system_postgres"])
def any_postgres(request: pytest.FixtureRequest) -> PostgresServer:
    """Run a test on each supported version."""
    server: PostgresServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture
async def database(postgres_18: PostgresServer) -> AsyncIterator[Database]:
    """Connect to a fresh database."""
    async with postgres_18.database() as dsn:
        database = await Database.open(dsn, size=3)
        yield database
        await asyncio.wait_for(database.close(), 5)
