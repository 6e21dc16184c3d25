"""What was sent to Redis and has not come back, so that nothing is lost with the connection. Pure."""

from __future__ import annotations

from collections import defaultdict

from control_api.realtime.backlog import Posting

MAX_FLYING = 20_000
MAX_FLYING_BYTES = 64_000_000
"""Messages and bytes. More, and Redis counts as lost: the backlog could not keep it."""


class Flight:
    """Messages between publishing and receiving. One of a topic that nobody here listens to lands when it is stored."""

    def __init__(self) -> None:
        self._flying: dict[int, Posting] = {}
        self._bytes = 0
        self._stored: defaultdict[str, set[int]] = defaultdict(set)
        """By topic what is in its log, and has not been received."""

    def __len__(self) -> int:
        """Count the messages."""
        return len(self._flying)

    @property
    def is_full(self) -> bool:
        """Tell whether it is too much."""
        return len(self._flying) > MAX_FLYING or self._bytes > MAX_FLYING_BYTES

    def start(self, posting: Posting) -> None:
        """Take a message that is sent; their numbers rise."""
        self._flying[posting.number] = posting
        self._bytes += len(posting.message)

    def note_stored(self, posting: Posting, *, is_awaited: bool) -> None:
        """Take note that a message is in the log.

        Args:
            posting: the message; it may have been received already.
            is_awaited: whether this node listens to its topic, and will receive it.
        """
        if not is_awaited:
            self.land(posting)
        elif posting.number in self._flying:
            self._stored[posting.topic].add(posting.number)

    def receive(self, topic: str, number: int) -> None:
        """Take note that a message has come back."""
        posting = self._flying.get(number)
        if posting is not None:
            self.land(posting)
        if topic in self._stored:
            self._stored[topic].discard(number)

    def settle(self, topic: str) -> None:
        """Await nothing more of a topic that is stored: its log has been read."""
        for number in self._stored.pop(topic, ()):
            self.land(self._flying[number])

    def land(self, posting: Posting) -> None:
        """Await a message no more."""
        if self._flying.pop(posting.number, None) is not None:
            self._bytes -= len(posting.message)

    def take_all(self) -> list[Posting]:
        """Give everything, in the order in which it was sent, and await nothing."""
        everything = list(self._flying.values())
        self._flying.clear()
        self._stored.clear()
        self._bytes = 0
        return everything
