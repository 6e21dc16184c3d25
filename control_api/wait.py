"""Requests that come too early."""

from __future__ import annotations

from media.error import StreamError


class TooEarlyError(StreamError):
    """The same request is good later: 429 with `Retry-After`.

    Args:
        code: stable identifier such as ``slow_mode``.
        detail: a sentence for the person who asked.
        retry_after_s: how long to wait.
    """

    def __init__(self, code: str, detail: str, retry_after_s: float) -> None:
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s
