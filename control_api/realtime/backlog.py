"""What is published while nothing can be sent, as far as it can be kept. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MAX_KEPT = 10_000
MAX_KEPT_BYTES = 16_000_000
"""A minute of a busy node. What does not fit is lost to other nodes, which are told so and read the database."""


@dataclass(frozen=True, slots=True)
class Posting:
    """A message on its way."""

    topic: str
    number: int
    """Its place among all that this process publishes."""
    message: bytes
    is_gap: bool = False
    """Whether it stands for messages that were lost."""


class Backlog:
    """Messages that are kept, in their order. The oldest make room; what is lost is known by its topic."""

    def __init__(self, max_kept: int = MAX_KEPT, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_kept = max_kept
        self._max_bytes = max_bytes
        self._kept: deque[Posting] = deque()
        self._bytes = 0
        self._lost: dict[str, int] = {}
        """Topics and the number of the last message that was lost. Not more than there are topics."""

    def __len__(self) -> int:
        """Count the messages that are kept."""
        return len(self._kept)

    def add(self, posting: Posting) -> None:
        """Keep a message behind all others."""
        if posting.is_gap:
            self._lose(posting)
            return
        self._kept.append(posting)
        self._bytes += len(posting.message)
        while len(self._kept) > self._max_kept or self._bytes > self._max_bytes:
            oldest = self._kept.popleft()
            self._bytes -= len(oldest.message)
            self._lose(oldest)

    def take_all(self) -> list[Posting]:
        """Give everything in the order in which it is to be published, and keep nothing."""
        lost = [Posting(topic, number, b"", is_gap=True) for topic, number in self._lost.items()]
        everything = [*lost, *self._kept]
        self._lost.clear()
        self._kept.clear()
        self._bytes = 0
        return everything

    def _lose(self, posting: Posting) -> None:
        self._lost[posting.topic] = max(posting.number, self._lost.get(posting.topic, 0))
