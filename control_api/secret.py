"""The secret that signs tokens when none is configured: made once, kept in DATA_DIR."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

from control_api.snapshot import replace_file
from media.error import ConfigError

SECRET_BYTES = 48
SHORTEST = 32
"""Bytes. RFC 7518, 3.2: a key for HS256 is at least as long as its hash."""


def load_or_create_secret(data_dir: Path) -> bytes:
    """Read the secret under `data_dir`, or make it. Safe with any number of processes at once.

    Raises:
        ConfigError: the folder cannot be used, or the file holds no secret.
    """
    path = data_dir / "jwt_secret"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _create(path)
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError([f"DATA_DIR: {path} cannot be used: {error.strerror}"]) from error
    if len(secret) < SHORTEST:
        raise ConfigError(
            [f"DATA_DIR: {path} is damaged; delete it to have a new one made (tokens become void)"]
        )
    return secret


def _create(path: Path) -> None:
    """Make the file while nobody else does: a lock rather than a hard link, which not every volume knows."""
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not path.exists():
            replace_file(path, secrets.token_urlsafe(SECRET_BYTES).encode() + b"\n")
    finally:
        os.close(descriptor)
