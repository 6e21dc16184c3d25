"""Comments on streams and reactions to them. Knows no HTTP and no SQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext

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
from control_api.chat.past import ChatPast
from control_api.chat.rate import (
    MAX_COMMENTS,
    MAX_COMMENTS_OF_ADDRESS,
    MAX_REACTIONS,
    MAX_REACTIONS_OF_ADDRESS,
    ChatRate,
)
from control_api.chat.refusal import NOT_LIVE, accepted, no_comment, writing
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
from control_api.stream.catalogue import Catalogue
from control_api.stream.record import Identity, Status, Stream
from media.error import CapacityError, StreamError


class ChatService(ChatPast):
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
        super().__init__(streams, comments)
        self._reactions = reactions
        self._rules = rules
        self._clock = clock
        self._comment_rate = ChatRate("comments", MAX_COMMENTS, MAX_COMMENTS_OF_ADDRESS)
        self._reaction_rate = ChatRate("reactions", MAX_REACTIONS, MAX_REACTIONS_OF_ADDRESS)
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

    async def comment(
        self, stream_id: str, author: Identity, content: str, *, address: str | None = None
    ) -> Comment:
        """Write a comment.

        Args:
            stream_id: of a live stream.
            author: who writes.
            content: cleaned by `control_api.chat.text`.
            address: where it comes from, as far as that is known.

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
        with writing():
            is_exempt = await self._moderates(stream, author)
            turn = self._comment_rate.turn(stream_id, author.user_id, address, self._clock())
            with nullcontext() if is_exempt else turn:
                await self._rules.check(stream, author, content, is_exempt=is_exempt)
                return await self._write_comment(new, stream, author)

    async def react(
        self, stream_id: str, author: Identity, kind: ReactionType, *, address: str | None = None
    ) -> ReactionCounts:
        """Set the reaction of a user to a stream; gives how its reactions are then counted.

        Args:
            stream_id: of a live stream.
            author: who reacts.
            kind: how.
            address: where it comes from, as far as that is known.

        Raises:
            StreamError: `not_found`, `not_live`, `banned`, `rate_limited`.
            CapacityError: it cannot be stored at the moment.
        """
        stream = await self._live(stream_id, author)
        with writing():
            await self._rules.check_ban(stream.user_id, author.user_id)
            counted = None if await self._moderates(stream, author) else address
            with self._reaction_rate.turn(stream_id, author.user_id, counted, self._clock()):
                reaction = Reaction(stream_id, author.user_id, kind)
                return accepted(await self._new_reactions.add(reaction), stream)

    async def pin(self, stream_id: str, moderator: Identity, comment_id: str) -> Comment:
        """Pin a comment instead of the one that was; nothing happens when it is pinned.

        Raises:
            StreamError: `not_found`, `forbidden`.
        """
        with writing():
            await self._moderated(stream_id, moderator)
            pin = await self._comments.pin(stream_id, comment_id, moderator.user_id)
        if pin is None:
            raise no_comment()
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
        with writing():
            await self._moderated(stream_id, moderator)
            seq = await self._comments.unpin(stream_id, comment_id)
            if seq is not None:
                self.tell(CommentUnpinned(stream_id, comment_id, seq))
            elif await self._comments.get(stream_id, comment_id) is None:
                raise no_comment()

    async def delete(self, stream_id: str, user: Identity, comment_id: str) -> None:
        """Delete a comment: one's own, or as the owner or a moderator anybody's.

        Raises:
            StreamError: `not_found`, `forbidden`.
        """
        stream = await self._streams.visible(stream_id, user)
        with writing():
            comment = await self._comments.get(stream_id, comment_id)
            if comment is None:
                raise no_comment()
            if comment.user_id != user.user_id and not await self._moderates(stream, user):
                raise StreamError("forbidden", "This comment is somebody else's.")
            seq = await self._comments.delete(stream_id, comment_id, user.user_id)
        if seq is None:
            raise no_comment()
        self.tell(CommentDeleted(stream_id, comment_id, seq))

    async def _write_comment(self, new: NewComment, stream: Stream, author: Identity) -> Comment:
        try:
            return accepted(await self._new_comments.add(new), stream)
        except (CapacityError, StreamError):
            self._rules.give_back(stream, author)
            raise

    async def _live(self, stream_id: str, author: Identity) -> Stream:
        stream = await self._streams.visible(stream_id, author)
        if stream.status is not Status.LIVE:
            raise StreamError("not_live", NOT_LIVE[stream.status])
        return stream

    async def _moderates(self, stream: Stream, user: Identity) -> bool:
        return user.is_in_charge_of(stream) or await self._rules.is_moderator(stream.user_id, user.user_id)

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
