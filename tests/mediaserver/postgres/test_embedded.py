"""The embedded PostgreSQL: first and later starts, every kind of folder and user, every kind of end."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import stat
import sys
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from media.error import ConfigError
from mediaserver.postgres import EmbeddedPostgres
from mediaserver.postgres.binaries import Account

KEEPER = "tests.mediaserver.postgres.keeper"
ROOT = Path(__file__).resolve().parents[3]
ORDINARY = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def processes(data_dir: Path) -> list[int]:
    """List whatever PostgreSQL has running on a folder."""
    data, found = data_dir / "postgres/data", []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if "postgres" in process.name() and Path(process.cwd()).samefile(data):
                found.append(process.pid)
    return found


def modes(path: Path) -> dict[Path, tuple[int, int, int]]:
    """Tell mode, owner and group of a folder and all above it."""
    found = {}
    for place in [path, *path.parents]:
        status = place.stat()
        found[place] = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    return found


async def value(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def all_gone(data_dir: Path) -> None:
    async with asyncio.timeout(10):
        while processes(data_dir):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_it_is_made_once_and_keeps_what_it_is_given(tmp_path: Path) -> None:
    before = modes(tmp_path)
    postgres = EmbeddedPostgres(tmp_path)
    dsn = await postgres.start()
    assert await value(dsn, "SHOW password_encryption") == "scram-sha-256"
    assert await value(dsn, "SHOW server_encoding") == "UTF8"
    assert await value(dsn, "SHOW data_checksums") == "on"
    assert await value(dsn, "SHOW listen_addresses") == ""
    assert await value(dsn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert await value(dsn, "CREATE TABLE t AS SELECT 7 AS n") is None
    await postgres.stop()
    await postgres.stop()
    assert not postgres.is_alive
    assert processes(tmp_path) == []
    again = EmbeddedPostgres(tmp_path)
    assert await value(await again.start(), "SELECT n FROM t") == 7
    await again.stop()
    assert modes(tmp_path) == before


async def test_only_its_owner_gets_in(tmp_path: Path) -> None:
    postgres = EmbeddedPostgres(tmp_path)
    dsn = await postgres.start()
    try:
        folder = tmp_path / "postgres"
        for place in (folder, folder / "data", folder / "socket"):
            assert stat.S_IMODE(place.stat().st_mode) == 0o700, place
        for file in ("mediaserver.password", "postgres.password"):
            assert stat.S_IMODE((folder / file).stat().st_mode) == 0o600
        password = (folder / "mediaserver.password").read_text()
        for wrong in (dsn.replace(password, "wrong"), dsn.replace(f":{password}", "")):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await value(wrong, "SELECT 1")
        for pid in processes(tmp_path):
            assert not any(password in word for word in psutil.Process(pid).cmdline())
    finally:
        await postgres.stop()


@pytest.mark.parametrize("length", [1, 150])
async def test_a_folder_with_a_long_name_that_only_we_can_enter(tmp_path: Path, length: int) -> None:
    data_dir = tmp_path / "closed" / ("d" * length)
    data_dir.mkdir(parents=True)
    data_dir.parent.chmod(0o700)
    before = modes(data_dir)
    postgres = EmbeddedPostgres(data_dir)
    assert await value(await postgres.start(), "SELECT 1") == 1
    await postgres.stop()
    assert modes(data_dir) == before


@needs_root
async def test_under_root_it_runs_as_the_owner_of_the_folder(tmp_path: Path) -> None:
    games = pwd.getpwnam("games")
    os.chown(tmp_path, games.pw_uid, games.pw_gid)
    postgres = EmbeddedPostgres(tmp_path)
    await postgres.start()
    assert {psutil.Process(pid).uids().real for pid in processes(tmp_path)} == {games.pw_uid}
    await postgres.stop()


@needs_root
async def test_under_root_with_a_folder_of_root_it_runs_as_somebody_else(tmp_path: Path) -> None:
    postgres = EmbeddedPostgres(tmp_path)
    await postgres.start()
    running = processes(tmp_path)
    assert running
    assert 0 not in {psutil.Process(pid).uids().real for pid in running}
    await postgres.stop()


@needs_root
async def test_programs_that_its_user_cannot_reach_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Account, "can_enter", lambda *_: False)
    places = set()
    try:
        for _ in range(2):
            postgres = EmbeddedPostgres(tmp_path)
            assert await value(await postgres.start(), "SELECT 1") == 1
            await postgres.stop()
            places.add((tmp_path / "postgres/binaries").read_text().strip())
        assert len(places) == 1
    finally:
        for place in places:
            shutil.rmtree(place)


@needs_root
async def test_an_ordinary_user_can_run_it(tmp_path: Path) -> None:
    """In a user namespace, where this process is not root and yet may read this checkout."""
    if await (await asyncio.create_subprocess_exec(*ORDINARY, "true")).wait():
        pytest.skip("this machine has no user namespaces")
    keeper = await start_keeper(tmp_path, *ORDINARY)
    running = processes(tmp_path)
    assert running
    keeper.process.kill()
    await keeper.process.wait()
    await all_gone(tmp_path)


class Keeper:
    def __init__(self, process: asyncio.subprocess.Process, starts: int) -> None:
        self.process = process
        self.starts = starts


async def start_keeper(data_dir: Path, *prefix: str) -> Keeper:
    process = await asyncio.create_subprocess_exec(
        *prefix,
        sys.executable,
        "-m",
        KEEPER,
        str(data_dir),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    while line := (await process.stdout.readline()).decode():
        if line.strip().isdigit():
            return Keeper(process, int(line))
    raise AssertionError("the keeper ended")


@pytest.mark.timeout(120)
async def test_a_killed_server_leaves_nothing_running_and_loses_nothing(tmp_path: Path) -> None:
    for number in range(1, 21):
        keeper = await start_keeper(tmp_path)
        assert keeper.starts == number
        keeper.process.send_signal(signal.SIGKILL)
        await keeper.process.wait()
        if number % 2:  # the next one finds it still stopping the other times
            await all_gone(tmp_path)
    await all_gone(tmp_path)


async def test_a_left_over_is_stopped_and_the_next_start_has_its_data(tmp_path: Path) -> None:
    first = EmbeddedPostgres(tmp_path)
    dsn = await first.start()
    await value(dsn, "CREATE TABLE t AS SELECT 7 AS n")
    [left] = [pid for pid in processes(tmp_path) if psutil.Process(pid).ppid() == os.getpid()]
    assert first._keeper is not None
    first._keeper.cancel()  # as if the parent-death signal had not come
    first._folder.close()
    second = EmbeddedPostgres(tmp_path)
    assert await value(await second.start(), "SELECT n FROM t") == 7
    assert left not in processes(tmp_path)
    await second.stop()
    await first.stop()


async def test_a_pid_file_that_names_another_process_is_no_obstacle(tmp_path: Path) -> None:
    first = EmbeddedPostgres(tmp_path)
    await first.start()
    await first.stop()
    (tmp_path / "postgres/data/postmaster.pid").write_text(f"{os.getpid()}\n/elsewhere\n")
    second = EmbeddedPostgres(tmp_path)
    assert await value(await second.start(), "SELECT 1") == 1
    await second.stop()


async def test_it_comes_back_when_it_dies(tmp_path: Path) -> None:
    async with asyncio.timeout(15):
        postgres = EmbeddedPostgres(tmp_path)
        dsn = await postgres.start()
        await value(dsn, "CREATE TABLE t AS SELECT 7 AS n")
        [first] = [pid for pid in processes(tmp_path) if psutil.Process(pid).ppid() == os.getpid()]
        os.kill(first, signal.SIGKILL)
        while True:
            await asyncio.sleep(0.1)
            with suppress(OSError, asyncpg.PostgresError):
                if await value(dsn, "SELECT n FROM t") == 7 and first not in processes(tmp_path):
                    break
        await postgres.stop()


async def test_a_second_server_on_the_folder_is_refused(tmp_path: Path) -> None:
    first = EmbeddedPostgres(tmp_path)
    await first.start()
    with pytest.raises(ConfigError, match="another server already uses"):
        await EmbeddedPostgres(tmp_path).start()
    await first.stop()


async def test_a_half_made_database_is_made_again(tmp_path: Path) -> None:
    draft = tmp_path / "postgres/data.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    postgres = EmbeddedPostgres(tmp_path)
    assert await value(await postgres.start(), "SELECT 1") == 1
    await postgres.stop()


async def test_a_database_of_another_version_is_left_alone(tmp_path: Path) -> None:
    data = tmp_path / "postgres/data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("15\n")
    with pytest.raises(ConfigError, match="was made by PostgreSQL 15, and this program has 18"):
        await EmbeddedPostgres(tmp_path).start()
    assert (data / "PG_VERSION").read_text() == "15\n"


async def test_what_postgres_says_of_its_folder_is_told(tmp_path: Path) -> None:
    first = EmbeddedPostgres(tmp_path)
    await first.start()
    await first.stop()
    (tmp_path / "postgres/data/global/pg_control").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"embedded PostgreSQL does not start: .*(pg_control|control file)"):
        await EmbeddedPostgres(tmp_path).start()
