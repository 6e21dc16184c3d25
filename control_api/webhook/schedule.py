"""When a message that was not delivered is sent again: soon at first, then rarely, and after a day never."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from media.error import LocalStateError

DELAYS_S = (5, 30, 2 * 60, 10 * 60, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
"""Behind the first failed attempt, behind the second and so on."""
JITTER = 0.1
"""By what part a delay may differ: receivers that failed together do not get everything again at one instant."""
MAX_RETRY_AFTER_S = 3600.0
"""Longer than that no receiver may have us wait: whoever is away for good should say so with 410."""

_SECONDS = re.compile(r"[0-9]{1,18}")
_MAX_DATE = 64
"""Characters of a date that are looked at."""


def retry_at(
    attempt: int, now: datetime, jitter: random.Random, retry_after_s: float | None = None
) -> datetime | None:
    """Say when to try again.

    Args:
        attempt: how many attempts have failed by now, 1 or more.
        now: when the last one failed.
        jitter: source of chance.
        retry_after_s: what the receiver asked for; not earlier than that, nor over an hour because of it.

    Returns:
        When, or None when the message is a dead letter.

    Raises:
        LocalStateError: nothing has been attempted.
    """
    if attempt < 1:
        raise LocalStateError(f"attempt {attempt}: the first is 1")
    if attempt > len(DELAYS_S):
        return None
    delay = DELAYS_S[attempt - 1] * jitter.uniform(1 - JITTER, 1 + JITTER)
    if retry_after_s is not None:
        asked = min(max(retry_after_s, 0.0), MAX_RETRY_AFTER_S)
        delay = max(delay, asked * jitter.uniform(1, 1 + JITTER))
    return now + timedelta(seconds=delay)


def read_retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110, 10.2.3): seconds, or a date.

    Args:
        value: what was sent, if anything.
        now: with its time zone.

    Returns:
        Seconds from now, 0 to 3600; None when nothing sensible was sent.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), MAX_RETRY_AFTER_S)
    if len(text) > _MAX_DATE:
        return None
    try:
        date = parsedate_to_datetime(text)
        seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)
