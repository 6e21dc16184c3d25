"""What a topic's log in Redis holds, and where a node is in it. Pure: no clock, no socket.

Every message has an id, and names the one before it; so whoever is given one knows whether something is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

ORIGIN = b"0-0"
"""Stands for the message before the first one of a log."""

MAX_SOURCES = 256
"""Of one topic: processes whose last message is remembered, some 100 bytes each. Each start of a node is another one;
those that were silent for the longest time are forgotten."""

_MESSAGE, _GAP = b"m", b"g"


@dataclass(frozen=True, slots=True)
class Entry:
    """A message of a log."""

    id: bytes
    previous: bytes
    """The id of the message before it in the log; `ORIGIN` when the log was empty."""
    source: bytes
    """The process that has published it."""
    number: int
    """Rises with each message of its source."""
    is_gap: bool
    """Whether it stands for messages that its source could not keep until they could be published."""
    message: bytes


def pack(source: bytes, number: int, message: bytes, *, is_gap: bool = False) -> bytes:
    """Build what is published; Redis puts the id of the message before in front of it, and a blank.

    Args:
        source: without blanks and line feeds.
        number: higher than that of any message of the source before.
        message: what is delivered.
        is_gap: see `Entry`.
    """
    return b"%b %d %b\n%b" % (source, number, _GAP if is_gap else _MESSAGE, message)


def parse_logged(entry_id: bytes, logged: bytes) -> Entry | None:
    """Read what a log holds under an id; None for what this program has not written."""
    head, line, message = logged.partition(b"\n")
    words = head.split(b" ")
    if not line or len(words) != 4 or not words[2].isdigit():
        return None
    previous, source, number, kind = words
    return Entry(entry_id, previous, source, int(number), kind == _GAP, message)


def parse_published(published: bytes) -> Entry | None:
    """Read what is published: the id, a blank, and what the log holds."""
    entry_id, _, logged = published.partition(b" ")
    return parse_logged(entry_id, logged)


class Follow(Enum):
    """What is to be done with a message that was published just now."""

    DELIVER = auto()
    IGNORE = auto()
    """It is known, or the log will be read up to it."""
    READ = auto()
    """Something before it is missing: the log has to be read."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a piece of the log brings."""

    entries: Sequence[Entry]
    """To be delivered."""
    is_gap: bool
    """Whether something before them is lost."""
    is_done: bool
    """Whether the node is at the end of the log, so that what is published from now on follows."""


class Place:
    """Where a node is in the log of a topic: which messages it has delivered. Behind, until the log has been read."""

    def __init__(self) -> None:
        self.last: bytes | None = None
        """The id of the last message that was delivered or skipped; None: unknown."""
        self._is_behind = True
        self._numbers: dict[bytes, int] = {}

    def fall_behind(self) -> None:
        """Follow no more until the log has been read."""
        self._is_behind = True

    def follow(self, entry: Entry) -> Follow:
        """Take a message that was published just now."""
        if self._is_behind:
            return Follow.IGNORE
        # A log that nobody wrote to for a while is gone, and begins anew with the next message.
        if entry.previous not in (self.last, ORIGIN):
            self._is_behind = True
            return Follow.READ
        self.last = entry.id
        return Follow.DELIVER if self.take(entry.source, entry.number) else Follow.IGNORE

    def take(self, source: bytes, number: int) -> bool:
        """Tell whether a message is new, and remember it: what is published again is delivered once."""
        if self._numbers.get(source, -1) >= number:
            return False
        self._numbers.pop(source, None)
        self._numbers[source] = number
        if len(self._numbers) > MAX_SOURCES:
            self._numbers.pop(next(iter(self._numbers)))
        return True

    def begin(self, newest: bytes) -> Replay:
        """Follow the log from its end on: what was published before is not for this node."""
        self.last = newest
        self._is_behind = False
        return Replay((), is_gap=False, is_done=True)

    def replay(self, found: Sequence[tuple[bytes, bytes]], newest: bytes) -> Replay:
        """Take a piece of the log.

        Args:
            found: ids and what is logged, behind `last`, in their order; none when `last` is unknown.
            newest: the id of the newest message at the same instant; `ORIGIN` when there is none.
        """
        # Nothing behind the place, and the place is not the end: the log is another one, or gone.
        is_gap = not found and newest != self.last
        entries = []
        for entry_id, logged in found:
            entry = parse_logged(entry_id, logged)
            if entry is not None:
                is_gap = is_gap or entry.previous != self.last
                if self.take(entry.source, entry.number):
                    entries.append(entry)
            self.last = entry_id
        if not found:
            self.last = newest
        self._is_behind = self.last != newest
        return Replay(entries, is_gap, is_done=not self._is_behind)


def logged_entries(answer: Iterable[tuple[bytes, Sequence[bytes]]]) -> list[tuple[bytes, bytes]]:
    """Read what XRANGE finds in a log: of each entry its id and its only field."""
    return [(entry_id, fields[1]) for entry_id, fields in answer]
