"""Secrets that are not configured: made once, kept in DATA_DIR."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

from control_api.file import replace_file
from media.error import ConfigError

SECRET_BYTES = 48
SHORTEST = 32
"""Bytes. RFC 7518, 3.2: a key for HS256 is at least as long as its hash."""


TOKENS = "jwt_secret"
"""Signs access tokens and playback addresses."""
KEYS = "key_secret"
"""Digests and seals stream keys; without it those that are stored are lost."""


def load_or_create_secret(data_dir: Path, name: str = TOKENS) -> bytes:
    """Read the secret `name` under `data_dir`, or make it. Safe with any number of processes at once.

    Raises:
        ConfigError: the folder cannot be used, or the file holds no secret.
    """
    path = data_dir / name
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _create(path)
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError([f"DATA_DIR: {path} cannot be used: {error.strerror}"]) from error
    if len(secret) < SHORTEST:
        raise ConfigError(
            [
                f"DATA_DIR: {path} is damaged; delete it to have a new one made (what it signed or sealed is void)"
            ]
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
