"""What the control plane tells others: followers, webhooks, pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import uuid_utils

from control_api.stream.record import Stream


class EventType(StrEnum):
    """What has happened."""

    STREAM_LIVE = "stream.live"
    STREAM_ENDED = "stream.ended"
    PUBLISHER_LOST = "publisher.lost"
    STREAM_REMINDER = "stream.reminder"


FOR_FOLLOWERS = frozenset({EventType.STREAM_LIVE, EventType.STREAM_REMINDER})
"""What each follower of the streamer is told; everything is told to webhooks."""

FOR_OWNERS = frozenset({EventType.STREAM_REMINDER})
"""What the streamer is told as well."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that has happened; it is stored together with what it tells of."""

    id: str
    """UUIDv7. Whoever gets it twice knows it by this."""
    type: EventType
    stream_id: str
    user_id: str
    """The stream's owner."""
    is_private: bool
    happened_at: datetime
    data: dict[str, Any]
    """Fit for JSON."""

    def message(self) -> dict[str, Any]:
        """Write it as those see it who are told."""
        return {"type": self.type.value, "timestamp": rfc3339(self.happened_at), "data": self.data}


def rfc3339(time: datetime) -> str:
    """Write a time as all answers do."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def event_of(kind: EventType, stream: Stream, now: datetime, **data: object) -> Event:
    """Make an event of a stream as it is now."""
    known = {"stream_id": stream.id, "user_id": stream.user_id, "title": stream.title}
    return Event(
        id=str(uuid_utils.uuid7()),
        type=kind,
        stream_id=stream.id,
        user_id=stream.user_id,
        is_private=stream.is_private,
        happened_at=now,
        data={**known, **data},
    )


def live_event(stream: Stream, now: datetime) -> Event:
    """Tell that a stream was started."""
    return event_of(EventType.STREAM_LIVE, stream, now)


def reminder_event(stream: Stream, now: datetime) -> Event:
    """Tell that a scheduled stream's time is near."""
    return event_of(EventType.STREAM_REMINDER, stream, now, scheduled_at=rfc3339(stream.scheduled_at or now))


def ended_event(stream: Stream, now: datetime) -> Event:
    """Tell that a stream is over."""
    began = stream.started_at or now
    return event_of(
        EventType.STREAM_ENDED,
        stream,
        now,
        reason=stream.end_reason,
        duration_s=round(((stream.ended_at or now) - began).total_seconds(), 3),
    )
