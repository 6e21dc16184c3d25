"""The embedded PostgreSQL: made, started, watched, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import asyncpg
import structlog

from media.ending import end_task
from media.error import ConfigError
from mediaserver.postgres.binaries import usable_binaries, version_of
from mediaserver.postgres.folder import Folder
from mediaserver.postgres.left_over import FAST_S, stop_left_over

logger = structlog.get_logger(__name__)

LAUNCHER = Path(__file__).with_name("launcher.py")
HERE = "/proc/self/cwd"
"""The data folder as its processes name it: its real path may lead through folders that their user cannot enter."""

ROLE = DATABASE = "mediaserver"
SUPERUSER = "postgres"
START_S = 60.0
"""Crash recovery reads what was written since the last checkpoint, five minutes ago at most."""

POLL_S = 0.02
STATUS_LINE = 8
"""Of postmaster.pid."""

BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)
STEADY_S = 60.0
"""Who has run so long starts from the first pause again."""

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": "../socket",
    "unix_socket_permissions": "0700",
    "max_connections": "40",
    "shared_buffers": "32MB",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "io_method": "sync",  # no workers: this reads a few pages from memory
    "max_wal_size": "256MB",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
    "log_line_prefix": "",
    "autovacuum_naptime": "60s",
    "track_activities": "on",
}
INITDB = (
    "--username", SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8",
    "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--pwfile", f"{HERE}/../{SUPERUSER}.password",
)  # fmt: skip


class EmbeddedPostgres:
    """A PostgreSQL server under DATA_DIR that lives as long as this process.

    Args:
        data_dir: of this server.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = Folder(data_dir)
        self._binaries = Path()
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._words: deque[str] = deque(maxlen=20)
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Start it; the first time, make its database.

        Returns:
            The address for clients in this process.

        Raises:
            ConfigError: DATA_DIR cannot be used, or PostgreSQL does not start; with its words.
        """
        self._folder.__enter__()
        try:
            keep = self._folder.path / "binaries"
            self._binaries = await asyncio.to_thread(usable_binaries, self._folder.account, keep)
            for role in (SUPERUSER, ROLE):
                self._folder.password(role)
            if not self._folder.data.exists():
                await self._make()
            self._check_version()
            await stop_left_over(self._folder.data)
            await self._launch()
            await self._make_database()
        except BaseException:
            await self.stop()
            raise
        self._keeper = asyncio.create_task(self._keep())
        return self._dsn(ROLE, DATABASE)

    async def stop(self) -> None:
        """Shut down in order. Idempotent."""
        if self._keeper is not None:
            await end_task(self._keeper)
            self._keeper = None
        await self._end_process()
        self._folder.close()

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.returncode is None

    async def _make(self) -> None:
        """Make the folder of a new database beside its place, so that a half one is never taken for it."""
        logger.info("postgres_first_start")
        draft = self._folder.make_draft()
        process = await self._spawn(draft, signal.SIGKILL, "initdb", ["-D", HERE, *INITDB])
        _, errors = await process.communicate()
        if process.returncode:
            raise ConfigError([_words("cannot be made", errors.decode(errors="replace").splitlines())])
        self._folder.take_draft()

    def _check_version(self) -> None:
        have = (self._folder.data / "PG_VERSION").read_text().strip()
        runs = version_of(self._binaries)
        if have != runs:
            raise ConfigError(
                [
                    f"DATA_DIR: {self._folder.path} was made by PostgreSQL {have}, and this program has {runs}. "
                    "Save it with the older program (docs/postgres.md), or set DATABASE_URL"
                ]
            )

    async def _launch(self) -> None:
        arguments = ["-D", HERE, *(f"--{name}={value}" for name, value in SETTINGS.items())]
        self._words.clear()
        self._process = await self._spawn(self._folder.data, signal.SIGINT, "postgres", arguments)
        self._reader = asyncio.create_task(self._read(self._process))
        end = time.monotonic() + START_S
        while not self._is_ready():
            if self._process.returncode is not None:
                await self._reader
                raise ConfigError([_words("does not start", self._words)])
            if time.monotonic() > end:
                raise ConfigError([_words(f"is not ready after {START_S:.0f} s", self._words)])
            await asyncio.sleep(POLL_S)

    def _is_ready(self) -> bool:
        """Tell whether it takes connections, by the line of its pid file that says so (`pg_ctl` reads the same)."""
        try:
            lines = (self._folder.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= STATUS_LINE and lines[STATUS_LINE - 1].strip() == "ready"

    async def _make_database(self) -> None:
        connection = await asyncpg.connect(self._dsn(SUPERUSER, SUPERUSER))
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", ROLE):
                await connection.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{self._folder.password(ROLE)}'")
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")
        finally:
            await connection.close()

    async def _spawn(
        self, folder: Path, death_signal: signal.Signals, program: str, arguments: Sequence[str]
    ) -> asyncio.subprocess.Process:
        account = self._folder.account
        return await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", LAUNCHER,
            str(account.uid), str(account.gid), folder, str(int(death_signal)), str(os.getpid()),
            self._binaries / program, *arguments,
            env={"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            # A terminal's Ctrl-C is for this server, which ends its database last.
            start_new_session=True,
        )  # fmt: skip

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None  # noqa: S101
        while line := await process.stderr.readline():
            text = line.decode(errors="replace").rstrip()
            self._words.append(text)
            if not text.startswith(("LOG:", "HINT:", "DETAIL:")):
                logger.warning("postgres_said", text=text)

    async def _keep(self) -> None:
        """Start it again whenever it ends without having been asked to."""
        attempt = 0
        while self._process is not None:
            since = time.monotonic()
            status = await self._process.wait()
            attempt = 0 if time.monotonic() - since > STEADY_S else attempt
            pause_s = BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)]
            attempt += 1
            logger.error("postgres_ended", status=status, again_in_s=pause_s)
            await asyncio.sleep(pause_s)
            try:
                await stop_left_over(self._folder.data)
                await self._launch()
            except ConfigError as error:
                logger.error("postgres_not_started", reason=str(error))

    async def _end_process(self) -> None:
        process = self._process
        if process is None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if process.returncode is not None:
                break
            with suppress(ProcessLookupError):
                process.send_signal(number)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), FAST_S)
        if self._reader is not None:
            await self._reader
        self._process = self._reader = None

    def _dsn(self, role: str, database: str) -> str:
        password = self._folder.password(role)
        return f"postgresql://{role}:{password}@/{database}?host={quote(self._folder.host)}"


def _words(what: str, lines: Sequence[str] | deque[str]) -> str:
    told = [
        line for line in lines if line.startswith(("FATAL:", "ERROR:", "PANIC:", "initdb: error:", "HINT:"))
    ]
    reason = "; ".join(" ".join(line.split()) for line in told[-3:] or list(lines)[-3:])
    return f"DATA_DIR: the embedded PostgreSQL {what}: {reason}"
