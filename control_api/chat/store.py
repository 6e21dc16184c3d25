"""What is kept of chats, as ports; `control_api.postgres` implements them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class ReactionType(StrEnum):
    """How somebody likes a stream."""

    LIKE = "like"
    LOVE = "love"
    FIRE = "fire"
    CLAP = "clap"
    WOW = "wow"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewComment:
    """A comment that is about to be stored."""

    id: str
    stream_id: str
    user_id: str
    display_name: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment(NewComment):
    """A comment that is stored."""

    seq: int
    """Its place among all that happened in the stream's chat: rises, with holes."""
    created_at: datetime
    is_pinned: bool = False


@dataclass(frozen=True, slots=True)
class ChangedComment:
    """A comment as it is now, deleted ones too."""

    comment: Comment
    changed_seq: int | None
    """When it was last pinned, unpinned or deleted; None: never."""
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class Pin:
    """What pinning a comment did."""

    comment: Comment
    seq: int | None
    """When it was pinned; None: it already was, and nothing has happened."""
    replaced_id: str | None = None
    """The comment that is pinned no more, since `seq - 1`."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """The one reaction of a user to a stream."""

    stream_id: str
    user_id: str
    type: ReactionType


ReactionCounts = Mapping[ReactionType, int]
"""How many users react to a stream, by every type."""


class CommentStore(Protocol):
    """Comments. A call that returns has been stored: it survives a killed server.

    Every call raises `CapacityError` while nothing can be stored or read. Deleted comments are no longer there.
    """

    async def add(self, comments: Sequence[NewComment]) -> Sequence[Comment | None]:
        """Store comments behind all that happened before in their streams; None for those whose stream is not live."""
        ...

    async def get(self, stream_id: str, comment_id: str) -> Comment | None:
        """Find a comment of a stream."""
        ...

    async def latest(self, stream_id: str, before: int | None, limit: int) -> Sequence[Comment]:
        """List the newest comments of a stream, the newest first.

        Args:
            stream_id: of the stream.
            before: only those with a smaller `seq`; None for all.
            limit: how many at most.
        """
        ...

    async def changes(self, stream_id: str, since: int, limit: int) -> Sequence[ChangedComment]:
        """List comments that were written, pinned, unpinned or deleted after a `seq`, in no order.

        Args:
            stream_id: of the stream.
            since: the `seq`.
            limit: at most so many that were written, those that were first, and as many older ones that were changed.
        """
        ...

    async def newest_seq(self, stream_id: str) -> int:
        """Give the highest `seq` of a stream; 0 when nothing has happened."""
        ...

    async def pinned(self, stream_id: str) -> Comment | None:
        """Find the pinned comment of a stream."""
        ...

    async def pin(self, stream_id: str, comment_id: str, user_id: str) -> Pin | None:
        """Pin a comment instead of the one that was; None when there is no such comment."""
        ...

    async def unpin(self, stream_id: str, comment_id: str) -> int | None:
        """Pin a comment no more; gives the `seq` of that, None when it was not pinned."""
        ...

    async def delete(self, stream_id: str, comment_id: str, user_id: str) -> int | None:
        """Delete a comment, pinned or not; gives the `seq` of that, None when there is no such comment."""
        ...


class ReactionStore(Protocol):
    """Reactions, under the same promises."""

    async def put(self, reactions: Sequence[Reaction]) -> Sequence[ReactionCounts | None]:
        """Store reactions; of one user to one stream the last one stays.

        Returns:
            For each how the stream's reactions are now counted; None when the stream is not live.
        """
        ...
