"""Error roots. Every error that a room raises on purpose descends from one of these.

MediaServerError
├── ConfigError       the configuration is wrong; carries all problems at once
├── PeerError         the other side erred: close it, log at INFO, no traceback
├── LocalStateError   we erred: a bug, never caught
├── StreamError       a stream is not found, busy, not allowed: carries a stable `code`
├── CapacityError     no room now, try again after `retry_after_s`
└── TranscodeError    a codec worker crashed, stalled or refused its input
"""

from __future__ import annotations

import os
from collections.abc import Sequence


class MediaServerError(Exception):
    """Root of everything that this server raises on purpose."""


class ConfigError(MediaServerError):
    """The configuration cannot be used; `problems` holds one sentence for each fault."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class PeerError(MediaServerError):
    """The other side broke the protocol. The text is fit for the log and for the peer."""


class LocalStateError(MediaServerError):
    """This side was used in a way that it does not allow: a bug."""


class StreamError(MediaServerError):
    """A request about a stream cannot be met.

    Args:
        code: stable identifier such as ``not_found`` or ``already_ended``.
        detail: a sentence for the person who asked.
        stream_id: of the stream, where it is known although the request named it otherwise.
    """

    def __init__(self, code: str, detail: str, stream_id: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.stream_id = stream_id


class CapacityError(MediaServerError):
    """There is no room for this now."""

    def __init__(self, detail: str, retry_after_s: float = 1.0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class TranscodeError(MediaServerError):
    """A codec or its worker process failed."""


def os_reason(error: OSError) -> str:
    """Say why in the system's words: asyncio puts a sentence with the address into `strerror`."""
    # Names that cannot be resolved have errors below zero, which only their own text explains.
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)
