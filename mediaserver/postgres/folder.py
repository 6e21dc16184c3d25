"""DATA_DIR/postgres: who owns it, what is in it, and that one server uses it."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from control_api.file import replace_file, sync_folder
from media.error import ConfigError, os_reason
from mediaserver.data_lock import take_lock
from mediaserver.postgres.binaries import Account

DEDICATED = ("postgres", "nobody")
"""Users that PostgreSQL runs as when this server and its folder belong to root, whom PostgreSQL refuses."""


class Folder:
    """The folder of the embedded PostgreSQL, locked while it is open.

    Args:
        data_dir: of the server.
    """

    def __init__(self, data_dir: Path) -> None:
        self.path = (data_dir / "postgres").absolute()
        self.data = self.path / "data"
        self.draft = self.path / "data.new"
        self.sockets = self.path / "socket"
        self._data_dir = data_dir
        self._lock: int | None = None
        self._socket_folder: int | None = None
        self.account = Account(os.geteuid(), os.getegid())

    def __enter__(self) -> Self:
        """Make the folder when it is missing, and lock it.

        Raises:
            ConfigError: it cannot be used, or another server uses it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = take_lock(self.path / "lock", self._data_dir)
            self.account = self._choose_account()
            self.sockets.mkdir(exist_ok=True, mode=0o700)
            shutil.rmtree(self.draft, ignore_errors=True)
            self._give(self.path)
            self._give(self.sockets)
            self._socket_folder = os.open(self.sockets, os.O_RDONLY | os.O_DIRECTORY)
        except ConfigError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise ConfigError([f"DATA_DIR: {self.path} cannot be used: {os_reason(error)}"]) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others use the folder."""
        for descriptor in (self._lock, self._socket_folder):
            if descriptor is not None:
                os.close(descriptor)
        self._lock = self._socket_folder = None

    @property
    def host(self) -> str:
        """The folder of the socket as a client in this process names it.

        An address of a socket has at most 107 bytes (unix(7)); this one is short wherever DATA_DIR is.
        """
        return f"/proc/self/fd/{self._socket_folder}"

    def password(self, role: str) -> str:
        """Give the password of a role; it is made when first asked for."""
        path = self.path / f"{role}.password"
        if not path.exists():
            replace_file(path, secrets.token_urlsafe(24).encode())
        self._give(path)
        return path.read_text()

    def make_draft(self) -> Path:
        """Make the empty folder for a new database."""
        shutil.rmtree(self.draft, ignore_errors=True)
        self.draft.mkdir(mode=0o700)
        self._give(self.draft)
        return self.draft

    def take_draft(self) -> None:
        """Make a complete new database the one that is used: it is there as a whole or not at all."""
        self.draft.rename(self.data)
        sync_folder(self.path)

    def _choose_account(self) -> Account:
        if os.geteuid() != 0:
            return Account(os.geteuid(), os.getegid())
        for place in (self.data, self._data_dir):
            if place.exists() and (owner := place.stat()).st_uid != 0 and _has_name(owner.st_uid):
                return Account(owner.st_uid, owner.st_gid)
        for name in DEDICATED:
            try:
                user = pwd.getpwnam(name)
            except KeyError:
                continue
            return Account(user.pw_uid, user.pw_gid)
        raise ConfigError(
            ["DATABASE_URL: PostgreSQL refuses to run as root, and there is no user `nobody` to run it as"]
        )

    def _give(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self.account.uid, self.account.gid)


def _has_name(uid: int) -> bool:
    """Tell whether a user has a name, without whom PostgreSQL makes no database."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
