"""A PostgreSQL that a killed server left behind: found by its pid file, recognised, and stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import structlog

logger = structlog.get_logger(__name__)

FAST_S = 10.0
"""How long a fast shutdown may take (it writes a checkpoint) before an immediate one is asked for."""

POLL_S = 0.02


SOCKET_LOCKS = "socket/.s.PGSQL.*.lock"
"""Beside the data folder; each names a process too."""


async def stop_left_over(data: Path) -> None:
    """End whatever still runs on a data folder, and remove a pid file that names nobody."""
    pid_file = data / "postmaster.pid"
    pid = _read_pid(pid_file)
    if pid is None:
        return
    if _runs_on(pid, data):
        logger.info("postgres_left_over", pid=pid)
        for number, patience_s in (
            (signal.SIGINT, FAST_S),
            (signal.SIGQUIT, FAST_S),
            (signal.SIGKILL, FAST_S),
        ):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            if await _gone(pid, data, patience_s):
                break
    # What is left names a process that died, or by now another one: PostgreSQL itself would not start for it.
    pid_file.unlink(missing_ok=True)
    for lock in data.parent.glob(SOCKET_LOCKS):
        lock.unlink(missing_ok=True)


def _read_pid(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().splitlines()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None


def _runs_on(pid: int, data: Path) -> bool:
    """Tell whether a process is a PostgreSQL on this folder, which is its working directory."""
    try:
        is_postgres = Path(f"/proc/{pid}/exe").readlink().name.removesuffix(" (deleted)") == "postgres"
        return is_postgres and Path(f"/proc/{pid}/cwd").samefile(data)
    except OSError:
        return False


async def _gone(pid: int, data: Path, patience_s: float) -> bool:
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if not _runs_on(pid, data):
            return True
        await asyncio.sleep(POLL_S)
    return False
