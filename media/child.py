"""Processes of this server's own that do its dangerous or its hard work: how they are started and ended.

They parse what strangers send: a child gets what it needs to start and none of the server's secrets.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

STOP_TIMEOUT_S = 1.0
"""Between closing its socket, SIGTERM and SIGKILL."""

_ROOT = str(Path(__file__).resolve().parent.parent)
_ENVIRONMENT = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SYSTEMROOT")


async def start_child(module: str, fd: int, environment: dict[str, str]) -> asyncio.subprocess.Process:
    """Run a module as a process that ends by itself when its socket closes.

    Args:
        module: its name.
        fd: of its end of a socket pair, which it gets as its only argument.
        environment: what it gets beside the few variables that every program needs.

    Raises:
        OSError: it cannot be started.
    """
    # -P: a file called `media.py` in the current folder must not stand in for ours.
    inherited = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    path = [_ROOT, os.environ.get("PYTHONPATH", "")]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        module,
        str(fd),
        pass_fds=(fd,),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        env=inherited | {"PYTHONPATH": os.pathsep.join(filter(None, path))} | environment,
        # Ctrl-C reaches the server alone, which ends its children when they have done their work.
        start_new_session=True,
    )


async def stop_child(process: asyncio.subprocess.Process) -> None:
    """End a process whose socket has been closed: it does so by itself; if not, SIGTERM, then SIGKILL."""
    for end in (process.terminate, process.kill):
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
            return
        with suppress(ProcessLookupError):
            end()
    await process.wait()
