"""What may happen to a stream in which state, as pure functions from one record to the next.

    scheduled ─┬─ start ─► live ─ end ─► ended
    created  ──┤
               └─ cancel ─► cancelled

`edit` moves between created and scheduled. `start` of a live stream, `end` of an ended one and `cancel` of a
cancelled one change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from control_api.stream import Status, Stream
from media.error import StreamError

UNTIL_LIVE = ("quality", "auto_start", "scheduled_at")
"""Fields that have done their work when a stream is live: changing them later would be a promise not kept."""

SCHEDULE_TOLERANCE = timedelta(minutes=1)
"""Clocks differ: so far in the past a time still counts as now."""


def started(stream: Stream, now: datetime) -> Stream:
    """Make a stream live.

    Raises:
        StreamError: `already_ended`, `cancelled`.
    """
    if stream.status is Status.LIVE:
        return stream
    _refuse(stream, Status.ENDED, Status.CANCELLED)
    return replace(stream, status=Status.LIVE, started_at=now)


def ended(stream: Stream, now: datetime, reason: str) -> Stream:
    """End a stream.

    Raises:
        StreamError: `not_live`, `cancelled`.
    """
    if stream.status is Status.ENDED:
        return stream
    _refuse(stream, Status.CREATED, Status.SCHEDULED, Status.CANCELLED)
    return replace(stream, status=Status.ENDED, ended_at=now, end_reason=reason)


def cancelled(stream: Stream) -> Stream:
    """Cancel a stream that was never live.

    Raises:
        StreamError: `already_live`, `already_ended`.
    """
    if stream.status is Status.CANCELLED:
        return stream
    _refuse(stream, Status.LIVE, Status.ENDED)
    return replace(stream, status=Status.CANCELLED)


def edited(stream: Stream, changes: Mapping[str, Any], now: datetime) -> Stream:
    """Change fields of a stream; setting or clearing `scheduled_at` moves it between created and scheduled.

    Raises:
        StreamError: `cancelled`; `already_live` or `already_ended` for what is fixed by then; `invalid`.
    """
    _refuse(stream, Status.CANCELLED)
    changes = {name: value for name, value in changes.items() if getattr(stream, name) != value}
    if stream.status in (Status.LIVE, Status.ENDED) and any(name in changes for name in UNTIL_LIVE):
        _refuse(stream, stream.status)
    if "scheduled_at" in changes:
        check_schedule(changes["scheduled_at"], now)
        changes["status"] = Status.SCHEDULED if changes["scheduled_at"] else Status.CREATED
    return replace(stream, **changes) if changes else stream


def check_schedule(scheduled_at: datetime | None, now: datetime) -> None:
    """Refuse a time that has passed.

    Raises:
        StreamError: `invalid`.
    """
    if scheduled_at is not None and scheduled_at < now - SCHEDULE_TOLERANCE:
        raise StreamError("invalid", "scheduled_at: the time has passed.")


_WORDS = {
    Status.CREATED: ("not_live", "The stream has not been started."),
    Status.SCHEDULED: ("not_live", "The stream has not been started."),
    Status.LIVE: ("already_live", "The stream is live."),
    Status.ENDED: ("already_ended", "The stream has ended."),
    Status.CANCELLED: ("cancelled", "The stream was cancelled."),
}


def _refuse(stream: Stream, *states: Status) -> None:
    if stream.status in states:
        code, detail = _WORDS[stream.status]
        raise StreamError(code, detail)
