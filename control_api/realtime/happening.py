"""What happens on a stream, as it travels between nodes: a message for sockets, and what rooms need beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json, to_json

from control_api.chat.event import (
    ChatEvent,
    CommentAdded,
    CommentDeleted,
    CommentPinned,
    CommentUnpinned,
    ReactionChanged,
)
from control_api.chat.model import CommentAnswer
from control_api.chat.store import Comment


@dataclass(frozen=True, slots=True)
class Happening:
    """A message `{"type", "data"}`."""

    type: str
    data: dict[str, Any]
    comment: dict[str, Any] | None = None
    """What was pinned; sockets are told the id alone."""

    @property
    def seq(self) -> int | None:
        """Its place in the chat; None for what is not kept."""
        seq: int | None = self.data.get("seq")
        return seq

    def serialize(self) -> bytes:
        """Write it for the bus."""
        return to_json({"type": self.type, "data": self.data, "comment": self.comment})

    @classmethod
    def parse(cls, message: bytes) -> Happening:
        """Read what `serialize` wrote."""
        return cls(**from_json(message))


def comment_data(comment: Comment) -> dict[str, Any]:
    """Give a comment as sockets and pages get it."""
    return CommentAnswer.model_validate(comment).model_dump(mode="json")


def happening_of(event: ChatEvent) -> tuple[str, Happening]:
    """Translate what a chat tells; gives the stream's id, and what happened there."""
    match event:
        case CommentAdded(comment):
            return comment.stream_id, Happening("comment", comment_data(comment))
        case CommentPinned(comment, seq):
            data = {"id": comment.id, "seq": seq}
            return comment.stream_id, Happening("comment_pinned", data, comment_data(comment))
        case CommentUnpinned(stream_id, comment_id, seq):
            return stream_id, Happening("comment_unpinned", {"id": comment_id, "seq": seq})
        case CommentDeleted(stream_id, comment_id, seq):
            return stream_id, Happening("comment_deleted", {"id": comment_id, "seq": seq})
        case ReactionChanged(reaction):
            data = {"type": reaction.type, "user_id": reaction.user_id}
            return reaction.stream_id, Happening("reaction", data)
