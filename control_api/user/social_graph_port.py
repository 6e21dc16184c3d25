"""What the control plane needs from whoever knows the users' followers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol


class SocialGraph(Protocol):
    """Who follows whom. A user that nobody has heard of has no followers.

    All methods raise `media.error.CapacityError` when the answer is not known at the moment: a caller must
    never take that for a yes.
    """

    async def follower_count(self, user_id: str, fresh: bool = False) -> int:
        """Count who follows a user.

        Args:
            user_id: the one who is followed.
            fresh: the answer decides something, such as whether a stream may start: no remembered one will do.
        """
        ...

    async def is_follower(self, user_id: str, follower_id: str) -> bool:
        """Tell whether `follower_id` follows `user_id`."""
        ...

    def followers(self, user_id: str) -> AsyncIterator[Sequence[str]]:
        """List who follows a user, page by page. The error may come behind any page."""
        ...

    async def close(self) -> None:
        """Let go of connections. Whoever waits for an answer gets the error."""
        ...
