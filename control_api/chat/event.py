"""What happens in chats, for whoever tells it on. All but reactions have a place in the order of their chat: `seq`."""

from __future__ import annotations

from dataclasses import dataclass

from control_api.chat.store import Comment, Reaction


@dataclass(frozen=True, slots=True)
class CommentAdded:
    """Somebody wrote something."""

    comment: Comment


@dataclass(frozen=True, slots=True)
class CommentPinned:
    """A comment was pinned."""

    comment: Comment
    seq: int
    """Of the pinning, not of the comment."""


@dataclass(frozen=True, slots=True)
class CommentUnpinned:
    """A comment is pinned no more."""

    stream_id: str
    comment_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class CommentDeleted:
    """A comment is gone, and pinned no more if it was."""

    stream_id: str
    comment_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class ReactionChanged:
    """Somebody reacted, perhaps in the same way as before."""

    reaction: Reaction


ChatEvent = CommentAdded | CommentPinned | CommentUnpinned | CommentDeleted | ReactionChanged
