"""The reading side: which streams there are, who may see them, who may go live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from control_api.stream.eligibility import Eligibility, NotEligibleError
from control_api.stream.record import Identity, Stream
from control_api.stream.store import StreamQuery, StreamStore
from control_api.user.social_graph_port import SocialGraph
from media.error import StreamError

NO_STREAM = "There is no such stream."

MAX_ROUNDS = 10
"""Pages read for one page of an answer, while all streams in them are hidden from who asks."""

MAX_OPEN = 100_000
"""Streams that are taken note of at the start, about 300 bytes each. Others are found when somebody publishes."""


class Catalogue:
    """Answers questions about streams and their owners.

    Args:
        store: keeps streams.
        graph: knows who follows whom.
        min_followers: how many followers going live takes; 0 for none.
        is_graph_elsewhere: whether the store knows nothing of followers.
    """

    def __init__(
        self, store: StreamStore, graph: SocialGraph, min_followers: int, *, is_graph_elsewhere: bool = False
    ) -> None:
        self._store = store
        self._graph = graph
        self._min_followers = min_followers
        self._is_graph_elsewhere = is_graph_elsewhere

    async def find(self, stream_id: str) -> Stream | None:
        """Find a stream, whoever asks; None when there is none."""
        return await self._store.get(stream_id)

    async def visible(self, stream_id: str, viewer: Identity | None) -> Stream:
        """Find a stream that `viewer` may see; None is somebody without a token.

        Raises:
            StreamError: `not_found`, also for a private stream of which the viewer may not know.
        """
        stream = await self._store.get(stream_id)
        if stream is None or not await self.may_see(stream, viewer):
            raise StreamError("not_found", NO_STREAM)
        return stream

    async def may_see(self, stream: Stream, viewer: Identity | None) -> bool:
        """Tell whether somebody may watch: a private stream is for its owner, followers and admins."""
        if not stream.is_private:
            return True
        if viewer is None:
            return False
        return viewer.is_in_charge_of(stream) or await self._graph.is_follower(stream.user_id, viewer.user_id)

    async def owned(self, stream_id: str, identity: Identity) -> Stream:
        """Find a stream that belongs to the one who asks.

        Raises:
            StreamError: `not_found`; `forbidden` for somebody else's stream that may be seen.
        """
        stream = await self.visible(stream_id, identity)
        if stream.user_id != identity.user_id:
            raise _not_theirs()
        return stream

    async def in_charge(self, stream_id: str, identity: Identity) -> Stream:
        """Find a stream that belongs to the one who asks, or any for an admin.

        Raises:
            StreamError: as `owned`.
        """
        stream = await self.visible(stream_id, identity)
        if not identity.is_in_charge_of(stream):
            raise _not_theirs()
        return stream

    async def list_streams(self, query: StreamQuery) -> Sequence[Stream]:
        """List streams that the viewer of the query may see."""
        if not self._is_graph_elsewhere or query.viewer is None:
            return await self._store.find(query)
        query = replace(query, knows_followers=False)
        found: list[Stream] = []
        for _ in range(MAX_ROUNDS):
            page = await self._store.find(query)
            found += [stream for stream in page if await self.may_see(stream, query.viewer)]
            if len(found) >= query.limit or len(page) < query.limit:
                break
            query = replace(query, after=(page[-1].viewer_count, page[-1].id))
        return found[: query.limit]

    async def live_streams(self) -> Sequence[Stream]:
        """List every live stream, private ones too: what a restarted server takes up again."""
        return await self._store.live_streams()

    async def open_streams(self) -> Sequence[Stream]:
        """List streams that are or can become live, private ones too, the newest first."""
        return await self._store.open_streams(MAX_OPEN)

    async def get(self, stream_id: str) -> Stream:
        """Find a stream as it is now, whoever asks.

        Raises:
            StreamError: `not_found`.
        """
        stream = await self._store.get_newest(stream_id)
        if stream is None:
            raise StreamError("not_found", NO_STREAM)
        return stream

    async def eligibility(self, user_id: str, *, fresh: bool = False) -> Eligibility:
        """Compare a user's followers with the threshold; `fresh` when going live hangs on it.

        Raises:
            CapacityError: how many they are is not known at the moment.
        """
        return Eligibility(await self._graph.follower_count(user_id, fresh), self._min_followers)

    async def require_eligible(self, user_id: str, *, fresh: bool = False) -> None:
        """Refuse a user who has too few followers.

        Raises:
            NotEligibleError: with the figures.
            CapacityError: as `eligibility`.
        """
        eligibility = await self.eligibility(user_id, fresh=fresh)
        if not eligibility.eligible:
            raise NotEligibleError(eligibility)


def _not_theirs() -> StreamError:
    return StreamError("forbidden", "This stream belongs to somebody else.")
