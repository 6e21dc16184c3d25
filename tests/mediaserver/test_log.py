"""Logs: one shape for all, and no secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from aiohttp.http_exceptions import BadHttpMessage

from control_api.key import new_channel_key, new_stream_key
from control_api.stream.playback import PlaybackSigner
from control_api.token.access import TokenSigner
from mediaserver.log import configure_logging, redact_text


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


SECRET_TEXTS = [new_stream_key(), new_channel_key(), TokenSigner(b"x" * 32).issue("alice")]
PLAYBACK = PlaybackSigner(b"x" * 32).issue("id", "salt", "alice", 0)


@pytest.mark.parametrize("secret", SECRET_TEXTS, ids=["stream key", "channel key", "access token"])
def test_secrets_are_redacted_everywhere(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    logger = structlog.get_logger("x")
    logger.info(
        f"key {secret}", url=f"rtmp://host/live/{secret}?a=b", deep={"list": [secret]}, error=OSError(secret)
    )
    logging.getLogger("library").warning("it was %s", secret)
    try:
        raise ValueError(secret)
    except ValueError:
        logger.exception("failed")
    text = json.dumps(lines(capsys))
    assert secret not in text
    assert secret[8:] not in text


def test_playback_tokens_in_paths(capsys: pytest.CaptureFixture[str]) -> None:
    assert redact_text(f"GET /hls/id/~{PLAYBACK}/720p/index.m3u8?x=1") == "GET /hls/id/~…/720p/index.m3u8?x=1"
    assert redact_text("rtmp://user:pass@host/live, ~/data, a~b") == "rtmp://…@host/live, ~/data, a~b"


def test_shape(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "debug")
    with structlog.contextvars.bound_contextvars(stream_id="s"):
        structlog.get_logger("room").debug("happened", count=2)
        logging.getLogger("library").error("said %d", 3)
    ours, theirs = lines(capsys)
    assert {
        "event": "happened",
        "count": 2,
        "stream_id": "s",
        "level": "debug",
        "logger": "room",
    }.items() <= ours.items()
    assert {
        "event": "said 3",
        "stream_id": "s",
        "level": "error",
        "logger": "library",
    }.items() <= theirs.items()
    assert ours["timestamp"].endswith("Z")


def test_levels(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "warning")
    structlog.get_logger("x").info("no")
    logging.getLogger("aiohttp.access").info("no")
    structlog.get_logger("x").warning("yes")
    assert [line["event"] for line in lines(capsys)] == ["yes"]


def test_console(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("console")
    try:
        raise ValueError("a fault")
    except ValueError:
        structlog.get_logger("x").exception("failed", stream_id="s")
    text = capsys.readouterr().err
    assert "failed" in text
    assert "stream_id=s" in text
    assert "ValueError: a fault" in text
    assert "\x1b" not in text


def test_a_client_that_speaks_no_http_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    server = logging.getLogger("aiohttp.server")
    bad = BadHttpMessage("Invalid char in url query:\n\n  b'GET /x?\\xff HTTP/1.1'\n  ^")
    server.error("Error handling request from %s", "192.0.2.1", exc_info=bad)
    server.error("Error handling request from %s", "192.0.2.1", exc_info=ValueError("ours"))
    refused, fault = lines(capsys)
    assert (refused["event"], refused["level"], refused["peer"]) == ("http refused", "info", "192.0.2.1")
    assert refused["reason"] == "not an HTTP request: invalid char in url query"
    assert "exception" not in refused
    assert fault["level"] == "error"
    assert "ValueError: ours" in fault["exception"]


def test_quiet_logs_leave_bad_requests_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", quiet=True)
    logging.getLogger("aiohttp.server").error("from %s", "192.0.2.1", exc_info=BadHttpMessage("no"))
    assert lines(capsys) == []
