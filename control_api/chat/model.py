"""What requests to chats and their answers look like."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from control_api.chat.store import ReactionType
from control_api.chat.text import MAX_COMMENT, VISIBLE, clean_comment
from control_api.model import Cursor, Request

Content = Annotated[
    str,
    AfterValidator(clean_comment),
    Field(
        description="One line; characters that cannot be seen and could deceive are taken out.",
        json_schema_extra={"minLength": 1, "maxLength": MAX_COMMENT, "pattern": VISIBLE},
    ),
]


class CommentCreation(Request):
    """A new comment."""

    content: Content


class CommentFilter(BaseModel):
    """Query of a list of comments."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=100)
    cursor: Cursor | None = Field(
        None, description="`next_cursor` of the page before; the next one is older."
    )


class CommentAnswer(BaseModel):
    """A comment."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    seq: int = Field(description="Rises with everything that happens in this chat.")
    user_id: str
    display_name: str = Field(description="`name` of the author's token, else the user id.")
    content: str
    created_at: datetime
    is_pinned: bool


class CommentList(BaseModel):
    """A page of comments."""

    comments: list[CommentAnswer] = Field(description="The newest last.")
    pinned: CommentAnswer | None = Field(description="Whichever page this is.")
    next_cursor: str | None = Field(description="Of older comments; null on the last page.")


class ReactionCreation(Request):
    """A reaction; it replaces the one that was."""

    type: ReactionType


class ReactionAnswer(BaseModel):
    """A reaction, and all of them."""

    type: ReactionType
    counts: dict[ReactionType, int] = Field(description="Users, by every type.")
    reactions_count: int
