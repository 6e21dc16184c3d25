"""What is kept about streams and users, as a port: in memory and a file now, PostgreSQL later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from control_api.stream import Identity, Status, Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamQuery:
    """Which streams a list holds. None means any."""

    viewer: Identity | None = None
    """Who asks: private streams are listed only for those who may see them."""
    status: Status | None = None
    category: str | None = None
    tag: str | None = None
    user_id: str | None = None
    text: str | None = None
    """Part of the title or the description, case folded."""
    most_watched_first: bool = False
    """Else newest first."""
    after: tuple[int, str] | None = None
    """(viewer_count, id) of the last stream of the page before."""
    limit: int = 20


class StreamStore(Protocol):
    """Streams. A call that returns has been stored: it survives a killed server."""

    async def add(self, stream: Stream) -> None:
        """Store a new stream."""
        ...

    async def get(self, stream_id: str) -> Stream | None:
        """Find a stream by its id."""
        ...

    async def get_by_key(self, stream_key: str) -> Stream | None:
        """Find a stream by its stream key."""
        ...

    async def replace(self, stream: Stream) -> Stream:
        """Store a change made to the revision that `stream` carries.

        Returns:
            The stream with its new revision.

        Raises:
            StreamError: `conflict` when another change came first.
        """
        ...

    async def find(self, query: StreamQuery) -> Sequence[Stream]:
        """List streams, at most `query.limit`."""
        ...


class UserStore(Protocol):
    """Followers and channel keys. User ids are any strings, known to this server or not."""

    async def follow(self, user_id: str, follower_id: str) -> None:
        """Make `follower_id` follow `user_id`; nothing happens when it does."""
        ...

    async def unfollow(self, user_id: str, follower_id: str) -> None:
        """End that; nothing happens when it does not follow."""
        ...

    async def follower_count(self, user_id: str) -> int:
        """Count who follows a user."""
        ...

    async def is_follower(self, user_id: str, follower_id: str) -> bool:
        """Tell whether `follower_id` follows `user_id`."""
        ...

    async def channel_key(self, user_id: str) -> str | None:
        """Give the channel key of a user, None when there is none yet."""
        ...

    async def set_channel_key(self, user_id: str, channel_key: str) -> None:
        """Store a channel key; the old one is gone."""
        ...

    async def user_by_channel_key(self, channel_key: str) -> str | None:
        """Find the user whose channel key this is."""
        ...


class Store(StreamStore, UserStore, Protocol):
    """Everything that the services keep."""
