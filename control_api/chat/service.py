"""Comments on streams and reactions to them. Knows no HTTP and no SQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TypeVar

import uuid_utils

from control_api.batch import Batcher
from control_api.chat.event import (
    ChatEvent,
    CommentAdded,
    CommentDeleted,
    CommentPinned,
    CommentUnpinned,
    ReactionChanged,
)
from control_api.chat.rules_port import ChatRules
from control_api.chat.store import (
    Comment,
    CommentStore,
    NewComment,
    Reaction,
    ReactionCounts,
    ReactionStore,
    ReactionType,
)
from control_api.rate import RateLimit
from control_api.stream.catalogue import Catalogue
from control_api.stream.record import Identity, Status, Stream
from media.error import StreamError

RATE_WINDOW_S = 10.0
MAX_COMMENTS = 5
MAX_REACTIONS = 10
"""Of one user to one stream in any window of that length."""

NOT_LIVE = {
    Status.CREATED: "The stream has not been started: its chat opens with it.",
    Status.SCHEDULED: "The stream has not been started: its chat opens with it.",
    Status.LIVE: "The stream has just ended, and its chat with it.",
    Status.ENDED: "The stream has ended, and its chat with it.",
    Status.CANCELLED: "The stream was cancelled: it has no chat.",
}
"""Why nothing can be said, by what the stream was when that was looked up."""


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class History:
    """A piece of what was said, the newest last."""

    comments: Sequence[Comment]
    pinned: Comment | None
    has_older: bool


class ChatService:
    """Takes comments and reactions of live streams, and moderates what was said.

    What comes at the same time is written together; whoever waits has it acknowledged when it is durable.

    Args:
        streams: knows streams and who may see them.
        comments: keeps comments.
        reactions: keeps reactions.
        rules: who moderates, and what may be written.
        clock: seconds, never stepping back.
    """

    def __init__(
        self,
        streams: Catalogue,
        comments: CommentStore,
        reactions: ReactionStore,
        rules: ChatRules,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._streams = streams
        self._comments = comments
        self._reactions = reactions
        self._rules = rules
        self._clock = clock
        self._comment_rate = RateLimit("comments", MAX_COMMENTS, RATE_WINDOW_S)
        self._reaction_rate = RateLimit("reactions", MAX_REACTIONS, RATE_WINDOW_S)
        self._new_comments = Batcher(self._write_comments)
        self._new_reactions = Batcher(self._write_reactions)
        self._watchers: list[Callable[[ChatEvent], None]] = []

    def watch(self, watcher: Callable[[ChatEvent], None]) -> None:
        """Call `watcher` after everything that happens is stored, before whoever did it hears of it."""
        self._watchers.append(watcher)

    def tell(self, event: ChatEvent) -> None:
        """Call all watchers, for what is stored: by this service, or by others that delete comments."""
        for watcher in self._watchers:
            watcher(event)

    async def drain(self) -> None:
        """Wait until everything that was taken is stored."""
        await self._new_comments.drain()
        await self._new_reactions.drain()

    async def comment(self, stream_id: str, author: Identity, content: str) -> Comment:
        """Write a comment.

        Args:
            stream_id: of a live stream.
            author: who writes.
            content: cleaned by `control_api.chat.text`.

        Raises:
            StreamError: `not_found`, `not_live`, `rate_limited`, or what the rules refuse.
            CapacityError: it cannot be stored at the moment.
        """
        stream = await self._live(stream_id, author)
        new = NewComment(
            id=str(uuid_utils.uuid7()),
            stream_id=stream_id,
            user_id=author.user_id,
            display_name=author.name or author.user_id,
            content=content,
        )
        is_exempt = await self._moderates(stream, author)
        turn = self._comment_rate.turn((stream_id, author.user_id), self._clock())
        with nullcontext() if is_exempt else turn:
            await self._rules.check(stream, author, content, is_exempt=is_exempt)
            return _accepted(await self._new_comments.add(new), stream)

    async def react(self, stream_id: str, author: Identity, kind: ReactionType) -> ReactionCounts:
        """Set the reaction of a user to a stream; gives how its reactions are then counted.

        Raises:
            StreamError: `not_found`, `not_live`, `banned`, `rate_limited`.
            CapacityError: it cannot be stored at the moment.
        """
        stream = await self._live(stream_id, author)
        await self._rules.check_ban(stream.user_id, author.user_id)
        with self._reaction_rate.turn((stream_id, author.user_id), self._clock()):
            reaction = Reaction(stream_id, author.user_id, kind)
            return _accepted(await self._new_reactions.add(reaction), stream)

    async def history(
        self, stream_id: str, viewer: Identity | None, *, before: int | None, limit: int
    ) -> History:
        """Read what was said last, also after the end.

        Args:
            stream_id: of the stream.
            viewer: who reads; None is somebody without a token.
            before: only comments with a smaller `seq`; None for the newest.
            limit: how many at most.

        Raises:
            StreamError: `not_found`.
        """
        stream = await self._streams.visible(stream_id, viewer)
        found = await self._comments.latest(stream.id, before, limit + 1)
        pinned = await self._comments.pinned(stream.id)
        return History(found[:limit][::-1], pinned, len(found) > limit)

    async def pin(self, stream_id: str, moderator: Identity, comment_id: str) -> Comment:
        """Pin a comment instead of the one that was; nothing happens when it is pinned.

        Raises:
            StreamError: `not_found`, `forbidden`.
        """
        await self._moderated(stream_id, moderator)
        pin = await self._comments.pin(stream_id, comment_id, moderator.user_id)
        if pin is None:
            raise _no_comment()
        if pin.seq is not None:
            if pin.replaced_id is not None:
                self.tell(CommentUnpinned(stream_id, pin.replaced_id, pin.seq - 1))
            self.tell(CommentPinned(pin.comment, pin.seq))
        return pin.comment

    async def unpin(self, stream_id: str, moderator: Identity, comment_id: str) -> None:
        """Pin a comment no more; nothing happens when it is not pinned.

        Raises:
            StreamError: `not_found`, `forbidden`.
        """
        await self._moderated(stream_id, moderator)
        seq = await self._comments.unpin(stream_id, comment_id)
        if seq is not None:
            self.tell(CommentUnpinned(stream_id, comment_id, seq))
        elif await self._comments.get(stream_id, comment_id) is None:
            raise _no_comment()

    async def delete(self, stream_id: str, user: Identity, comment_id: str) -> None:
        """Delete a comment: one's own, or as the owner or a moderator anybody's.

        Raises:
            StreamError: `not_found`, `forbidden`.
        """
        stream = await self._streams.visible(stream_id, user)
        comment = await self._comments.get(stream_id, comment_id)
        if comment is None:
            raise _no_comment()
        if comment.user_id != user.user_id and not await self._moderates(stream, user):
            raise StreamError("forbidden", "This comment is somebody else's.")
        seq = await self._comments.delete(stream_id, comment_id, user.user_id)
        if seq is None:
            raise _no_comment()
        self.tell(CommentDeleted(stream_id, comment_id, seq))

    async def _live(self, stream_id: str, author: Identity) -> Stream:
        stream = await self._streams.visible(stream_id, author)
        if stream.status is not Status.LIVE:
            raise StreamError("not_live", NOT_LIVE[stream.status])
        return stream

    async def _moderates(self, stream: Stream, user: Identity) -> bool:
        is_above = user.is_admin or user.user_id == stream.user_id
        return is_above or await self._rules.is_moderator(stream.user_id, user.user_id)

    async def _moderated(self, stream_id: str, user: Identity) -> Stream:
        stream = await self._streams.visible(stream_id, user)
        if not await self._moderates(stream, user):
            raise StreamError("forbidden", "Only the owner of the stream and its moderators may do this.")
        return stream

    async def _write_comments(self, batch: Sequence[NewComment]) -> Sequence[Comment | None]:
        """Store a batch and tell of it, whether or not those who wrote it still wait."""
        stored = await self._comments.add(batch)
        for comment in stored:
            if comment is not None:
                self.tell(CommentAdded(comment))
        return stored

    async def _write_reactions(self, batch: Sequence[Reaction]) -> Sequence[ReactionCounts | None]:
        stored = await self._reactions.put(batch)
        for reaction, counts in zip(batch, stored, strict=True):
            if counts is not None:
                self.tell(ReactionChanged(reaction))
        return stored


def _accepted(result: Result | None, stream: Stream) -> Result:
    """Refuse what the store did not take: the stream has ended since it was looked up."""
    if result is None:
        raise StreamError("not_live", NOT_LIVE[stream.status])
    return result


def _no_comment() -> StreamError:
    return StreamError("not_found", "There is no such comment.")
