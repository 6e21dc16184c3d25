"""A topic that somebody on this node listens to, of a bus with logs."""

from __future__ import annotations

import asyncio

import structlog

from control_api.realtime.bus import Receive
from control_api.realtime.replay import Place

logger = structlog.get_logger(__name__)


class Topic:
    """Who listens to a topic, and how far they are.

    Args:
        name: such as `stream:ID`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.receivers: dict[object, Receive] = {}
        self.place = Place()
        self.settled = asyncio.Event()
        """Whether it follows what is published; set also while nothing can."""

    def hand_out(self, message: bytes) -> None:
        """Deliver a message to everybody."""
        for receive in list(self.receivers.values()):
            try:
                receive(message)
            except Exception:  # of one receiver: the others have theirs, and the bus goes on
                logger.exception("bus_receiver_failed", topic=self.name)
