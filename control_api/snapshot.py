"""The registry's file: one JSON document, replaced as a whole, so a killed server leaves the old or the new.

Only one server may write it: the file beside it is locked while the server runs (a killed one lets go).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from control_api.stream import Stream
from media.error import ConfigError

VERSION = 1


@dataclass(frozen=True, slots=True)
class User:
    """What is kept about one user."""

    followers: tuple[str, ...] = ()
    channel_key: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that the file holds."""

    version: int
    streams: tuple[Stream, ...]
    users: dict[str, User]


_SNAPSHOT = TypeAdapter(Snapshot)
_STREAM = TypeAdapter(Stream)
_USER = TypeAdapter(User)
_TEXT = TypeAdapter(str)


def stream_line(stream: Stream) -> bytes:
    """Write one stream as it stands in the file."""
    return _STREAM.dump_json(stream)


def user_line(user_id: str, user: User) -> bytes:
    """Write one user as it stands in the file."""
    return _TEXT.dump_json(user_id) + b":" + _USER.dump_json(user)


class SnapshotFile:
    """The file and its lock. All methods block: call them in a thread.

    Args:
        path: of the file; its folder is made when missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: int | None = None

    def lock(self) -> None:
        """Claim the file for this process.

        Raises:
            ConfigError: another server has it, or the folder cannot be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.unlock()
            raise ConfigError([f"DATA_DIR: another server already uses {self._path.parent}"]) from None
        except OSError as error:
            self.unlock()
            raise ConfigError(
                [f"DATA_DIR: {self._path.parent} cannot be written: {error.strerror}"]
            ) from error

    def unlock(self) -> None:
        """Let go of the file."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def read(self) -> Snapshot | None:
        """Read everything; None when there is no file yet.

        Raises:
            ConfigError: the file is damaged or from another version. It is left as it is.
        """
        try:
            data = self._path.read_bytes()
            snapshot = _SNAPSHOT.validate_json(data)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError([f"DATA_DIR: {self._path} cannot be read: {error.strerror}"]) from error
        except ValidationError as error:
            raise ConfigError([_damage(self._path, error)]) from None
        if snapshot.version != VERSION:
            raise ConfigError(
                [f"DATA_DIR: {self._path} has version {snapshot.version}; this server reads {VERSION}"]
            )
        return snapshot

    def write(self, streams: Iterable[bytes], users: Iterable[bytes]) -> None:
        """Replace the file.

        Raises:
            OSError: the old file is still there.
        """
        parts = [
            b'{"version":%d,\n"streams":[' % VERSION,
            b",\n".join(streams),
            b'],\n"users":{',
            b",\n".join(users),
            b"}}\n",
        ]
        replace_file(self._path, b"".join(parts))


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` at `path` (mode 0600) so that a crash leaves the old content or the new, never a part."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damage(path: Path, error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    return (
        f"DATA_DIR: {path} is damaged ({place + ': ' if place else ''}{first['msg']}). "
        "Restore it from a backup, or move it away to start without streams"
    )
