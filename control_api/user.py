"""Users: whom they follow, and their channel keys."""

from __future__ import annotations

from control_api.key import new_channel_key
from control_api.store import UserStore
from media.error import StreamError


class UserService:
    """Follows and channel keys, while this server keeps the followers itself.

    Args:
        store: keeps users.
    """

    def __init__(self, store: UserStore) -> None:
        self._store = store

    async def follow(self, user_id: str, follower_id: str) -> None:
        """Make one user follow another.

        Raises:
            StreamError: `invalid` when both are the same.
        """
        if user_id == follower_id:
            raise StreamError("invalid", "You cannot follow yourself.")
        await self._store.follow(user_id, follower_id)

    async def unfollow(self, user_id: str, follower_id: str) -> None:
        """Make one user follow another no more; nothing happens when it does not."""
        await self._store.unfollow(user_id, follower_id)

    async def channel_key(self, user_id: str) -> str:
        """Give the key that a user publishes with from show to show; it is made when first asked for."""
        return await self._store.channel_key(user_id) or await self.new_channel_key(user_id)

    async def new_channel_key(self, user_id: str) -> str:
        """Give a user another channel key; the old one stops working."""
        key = new_channel_key()
        await self._store.set_channel_key(user_id, key)
        return key
