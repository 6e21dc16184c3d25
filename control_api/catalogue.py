"""The reading side: which streams there are, who may see them, who may go live."""

from __future__ import annotations

from collections.abc import Sequence

from control_api.eligibility import Eligibility, NotEligibleError
from control_api.store import Store, StreamQuery
from control_api.stream import Identity, Status, Stream
from media.error import StreamError

NO_STREAM = "There is no such stream."


class Catalogue:
    """Answers questions about streams and their owners.

    Args:
        store: keeps streams and users.
        min_followers: how many followers going live takes; 0 for none.
    """

    def __init__(self, store: Store, min_followers: int) -> None:
        self._store = store
        self._min_followers = min_followers

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
        own = viewer.is_admin or viewer.user_id == stream.user_id
        return own or await self._store.is_follower(stream.user_id, viewer.user_id)

    async def owned(self, stream_id: str, identity: Identity) -> Stream:
        """Find a stream that belongs to the one who asks.

        Raises:
            StreamError: `not_found`; `forbidden` for somebody else's stream that may be seen.
        """
        stream = await self.visible(stream_id, identity)
        if stream.user_id != identity.user_id:
            raise StreamError("forbidden", "This stream belongs to somebody else.")
        return stream

    async def list_streams(self, query: StreamQuery) -> Sequence[Stream]:
        """List streams that the viewer of the query may see."""
        return await self._store.find(query)

    async def live_streams(self) -> Sequence[Stream]:
        """List every live stream, private ones too: what a restarted server takes up again."""
        everyone = Identity("", is_admin=True)
        return await self._store.find(StreamQuery(viewer=everyone, status=Status.LIVE, limit=1_000_000))

    async def get(self, stream_id: str) -> Stream:
        """Find a stream, whoever asks.

        Raises:
            StreamError: `not_found`.
        """
        stream = await self._store.get(stream_id)
        if stream is None:
            raise StreamError("not_found", NO_STREAM)
        return stream

    async def eligibility(self, user_id: str) -> Eligibility:
        """Compare a user's followers with the threshold."""
        return Eligibility(await self._store.follower_count(user_id), self._min_followers)

    async def require_eligible(self, user_id: str) -> None:
        """Refuse a user who has too few followers.

        Raises:
            NotEligibleError: with the figures.
        """
        eligibility = await self.eligibility(user_id)
        if not eligibility.eligible:
            raise NotEligibleError(eligibility)
