"""What may happen to a stream in which state: one table, and pure functions from one record to the next.

`docs/lifecycle.md` draws it, `check_stream_status` in the first migration holds it against any program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from control_api.key import new_stream_key
from control_api.stream.playback import new_salt
from control_api.stream.record import Status, Stream
from media.error import StreamError

CREATED, SCHEDULED, LIVE = Status.CREATED, Status.SCHEDULED, Status.LIVE
ENDED, CANCELLED = Status.ENDED, Status.CANCELLED


class Action(StrEnum):
    """What somebody wants of a stream."""

    START = "start"
    END = "end"
    CANCEL = "cancel"
    EXPIRE = "expire"
    EDIT = "edit"


class Refusal(StrEnum):
    """Why a state does not allow it: the code of the error."""

    NOT_LIVE = "not_live"
    ALREADY_LIVE = "already_live"
    ALREADY_ENDED = "already_ended"
    CANCELLED = "cancelled"


TABLE: Mapping[Action, Mapping[Status, Status | Refusal]] = {
    Action.START: {
        CREATED: LIVE,
        SCHEDULED: LIVE,
        LIVE: LIVE,
        ENDED: Refusal.ALREADY_ENDED,
        CANCELLED: Refusal.CANCELLED,
    },
    Action.END: {
        CREATED: Refusal.NOT_LIVE,
        SCHEDULED: Refusal.NOT_LIVE,
        LIVE: ENDED,
        ENDED: ENDED,
        CANCELLED: Refusal.CANCELLED,
    },
    Action.CANCEL: {
        CREATED: CANCELLED,
        SCHEDULED: CANCELLED,
        LIVE: Refusal.ALREADY_LIVE,
        ENDED: Refusal.ALREADY_ENDED,
        CANCELLED: CANCELLED,
    },
    Action.EXPIRE: {CREATED: CREATED, SCHEDULED: CANCELLED, LIVE: LIVE, ENDED: ENDED, CANCELLED: CANCELLED},
    Action.EDIT: {
        CREATED: CREATED,
        SCHEDULED: SCHEDULED,
        LIVE: LIVE,
        ENDED: ENDED,
        CANCELLED: Refusal.CANCELLED,
    },
}
"""The state after an action, or why it is refused. The same state: nothing happens, and nothing is wrong."""

WORDS = {
    Refusal.NOT_LIVE: "The stream has not been started.",
    Refusal.ALREADY_LIVE: "The stream is live.",
    Refusal.ALREADY_ENDED: "The stream has ended.",
    Refusal.CANCELLED: "The stream was cancelled.",
}

UNTIL_LIVE = ("quality", "auto_start", "scheduled_at")
"""Fields that have done their work when a stream is live: changing them later would be a promise not kept."""

SCHEDULE_TOLERANCE = timedelta(minutes=1)
"""Clocks differ: so far in the past a time still counts as now."""

EXPIRY = timedelta(hours=24)
"""A scheduled stream that nobody has started so long after its time will not be started any more."""

EXPIRED = "nobody started it"

DISOWNED = "Deleted"
"""Title of a stream whose owner is deleted; there has to be one."""

REMINDER = timedelta(minutes=15)
"""So long before its time the streamer and the followers are reminded of a scheduled stream."""


def after(stream: Stream, action: Action) -> Status:
    """Look up the state that an action leads to.

    Raises:
        StreamError: the stream's state does not allow it.
    """
    outcome = TABLE[action][stream.status]
    if isinstance(outcome, Refusal):
        raise StreamError(outcome.value, WORDS[outcome])
    return outcome


def started(stream: Stream, now: datetime) -> Stream:
    """Make a stream live.

    Raises:
        StreamError: `already_ended`, `cancelled`.
    """
    status = after(stream, Action.START)
    return stream if status is stream.status else replace(stream, status=status, started_at=now)


def ended(stream: Stream, now: datetime, reason: str) -> Stream:
    """End a stream.

    Raises:
        StreamError: `not_live`, `cancelled`.
    """
    status = after(stream, Action.END)
    if status is stream.status:
        return stream
    # A clock that was set back must not make an end that nobody can store.
    ended_at = max(now, stream.started_at or now)
    return replace(stream, status=status, ended_at=ended_at, end_reason=reason)


def cancelled(stream: Stream) -> Stream:
    """Cancel a stream that was never live.

    Raises:
        StreamError: `already_live`, `already_ended`.
    """
    status = after(stream, Action.CANCEL)
    return stream if status is stream.status else replace(stream, status=status)


def disowned(stream: Stream, pseudonym: str) -> Stream:
    """Take a stream from its owner, with everything that the owner said of it; one that may still begin is cancelled.

    Nobody follows a pseudonym, so the stream is for admins only; its key and the links to it are worth nothing.

    Raises:
        StreamError: `already_live`.
    """
    if stream.status is LIVE:
        raise StreamError(Refusal.ALREADY_LIVE.value, WORDS[Refusal.ALREADY_LIVE])
    return replace(
        stream,
        status=CANCELLED if stream.is_upcoming else stream.status,
        user_id=pseudonym,
        title=DISOWNED,
        description="",
        category=None,
        tags=(),
        is_private=True,
        auto_start=False,
        stream_key=new_stream_key(),
        playback_salt=new_salt(),
    )


def expired(stream: Stream, now: datetime) -> Stream:
    """Cancel a scheduled stream whose time has long passed; others stay as they are."""
    status = after(stream, Action.EXPIRE)
    if status is stream.status or stream.scheduled_at is None or stream.scheduled_at > now - EXPIRY:
        return stream
    return replace(stream, status=status, end_reason=EXPIRED)


def reminded(stream: Stream, now: datetime) -> Stream:
    """Note that a scheduled stream's reminder is due; others, and those reminded of before, stay as they are."""
    if stream.status is not SCHEDULED or stream.scheduled_at is None or stream.reminded_at is not None:
        return stream
    return replace(stream, reminded_at=now) if stream.scheduled_at <= now + REMINDER else stream


def edited(stream: Stream, changes: Mapping[str, Any], now: datetime) -> Stream:
    """Change fields of a stream; setting or clearing `scheduled_at` moves it between created and scheduled.

    Raises:
        StreamError: `cancelled`; `already_live` or `already_ended` for what is fixed by then; `invalid`.
    """
    after(stream, Action.EDIT)
    changes = {name: value for name, value in changes.items() if getattr(stream, name) != value}
    if any(name in changes for name in UNTIL_LIVE):
        after(stream, Action.CANCEL)  # what can still be cancelled has not begun
    if "scheduled_at" in changes:
        check_schedule(changes["scheduled_at"], now)
        changes["status"] = SCHEDULED if changes["scheduled_at"] else CREATED
        changes["reminded_at"] = None
    return replace(stream, **changes) if changes else stream


def check_schedule(scheduled_at: datetime | None, now: datetime) -> None:
    """Refuse a time that has passed.

    Raises:
        StreamError: `invalid`.
    """
    if scheduled_at is not None and scheduled_at < now - SCHEDULE_TOLERANCE:
        raise StreamError("invalid", "scheduled_at: the time has passed.")
