"""Structured logs on standard error: for people on a terminal, else one JSON object a line.

Everything goes through here, also what libraries log with `logging`. Keys and tokens are redacted last, in
whatever text they turn up.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from typing import Literal

import structlog
from aiohttp.http_exceptions import HttpProcessingError
from structlog.typing import EventDict, Processor, WrappedLogger

from control_api.key import KEY_PATTERN

SECRETS = (
    (re.compile(r"/~[^/\s\"'?#]+"), "/~…"),
    (KEY_PATTERN, r"\1_…"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_.-]+"), "eyJ…"),
    (re.compile(r"(?<=://)[^/@\s]+@"), "…@"),
)
"""Playback tokens in paths, stream and channel keys, access tokens, passwords in addresses."""


def configure_logging(
    log_format: Literal["", "console", "json"] = "", level: str = "info", *, quiet: bool = False
) -> None:
    """Set up logging for the process. May be called again.

    Args:
        log_format: empty = console on a terminal, else JSON.
        level: the least severe that is written: debug, info, warning, error.
        quiet: warnings and errors only, whatever `level` says (for commands that print a result).
    """
    is_console = log_format == "console" or (not log_format and sys.stderr.isatty())
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact,
            *_renderer(is_console),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING if quiet else level.upper())
    _quieten(("asyncio", "aiohttp.access", "aioice", "aiortc", "libav"))
    server = logging.getLogger("aiohttp.server")
    server.filters[:] = [_tame_bad_requests]


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take secrets out of every value of a log event, as a structlog processor."""
    return {name: _redacted(value) for name, value in event.items()}


def redact_text(text: str) -> str:
    """Take secrets out of a text."""
    for pattern, replacement in SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _redacted(value: object) -> object:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {key: _redacted(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact_text(str(value))


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _renderer(is_console: bool) -> Iterable[Processor]:
    if is_console:
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    return [structlog.processors.JSONRenderer(ensure_ascii=False)]


def _tame_bad_requests(record: logging.LogRecord) -> bool:
    """Say in one line that a client did not speak HTTP; aiohttp calls it an error and prints its own stack."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        peer = record.args[0] if isinstance(record.args, tuple) and record.args else "unknown"
        reason = error.message.strip().partition(":")[0].lower()
        record.msg, record.args, record.exc_info = "http refused", (), None
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.__dict__ |= {"peer": peer, "reason": f"not an HTTP request: {reason}"}
    return record.levelno >= logging.getLogger().level


def _quieten(names: Iterable[str]) -> None:
    """Libraries speak up only when something is wrong: their INFO is our DEBUG."""
    for name in names:
        logging.getLogger(name).setLevel(logging.WARNING)
