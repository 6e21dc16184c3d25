"""What became of one attempt to deliver a message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from control_api.webhook.schedule import read_retry_after

GONE = 410
BUSY = frozenset({429, 503})
"""Answers whose Retry-After counts."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt."""

    is_delivered: bool
    status: int | None = None
    """Of the answer, None without one."""
    error: str | None = None
    """Why it was not delivered, in few words for the webhook's owner: neither the address nor the answer is in it."""
    retry_after_s: float | None = None
    """How long the receiver wants to be left alone, 0 to 3600 seconds."""
    is_gone: bool = False
    """Whether the receiver wants nothing any more: the webhook is to be disabled."""


def failed(error: str) -> Outcome:
    """Make the outcome of an attempt that got no answer."""
    return Outcome(is_delivered=False, error=error)


def judge(status: int, retry_after: str | None, now: datetime) -> Outcome:
    """Say what an answer means.

    Args:
        status: of HTTP.
        retry_after: that header, if it came.
        now: when it came.
    """
    if 200 <= status < 300:
        return Outcome(is_delivered=True, status=status)
    if status == GONE:
        return Outcome(is_delivered=False, status=status, error="the receiver is gone (410)", is_gone=True)
    if 300 <= status < 400:
        error = f"the receiver answered {status}; redirects are not followed"
        return Outcome(is_delivered=False, status=status, error=error)
    return Outcome(
        is_delivered=False,
        status=status,
        error=f"the receiver answered {status}",
        retry_after_s=read_retry_after(retry_after, now) if status in BUSY else None,
    )
