"""Messages to everybody who listens to a topic, on whatever node. This is the port, and the bus of a single node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

Receive = Callable[[bytes], None]
"""Takes a message; it must not raise, and returns soon."""


class Subscription(Protocol):
    """Somebody who listens to a topic."""

    def close(self) -> None:
        """Listen no more; nothing is received from now on."""
        ...


OnGap = Callable[[str], None]
"""Is told the topic of which messages were lost; it must not raise, and returns soon."""


class Bus(Protocol):
    """Delivers messages at least to this node, to each subscriber once, and in one order on all nodes."""

    on_gap: OnGap | None
    """Is called, in the event loop, before what comes after the lost messages is received."""

    @property
    def is_connected(self) -> bool:
        """Tell whether other nodes are reached at the moment; a server that is alone reaches all there are."""
        ...

    def publish(self, topic: str, message: bytes) -> None:
        """Deliver a message to all who listen to a topic, here and on other nodes. Never waits and never fails.

        Args:
            topic: such as `stream:ID`.
            message: what is delivered.
        """
        ...

    async def subscribe(self, topic: str, receive: Receive) -> Subscription:
        """Listen to a topic: what is published after this has returned is received.

        Args:
            topic: such as `stream:ID`.
            receive: is called with each message, in the event loop.
        """
        ...


class LocalBus:
    """The bus of a server that is alone: a message has been received when `publish` returns."""

    is_connected = True

    def __init__(self) -> None:
        self.on_gap: OnGap | None = None
        self._receivers: defaultdict[str, dict[object, Receive]] = defaultdict(dict)

    def publish(self, topic: str, message: bytes) -> None:
        """Deliver a message to all who listen to a topic."""
        for receive in list(self._receivers.get(topic, {}).values()):
            receive(message)

    async def subscribe(self, topic: str, receive: Receive) -> OpenSubscription:
        """Listen to a topic."""
        subscription = OpenSubscription(self, topic)
        self._receivers[topic][subscription] = receive
        return subscription

    def drop(self, topic: str, subscription: object) -> None:
        """Forget a subscription."""
        receivers = self._receivers.get(topic, {})
        receivers.pop(subscription, None)
        if not receivers:
            self._receivers.pop(topic, None)


class Droppable(Protocol):
    """A bus that forgets subscriptions."""

    def drop(self, topic: str, subscription: object) -> None:
        """Forget a subscription; nothing happens when it is forgotten."""
        ...


class OpenSubscription:
    """A subscription, until it is closed.

    Args:
        bus: that has it.
        topic: what is listened to.
    """

    def __init__(self, bus: Droppable, topic: str) -> None:
        self._bus = bus
        self._topic = topic

    def close(self) -> None:
        """Listen no more."""
        self._bus.drop(self._topic, self)
