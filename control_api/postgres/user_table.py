"""Followers and channel keys in PostgreSQL.

Implements `control_api.stream.store.UserStore` and `control_api.user.social_graph_port.SocialGraph`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from control_api.key_box import KeyBox
from control_api.postgres.database import Database

SEED_USER = "demo"
SEED_FOLLOWERS = 50
"""The first start makes a user who may go live, so that a fresh installation can stream."""

PAGE = 1000
"""Followers read at once: whoever tells 100,000 of them holds no more in memory."""

FOLLOW = "INSERT INTO followers (user_id, follower_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
UNFOLLOW = "DELETE FROM followers WHERE user_id = $1 AND follower_id = $2"
COUNT = "SELECT count(*) FROM followers WHERE user_id = $1"
FOLLOWS = "SELECT EXISTS (SELECT FROM followers WHERE user_id = $1 AND follower_id = $2)"
FOLLOWERS = (
    "SELECT follower_id FROM followers WHERE user_id = $1 AND follower_id > $2 ORDER BY follower_id LIMIT $3"
)
KEY = "SELECT key_sealed FROM channel_keys WHERE user_id = $1"
SET_KEY = (
    "INSERT INTO channel_keys (user_id, key_digest, key_sealed) VALUES ($1, $2, $3) "
    "ON CONFLICT (user_id) DO UPDATE SET key_digest = $2, key_sealed = $3, created_at = now()"
)
ADD_KEY = (
    "INSERT INTO channel_keys (user_id, key_digest, key_sealed) VALUES ($1, $2, $3) "
    "ON CONFLICT (user_id) DO NOTHING"
)
BY_KEY = "SELECT user_id FROM channel_keys WHERE key_digest = $1"
SEED = "INSERT INTO followers (user_id, follower_id) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING"


class UserTable:
    """The tables `followers` and `channel_keys`.

    Args:
        database: where they are.
        box: digests and seals channel keys.
    """

    def __init__(self, database: Database, box: KeyBox) -> None:
        self._database = database
        self._box = box

    async def follow(self, user_id: str, follower_id: str) -> None:
        """Make `follower_id` follow `user_id`."""
        await self._database.execute(FOLLOW, user_id, follower_id)

    async def unfollow(self, user_id: str, follower_id: str) -> None:
        """Make `follower_id` follow `user_id` no more."""
        await self._database.execute(UNFOLLOW, user_id, follower_id)

    async def follower_count(self, user_id: str, fresh: bool = False) -> int:  # noqa: ARG002 it always is
        """Count who follows a user."""
        return int(await self._database.fetchval(COUNT, user_id))

    async def is_follower(self, user_id: str, follower_id: str) -> bool:
        """Tell whether `follower_id` follows `user_id`."""
        return bool(await self._database.fetchval(FOLLOWS, user_id, follower_id))

    async def followers(self, user_id: str, after: str = "") -> AsyncIterator[Sequence[str]]:
        """List who follows a user behind `after`, in the order of their ids, page by page."""
        while page := await self._database.fetch(FOLLOWERS, user_id, after, PAGE):
            ids = [row["follower_id"] for row in page]
            yield ids
            after = ids[-1]

    async def close(self) -> None:
        """Leave the database open: others use it."""

    async def channel_key(self, user_id: str) -> str | None:
        """Give the channel key of a user."""
        sealed = await self._database.fetchval(KEY, user_id)
        return None if sealed is None else self._box.open(sealed, user_id)

    async def add_channel_key(self, user_id: str, channel_key: str) -> str:
        """Store a first channel key; returns the user's key, which is an older one when there was one."""
        await self._database.execute(ADD_KEY, user_id, *self._sealed(user_id, channel_key))
        return await self.channel_key(user_id) or channel_key

    async def set_channel_key(self, user_id: str, channel_key: str) -> None:
        """Store a channel key; the old one is gone."""
        await self._database.execute(SET_KEY, user_id, *self._sealed(user_id, channel_key))

    async def user_by_channel_key(self, channel_key: str) -> str | None:
        """Find the user whose channel key this is."""
        user_id: str | None = await self._database.fetchval(BY_KEY, self._box.digest(channel_key))
        return user_id

    async def seed(self) -> None:
        """Make the user of a fresh installation, who may go live."""
        friends = [f"{SEED_USER}-friend-{n:02}" for n in range(1, SEED_FOLLOWERS + 1)]
        await self._database.execute(SEED, SEED_USER, friends)

    def _sealed(self, user_id: str, channel_key: str) -> tuple[bytes, bytes]:
        return self._box.digest(channel_key), self._box.seal(channel_key, user_id)
