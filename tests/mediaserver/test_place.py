"""Where the server is to be found, as the person at the terminal reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaserver.config import Settings
from mediaserver.place import Places


@pytest.mark.parametrize(
    ("host", "seen"),
    [
        ("0.0.0.0", "localhost"),  # noqa: S104 - compared with, not bound to
        ("::", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "[::1]"),
        ("media.example", "media.example"),
    ],
)
def test_addresses_are_those_of_this_machine(host: str, seen: str) -> None:
    places = Places(Settings(host=host, rtmp_host=host), 8098, 1935)
    assert places.http == f"http://{seen}:8098"
    assert places.rtmp == f"rtmp://{seen}:1935/live"


def test_tls_is_shown_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(host="127.0.0.1", tls_cert_file=Path("cert.pem"))
    Places(settings, 443, 1935, 1936).tell()
    shown = capsys.readouterr().out
    assert "https://127.0.0.1:443/" in shown
    assert "rtmp://localhost:1935/live" in shown
    assert "rtmps://localhost:1936/live" in shown


def test_what_the_terminal_shows(capsys: pytest.CaptureFixture[str]) -> None:
    places = Places(Settings(host="127.0.0.1", rtmp_host="127.0.0.1"), 80, 1935)
    places.tell(watch="an-id", stream_key="a-key")
    shown = capsys.readouterr().out
    assert "http://127.0.0.1:80/watch/an-id" in shown
    assert "Stream key  a-key" in shown
    places.tell()
    shown = capsys.readouterr().out
    assert "Watch" not in shown
    assert "key" not in shown
