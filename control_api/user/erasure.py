"""A user who wants to be forgotten, or whom an admin deletes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import structlog

from control_api.audit import Actor, AuditNote
from control_api.chat.event import CommentDeleted
from control_api.postgres.erasure_table import ErasureTable
from control_api.stream.record import Identity
from control_api.stream.service import StreamService
from control_api.user.pseudonym import Pseudonyms
from control_api.viewer.service import ViewerService
from media.error import StreamError

logger = structlog.get_logger(__name__)


class UserErasure:
    """Deletes users.

    Args:
        streams: knows streams.
        viewers: count who watches.
        table: knows where users are named.
        tell: is told of each comment that could be seen and is deleted.
        secret: of the server, for pseudonyms.
    """

    def __init__(
        self,
        streams: StreamService,
        viewers: ViewerService,
        table: ErasureTable,
        tell: Callable[[CommentDeleted], None],
        secret: bytes,
    ) -> None:
        self._streams = streams
        self._viewers = viewers
        self._table = table
        self._tell = tell
        self._pseudonyms = Pseudonyms(secret)

    async def erase(self, user_id: str, by: Actor) -> None:
        """Delete all that is known of a user; doing it again does no harm, and goes on where it was interrupted.

        Args:
            user_id: who.
            by: who asks for it: the user, or an admin.

        Raises:
            StreamError: `forbidden` for somebody else; `already_live` while the user has a live stream.
            CapacityError: the database is away; ask again.
        """
        is_own = by.identity.user_id == user_id
        if not is_own and not by.identity.is_admin:
            raise StreamError("forbidden", "Only the user and admins may do this.")
        if await self._table.is_live(user_id):
            raise StreamError("already_live", "The user has a live stream: end it first.")
        pseudonym = self._pseudonyms.of(user_id)
        while stream_ids := await self._table.streams(user_id):
            for stream_id in stream_ids:
                await self._streams.disown(stream_id, pseudonym)
        await self._leave(user_id)
        while (deleted := await self._table.delete_comments(user_id)) is not None:
            for event in deleted:
                self._tell(event)
        while await self._table.unname_reactions(user_id):
            pass
        while await self._table.unname_viewers(user_id):
            pass
        note = AuditNote(
            actor_id=pseudonym if is_own else by.identity.user_id,
            action="user.erased",
            subject=pseudonym,
            address=None if is_own else by.address,
        )
        await self._table.forget(user_id, pseudonym, note)
        logger.info("user_erased", pseudonym=pseudonym)

    async def _leave(self, user_id: str) -> None:
        """Let the user watch no more, so that nothing is written of it later."""
        for stream_id in self._viewers.live_figures():
            with suppress(StreamError):
                await self._viewers.leave(stream_id, Identity(user_id), None)
        await self._viewers.store_all()
