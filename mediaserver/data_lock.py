"""One server at a time uses DATA_DIR."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from media.error import ConfigError, os_reason


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold DATA_DIR while the block runs; a killed server lets go of it.

    Raises:
        ConfigError: another server has it, or it cannot be written.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor = take_lock(data_dir / "lock", data_dir)
    except OSError as error:
        raise ConfigError([f"DATA_DIR: {data_dir} cannot be written: {os_reason(error)}"]) from error
    try:
        yield
    finally:
        os.close(descriptor)


def take_lock(path: Path, data_dir: Path) -> int:
    """Lock a file of DATA_DIR.

    Returns:
        Its descriptor; closing it gives the lock back.

    Raises:
        ConfigError: another server has it.
        OSError: it cannot be written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigError([f"DATA_DIR: another server already uses {data_dir}"]) from None
    return descriptor
