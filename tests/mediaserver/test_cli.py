"""The command line, as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from control_api.secret import load_or_create_secret
from control_api.stream.record import Identity
from control_api.token.access import TokenSigner
from mediaserver.config import Settings
from mediaserver.duration import parse_duration


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    inherited = {
        name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields
    }
    return subprocess.run(
        [sys.executable, "-m", "mediaserver", *arguments],
        cwd=folder,
        env=inherited | settings,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize("command", [[], ["serve"], ["demo"], ["token"], ["check"]])
def test_help_has_examples(tmp_path: Path, command: list[str]) -> None:
    result = run(tmp_path, *command, "--help")
    assert result.returncode == 0
    assert "Examples:\n" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["srve"], "Did you mean 'serve'?"),
        (["token", "alice", "--admn"], "Did you mean '--admin'?"),
        (["token"], "Missing argument 'USER_ID'"),
        (["token", "alice", "--ttl", "soon"], "write 90s, 15m, 1h or 7d"),
        (["token", "a\n"], "a user id is"),
        (["--port", "80"], "No such option"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str], words: str) -> None:
    result = run(tmp_path, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert words in result.stderr
    assert "Traceback" not in result.stderr


async def test_a_token_and_nothing_else(tmp_path: Path) -> None:
    first, second = run(tmp_path, "token", "alice"), run(tmp_path, "token", "root", "--admin", "--ttl", "7d")
    signer = TokenSigner(load_or_create_secret(tmp_path / "data"))
    assert (first.returncode, first.stderr, first.stdout.count("\n")) == (0, "", 1)
    assert await signer.verify(first.stdout.strip()) == Identity("alice")
    assert await signer.verify(second.stdout.strip()) == Identity("root", is_admin=True)


async def test_a_token_by_a_configured_secret(tmp_path: Path) -> None:
    settings = {"JWT_SECRET": "s" * 40, "JWT_ISSUER": "me", "JWT_AUDIENCE": "you"}
    result = run(tmp_path, "token", "alice", **settings)
    verifier = TokenSigner(b"s" * 40, "me", "you")
    assert await verifier.verify(result.stdout.strip()) == Identity("alice")
    assert not (tmp_path / "data").exists()


def test_a_token_needs_neither_codecs_nor_a_web_server(tmp_path: Path) -> None:
    program = (
        "import sys; from mediaserver.cli import main; main(['token', 'a'], standalone_mode=False);"
        "print([name for name in ('av', 'aiohttp', 'numpy', 'uvloop') if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False
    )
    assert result.stderr.strip() == "[]"


@pytest.mark.parametrize("command", ["serve", "demo", "token alice"])
def test_a_wrong_configuration(tmp_path: Path, command: str) -> None:
    settings = {"PORT": "x", "LADDER": "y", "JWT_SECRET": "hunter2"}
    result = run(tmp_path, *command.split(), **settings)
    assert (result.returncode, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("mediaserver: ") for line in lines)
    assert "hunter2" not in result.stderr


def test_check(tmp_path: Path) -> None:
    good = run(
        tmp_path,
        "check",
        "--json",
        PORT="0",
        RTMP_PORT="0",
        WEBRTC_UDP_PORT="0",
        JWT_SECRET="hunter2 and more",
    )
    report = json.loads(good.stdout)
    assert (good.returncode, report["problems"]) == (0, [])
    assert {"libx264", "aac", "libopus"} <= {e["name"] for e in report["encoders"] if e["fault"] is None}
    bad = run(
        tmp_path,
        "check",
        PORT="0",
        RTMP_PORT="0",
        WEBRTC_UDP_PORT="0",
        DATA_DIR="/proc/nothing",
        JWT_SECRET="hunter2 and more",
    )
    assert bad.returncode == 2
    assert "DATA_DIR: /proc/nothing cannot be written" in bad.stdout
    wrong = run(tmp_path, "check", PORT="x", LADDER="y")
    assert wrong.returncode == 2
    assert "PORT: 'x'" in wrong.stdout
    assert "LADDER: 'y'" in wrong.stdout
    assert "hunter2" not in good.stdout + bad.stdout + good.stderr + bad.stderr


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("1H", 3600),
        (" 7d ", 604_800),
        ("0s", 0),
        ("-1h", 0),
        ("1y", 0),
        ("", 0),
    ],
)
def test_durations(text: str, seconds: int) -> None:
    if seconds:
        assert parse_duration(text) == seconds
    else:
        with pytest.raises(ValueError, match="no length of time"):
            parse_duration(text)
