"""Users: whom they follow, and their channel keys."""

from __future__ import annotations

from control_api.key import new_channel_key
from control_api.stream.store import UserStore
from media.error import StreamError


class UserService:
    """Follows and channel keys, while this server keeps the followers itself.

    Args:
        store: keeps users.
        is_graph_elsewhere: whether another service keeps the followers.
    """

    def __init__(self, store: UserStore, *, is_graph_elsewhere: bool = False) -> None:
        self._store = store
        self._is_graph_elsewhere = is_graph_elsewhere

    async def follow(self, user_id: str, follower_id: str) -> None:
        """Make one user follow another.

        Raises:
            StreamError: `invalid` when both are the same; `kept_elsewhere`.
        """
        self._check_graph()
        if user_id == follower_id:
            raise StreamError("invalid", "You cannot follow yourself.")
        await self._store.follow(user_id, follower_id)

    async def unfollow(self, user_id: str, follower_id: str) -> None:
        """Make one user follow another no more; nothing happens when it does not.

        Raises:
            StreamError: `kept_elsewhere`.
        """
        self._check_graph()
        await self._store.unfollow(user_id, follower_id)

    async def channel_key(self, user_id: str) -> str:
        """Give the key that a user publishes with from show to show; it is made when first asked for."""
        return await self._store.channel_key(user_id) or await self._store.add_channel_key(
            user_id, new_channel_key()
        )

    async def new_channel_key(self, user_id: str) -> str:
        """Give a user another channel key; the old one stops working."""
        key = new_channel_key()
        await self._store.set_channel_key(user_id, key)
        return key

    def _check_graph(self) -> None:
        if self._is_graph_elsewhere:
            raise StreamError(
                "kept_elsewhere", "Followers are kept by another service (SOCIAL_GRAPH_GRPC_URL)."
            )
