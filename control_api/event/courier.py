"""Brings events to webhooks, again and again until they arrive or are given up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime

import structlog

from control_api.postgres.webhook_table import Delivery, WebhookTable
from control_api.webhook.outcome import Outcome
from control_api.webhook.schedule import retry_at
from control_api.webhook.sender import WebhookSender

logger = structlog.get_logger(__name__)

AT_ONCE = 16
"""Deliveries under way together."""


class Courier:
    """Delivers to webhooks.

    Args:
        webhooks: and what waits for them.
        sender: makes the requests.
        now: tells the time, aware.
    """

    def __init__(self, webhooks: WebhookTable, sender: WebhookSender, now: Callable[[], datetime]) -> None:
        self._webhooks = webhooks
        self._sender = sender
        self._now = now
        self._jitter = random.Random()  # noqa: S311 it only spreads attempts

    async def work(self) -> bool:
        """Deliver what is due; returns whether there may be more.

        Raises:
            CapacityError: the database is away; what was delivered and not noted will be delivered again.
        """
        deliveries = await self._webhooks.take(AT_ONCE)
        results = await asyncio.gather(*map(self._deliver, deliveries), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return len(deliveries) == AT_ONCE

    async def tidy(self) -> None:
        """Forget what was finished long ago."""
        await self._webhooks.forget_old()

    async def _deliver(self, delivery: Delivery) -> None:
        outcome: Outcome = await self._sender.send(
            delivery.url, delivery.secret, delivery.event_id, delivery.type, delivery.body, now=self._now()
        )
        again_at = None
        if not outcome.is_delivered and not outcome.is_gone:
            again_at = retry_at(delivery.attempts + 1, self._now(), self._jitter, outcome.retry_after_s)
        await self._webhooks.note(delivery, outcome, again_at)
        if not outcome.is_delivered:
            where = {"webhook_id": delivery.webhook_id, "event_id": delivery.event_id}
            logger.info("webhook_failed", **where, reason=outcome.error, gives_up=again_at is None)
