"""What the control plane knows about a stream."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """Where a stream stands: scheduled or created → live → ended; or cancelled before it was live."""

    CREATED = "created"
    SCHEDULED = "scheduled"
    LIVE = "live"
    ENDED = "ended"
    CANCELLED = "cancelled"


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_stream_id(text: str) -> bool:
    """Tell whether this can be the id of a stream."""
    return _UUID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One stream as it is stored. A change is another object (`dataclasses.replace`)."""

    id: str
    """UUIDv7 in lower case, so ids sort by time of creation."""
    user_id: str
    """The owner: `sub` of the token that created it."""
    stream_key: str
    title: str
    description: str = ""
    quality: str = "1080p"
    """The best rung, one of `media.rendition.LADDER`."""
    category: str | None = None
    tags: tuple[str, ...] = ()
    is_private: bool = False
    """For the owner, followers and admins only."""
    playback_salt: str = ""
    """Named by playback tokens: another one ends those that are around."""
    record_stream: bool = True
    auto_start: bool = False
    """Goes live with the first packet, without a call of `start`."""
    scheduled_at: datetime | None = None
    status: Status = Status.CREATED
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None
    """Why it ended, as given to `StreamService.end`; or why it was cancelled when nobody asked for it."""
    reminded_at: datetime | None = None
    """When its owner was told that its scheduled time comes."""
    viewer_count: int = 0
    peak_viewers: int = 0
    unique_viewers: int = 0
    comments_count: int = 0
    reactions_count: int = 0
    revision: int = 1
    """Rises with every stored change; the store refuses a change of an older one."""

    @property
    def is_upcoming(self) -> bool:
        """Whether it may still go live for the first time."""
        return self.status in (Status.CREATED, Status.SCHEDULED)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, as proved by an access token."""

    user_id: str
    is_admin: bool = False
    name: str = ""
    """What to call the user, fit to be shown; empty when the token does not say."""
    expires_at: float | None = field(default=None, compare=False)
    """Unix time until which that is taken for proved; None when the token does not say."""

    def is_in_charge_of(self, stream: Stream) -> bool:
        """Tell whether this is the owner of a stream, or an admin."""
        return self.is_admin or self.user_id == stream.user_id
