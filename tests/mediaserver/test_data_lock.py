"""One server at a time uses DATA_DIR, whatever database it has."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from media.error import ConfigError
from mediaserver.data_lock import locked

HOLDER = """
import sys, time
from pathlib import Path
from mediaserver.data_lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_it_is_held_by_one_and_given_back(tmp_path: Path) -> None:
    for _ in range(2):
        with (
            locked(tmp_path / "data"),
            pytest.raises(ConfigError, match="another server already uses"),
            locked(tmp_path / "data"),
        ):
            pass


def test_a_killed_server_lets_go(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(ConfigError), locked(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ConfigError, match="cannot be written: Not a directory"),
        locked(tmp_path / "file" / "data"),
    ):
        pass
