"""What was said in a chat: to read, and to catch up with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from control_api.chat.missed import Missed, missed_events
from control_api.chat.store import Comment, CommentStore
from control_api.stream.catalogue import Catalogue
from control_api.stream.record import Identity


@dataclass(frozen=True, slots=True)
class History:
    """A piece of what was said, the newest last."""

    comments: Sequence[Comment]
    pinned: Comment | None
    has_older: bool


class ChatPast:
    """Reads chats.

    Args:
        streams: knows streams and who may see them.
        comments: keeps comments.
    """

    def __init__(self, streams: Catalogue, comments: CommentStore) -> None:
        self._streams = streams
        self._comments = comments

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
            CapacityError: it cannot be read at the moment.
        """
        stream = await self._streams.visible(stream_id, viewer)
        found = await self._comments.latest(stream.id, before, limit + 1)
        pinned = await self._comments.pinned(stream.id)
        return History(found[:limit][::-1], pinned, len(found) > limit)

    async def newest_seq(self, stream_id: str) -> int:
        """Give the highest `seq` of a chat, 0 when nothing has happened; for those who may see the stream.

        Raises:
            CapacityError: it cannot be read at the moment.
        """
        return await self._comments.newest_seq(stream_id)

    async def missed(self, stream_id: str, since: int, limit: int) -> Missed:
        """Tell what happened in a chat after a place in it; for those who may see the stream.

        Args:
            stream_id: of the stream.
            since: the `seq` of the last event that is known.
            limit: events at most.

        Raises:
            CapacityError: it cannot be read at the moment.
        """
        changes = await self._comments.changes(stream_id, since, limit + 1)
        if changes or since <= await self._comments.newest_seq(stream_id):
            return missed_events(changes, since, limit)
        return Missed((), is_whole=False)  # a place that has never been: nobody knows what was missed
