"""Everything behind the outbox, put together: who is told what, and by which work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from control_api.chore import Chore
from control_api.event.courier import Courier
from control_api.event.herald import Herald
from control_api.event.notice import NoticeBoard
from control_api.event.record import Event
from control_api.postgres.database import Database
from control_api.postgres.outbox_table import OutboxTable, OutletName
from control_api.postgres.webhook_table import WebhookTable
from control_api.stream.service import StreamService
from control_api.user.social_graph_port import SocialGraph
from control_api.webhook.sender import WebhookSender

if TYPE_CHECKING:
    from control_api.event.redis_stream import RedisStreams

INTERVAL_S = 2.0
"""How long what another server wrote, or left, may lie before this one sees it."""

TIDY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Announcements:
    """What routes need of it."""

    board: NoticeBoard
    webhooks: WebhookTable
    allow_private: bool
    """Whether webhooks may have addresses of this network."""


class PagesAndWebhooks:
    """The outlet that is told at once, and that copies what others are to be told.

    Args:
        board: has the open pages.
        webhooks: are told everything.
        others: outbox of another outlet; None when there is none.
    """

    def __init__(self, board: NoticeBoard, webhooks: WebhookTable, others: OutboxTable | None = None) -> None:
        self._board = board
        self._webhooks = webhooks
        self._others = others

    async def announce(self, event: Event) -> None:
        """Queue it."""
        await self._webhooks.queue(event)
        if self._others is not None:
            await self._others.copy(event)

    async def tell(self, user_ids: Sequence[str], event: Event) -> None:
        """Show it on their pages."""
        self._board.tell(user_ids, event.message())


@asynccontextmanager
async def announcing(
    service: StreamService,
    database: Database,
    webhooks: WebhookTable,
    graph: SocialGraph,
    *,
    redis: RedisStreams | None = None,
    allow_private: bool,
    now: Callable[[], datetime],
) -> AsyncIterator[Announcements]:
    """Tell what happens while the block runs: pages and webhooks, and other programs by Redis."""
    board = NoticeBoard()
    copies = OutboxTable(database, OutletName.REDIS)
    pages = PagesAndWebhooks(board, webhooks, None if redis is None else copies)
    heralds = [Herald(OutboxTable(database), graph, pages)]
    if redis is not None:
        heralds.append(Herald(copies, graph, redis))
    async with WebhookSender(allow_private=allow_private) as sender, AsyncExitStack() as stack:
        courier = Courier(webhooks, sender, now)
        chores = [Chore("webhooks", courier.work, INTERVAL_S)]
        # The last tells first: each wakes those before it, which what it has told concerns.
        for herald in reversed(heralds):
            chores.append(Chore("events", _then(herald.work, chores), INTERVAL_S))

        async def tidy() -> bool:
            await courier.tidy()
            for herald in heralds:
                await herald.tidy()
            return False

        for chore in (*chores, Chore("old events", tidy, TIDY_S)):
            await stack.enter_async_context(chore)
        service.watch(lambda _: chores[-1].poke())
        yield Announcements(board, webhooks, allow_private)
    board.close()


def _then(work: Callable[[], Awaitable[bool]], others: Sequence[Chore]) -> Callable[[], Awaitable[bool]]:
    """Do something, and have others look for what came of it."""
    others = tuple(others)

    async def both() -> bool:
        more = await work()
        for other in others:
            other.poke()
        return more

    return both
