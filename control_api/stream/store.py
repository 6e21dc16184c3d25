"""What is kept about streams and users, as a port; `control_api.postgres` implements it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from control_api.event.record import Event
from control_api.stream.record import Identity, Status, Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamQuery:
    """Which streams a list holds. None means any."""

    viewer: Identity | None = None
    """Who asks: private streams are listed only for those who may see them."""
    knows_followers: bool = True
    """Whether the store knows who follows whom; else it lists private streams too, for whoever asks to leave out."""
    status: Status | None = None
    category: str | None = None
    tag: str | None = None
    user_id: str | None = None
    text: str | None = None
    """Part of the title or the description, in small or large letters."""
    most_watched_first: bool = False
    """Else newest first."""
    after: tuple[int, str] | None = None
    """(viewer_count, id) of the last stream of the page before."""
    limit: int = 20


class StreamStore(Protocol):
    """Streams. A call that returns has been stored: it survives a killed server.

    Every call raises `CapacityError` while nothing can be stored or read.
    """

    async def add(self, stream: Stream) -> None:
        """Store a new stream."""
        ...

    async def get(self, stream_id: str) -> Stream | None:
        """Find a stream by its id, as it is or was a moment ago."""
        ...

    async def get_newest(self, stream_id: str) -> Stream | None:
        """Find a stream by its id, as it is: for a change of it."""
        ...

    async def get_by_key(self, stream_key: str) -> Stream | None:
        """Find a stream by its stream key."""
        ...

    async def replace(self, stream: Stream, *events: Event) -> Stream:
        """Store a change made to the revision that `stream` carries, together with what is to be told of it.

        Returns:
            The stream with its new revision.

        Raises:
            StreamError: `conflict` when another change came first.
        """
        ...

    async def tell(self, event: Event) -> None:
        """Store what is to be told, of something that changes no stream."""
        ...

    async def find(self, query: StreamQuery) -> Sequence[Stream]:
        """List streams, at most `query.limit`."""
        ...

    async def publishable(self, user_id: str, until: datetime) -> Stream | None:
        """Find what a user's encoder publishes to: the live stream, else the latest created one, else a scheduled one.

        Args:
            user_id: the owner.
            until: a scheduled stream counts when its time is not later.
        """
        ...

    async def open_streams(self, limit: int) -> Sequence[Stream]:
        """List the newest streams that are or can become live, whoever may see them."""
        ...

    async def live_streams(self) -> Sequence[Stream]:
        """List every live stream, whoever may see it."""
        ...

    async def due(self, until: datetime, limit: int) -> Sequence[Stream]:
        """List scheduled streams whose time comes before `until`, the earliest first."""
        ...

    async def unreminded(self, until: datetime, limit: int) -> Sequence[Stream]:
        """List those of them of which nobody has been reminded."""
        ...


class UserStore(Protocol):
    """Channel keys, and whom users follow. User ids are any strings, known to this server or not."""

    async def follow(self, user_id: str, follower_id: str) -> None:
        """Make `follower_id` follow `user_id`; nothing happens when it does."""
        ...

    async def unfollow(self, user_id: str, follower_id: str) -> None:
        """End that; nothing happens when it does not follow."""
        ...

    async def channel_key(self, user_id: str) -> str | None:
        """Give the channel key of a user, None when there is none yet."""
        ...

    async def add_channel_key(self, user_id: str, channel_key: str) -> str:
        """Store a first channel key; returns the user's key, which is an older one when there was one."""
        ...

    async def set_channel_key(self, user_id: str, channel_key: str) -> None:
        """Store a channel key; the old one is gone."""
        ...

    async def user_by_channel_key(self, channel_key: str) -> str | None:
        """Find the user whose channel key this is."""
        ...


class Store(StreamStore, UserStore, Protocol):
    """Everything that the services keep."""
