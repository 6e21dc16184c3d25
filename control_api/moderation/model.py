"""What requests and answers of moderation look like."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from control_api.id_page import LONGEST
from control_api.model import Description, Request, Words, whole, without_defaults
from control_api.moderation.blocked_words import parse

MAX_BAN_S = 14 * 24 * 3600
"""Longer ones are for good until they are lifted."""


def _blockable(word: str) -> str:
    if "*" in word[:-1]:
        raise ValueError("may have * at its end only")
    if not parse(word):
        raise ValueError("must hold a letter or a digit")
    return word


def _once(words: list[str]) -> list[str]:
    return [*dict.fromkeys(words)]


BanSeconds = Annotated[int, Field(ge=1, le=MAX_BAN_S), BeforeValidator(whole)]
SlowModeSeconds = Annotated[int, Field(ge=0, le=3600), BeforeValidator(whole)]
Reason = Annotated[Description, StringConstraints(strip_whitespace=True, max_length=500)]
BlockedWord = Annotated[
    Words,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(_blockable),
    Field(description="Matched whole, however it is written; `word*` also matches what begins so."),
]


class BanRequest(Request):
    """Why somebody is banned, and for how long."""

    reason: Reason = Field("", description="For the owner and the moderators.")
    duration_s: BanSeconds | None = Field(None, description="Null is for good.")


class BanAnswer(BaseModel):
    """A ban."""

    model_config = ConfigDict(from_attributes=True)

    user_id: str
    banned_by: str
    reason: str
    created_at: datetime
    ends_at: datetime | None = Field(description="Null is for good.")


class BanList(BaseModel):
    """A page of bans."""

    bans: list[BanAnswer]
    next_cursor: str | None = Field(description="Null on the last page.")


class ModeratorAnswer(BaseModel):
    """A moderator of a channel."""

    model_config = ConfigDict(from_attributes=True)

    user_id: str
    created_at: datetime = Field(description="When they were appointed.")


class ModeratorList(BaseModel):
    """All moderators of a channel, those appointed first first."""

    moderators: list[ModeratorAnswer]


class ChatSettingsChange(Request):
    """Any subset of the settings; the others stay as they are."""

    model_config = ConfigDict(json_schema_extra=without_defaults)

    slow_mode_s: SlowModeSeconds = Field(0, description="Between two comments of one user; 0 for none.")
    followers_only: bool = False
    links_allowed: bool = True
    blocked_words: Annotated[list[BlockedWord], AfterValidator(_once)] = Field(
        default_factory=list, max_length=500
    )

    def fields(self) -> dict[str, Any]:
        """Give the fields of `control_api.moderation.store.ChatSettings` that were sent."""
        return self.model_dump(exclude_unset=True)


class ChatSettingsAnswer(BaseModel):
    """How a chat is restricted."""

    model_config = ConfigDict(from_attributes=True)

    slow_mode_s: int
    followers_only: bool
    links_allowed: bool
    blocked_words: list[str] | None = Field(None, description="For the owner and moderators only.")


class LogEntryAnswer(BaseModel):
    """Who did what to whom."""

    at: datetime
    actor_id: str
    action: str = Field(description="A word, such as `ban.set`.")
    subject: str = Field(description="Id of the user; of the stream for `chat_settings.changed`.")
    details: dict[str, Any]
    address: str | None = Field(None, description="Where the request came from. Null but for admins.")


class LogList(BaseModel):
    """A page of the log."""

    entries: list[LogEntryAnswer]
    next_cursor: str | None = Field(description="Null on the last page.")


class PageQuery(BaseModel):
    """Query of a list, the newest first."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=100)
    cursor: (
        Annotated[str, Field(json_schema_extra={"pattern": "^[A-Za-z0-9_-]*$", "maxLength": LONGEST})] | None
    ) = Field(None, description="`next_cursor` of the page before.")
