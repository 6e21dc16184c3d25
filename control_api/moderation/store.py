"""What is kept about moderation, as values and a port; `control_api.postgres.moderation_table` implements it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from control_api.audit import AuditEntry, AuditNote

MAX_MODERATORS = 200
"""Of one channel: they are remembered as a whole."""

NEWEST = 2**63 - 1
"""Above every id: where lists with the newest first begin."""


class Deed(StrEnum):
    """What moderation does, as the log names it."""

    APPOINTED = "moderator.appointed"
    DISMISSED = "moderator.dismissed"
    BANNED = "ban.set"
    UNBANNED = "ban.lifted"
    CHANGED = "chat_settings.changed"


@dataclass(frozen=True, slots=True)
class Moderator:
    """Somebody who may moderate a channel."""

    user_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """Somebody who may not write in a channel."""

    id: int
    """Rises with each ban that is set."""
    user_id: str
    """Of a user, or of a viewer without a token."""
    banned_by: str
    reason: str
    created_at: datetime
    ends_at: datetime | None
    """None is for good."""


@dataclass(frozen=True, slots=True)
class KnownBans:
    """Who is banned in a channel, and until when; None is for good."""

    ends_at: Mapping[str, datetime | None]
    is_whole: bool
    """Whether whoever is not in it is not banned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """How the chat of a stream is restricted."""

    slow_mode_s: int = 0
    """Between two comments of one user; 0 for none."""
    followers_only: bool = False
    links_allowed: bool = True
    blocked_words: tuple[str, ...] = ()


class ModerationStore(Protocol):
    """Moderators, bans and chat settings. Each change is stored together with the note of it, or not at all.

    Every call raises `CapacityError` while nothing can be stored or read.
    """

    async def moderators(self, channel_id: str) -> Sequence[Moderator]:
        """List the moderators of a channel, those appointed first first."""
        ...

    async def appoint(self, channel_id: str, user_id: str, note: AuditNote) -> None:
        """Make somebody a moderator, and lift a ban of theirs; nothing happens when they are one.

        Raises:
            StreamError: `too_many`.
        """
        ...

    async def dismiss(self, channel_id: str, user_id: str, note: AuditNote) -> None:
        """Make somebody a moderator no more; nothing happens when they are none."""
        ...

    async def ban(self, channel_id: str, ban: Ban, note: AuditNote) -> Ban:
        """Set a ban in place of an older one, and dismiss the one who is banned; returns it with its id."""
        ...

    async def unban(self, channel_id: str, user_id: str, now: datetime, note: AuditNote) -> None:
        """Lift a ban; nothing happens when there is none."""
        ...

    async def bans(self, channel_id: str, now: datetime, before: int, limit: int) -> Sequence[Ban]:
        """List bans that hold, the newest first: those with ids smaller than `before`."""
        ...

    async def known_bans(self, channel_id: str, now: datetime) -> KnownBans:
        """Give the bans of a channel that hold, as many as can be remembered."""
        ...

    async def ban_of(self, channel_id: str, user_id: str, now: datetime) -> Ban | None:
        """Find the ban of a user that holds."""
        ...

    async def settings(self, stream_id: str) -> ChatSettings:
        """Give the chat settings of a stream."""
        ...

    async def change_settings(
        self, stream_id: str, changes: Mapping[str, object], note: AuditNote
    ) -> ChatSettings:
        """Change some of the chat settings of a stream; returns all of them."""
        ...

    async def log(self, channel_id: str, before: int, limit: int) -> Sequence[AuditEntry]:
        """List what was done in a channel, the newest first: entries with ids smaller than `before`."""
        ...
