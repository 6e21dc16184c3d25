"""Who may write what in a chat, as a port."""

from __future__ import annotations

from typing import Protocol

from control_api.stream.record import Identity, Stream


class ChatRules(Protocol):
    """Moderators of channels and the rules that they set. A channel is named by its owner."""

    async def is_moderator(self, channel_id: str, user_id: str) -> bool:
        """Tell whether a user moderates a channel; its owner is none.

        Raises:
            media.error.CapacityError: that cannot be known at the moment.
        """
        ...

    async def check_ban(self, channel_id: str, user_id: str) -> None:
        """Refuse somebody who is banned from a channel.

        Raises:
            StreamError: `banned`, with words.
            media.error.CapacityError: that cannot be known at the moment.
        """
        ...

    async def check(self, stream: Stream, author: Identity, content: str, *, is_exempt: bool) -> None:
        """Refuse a comment that the rules of the stream do not allow. It is written when this returns.

        Args:
            stream: where.
            author: of the comment.
            content: as it will be stored.
            is_exempt: whether the author is above rates and rules: the owner or a moderator.

        Raises:
            StreamError: `banned`, `slow_mode`, `followers_only`, `blocked_word`, `no_links`, with words.
            media.error.CapacityError: that cannot be known at the moment.
        """
        ...

    def give_back(self, stream: Stream, author: Identity) -> None:
        """Take note that the comment of an author that was allowed last could not be stored."""
        ...
