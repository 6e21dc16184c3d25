"""Notices for signed-in pages: who follows a streamer hears at once what happens."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

MAX_WAITING = 100
"""Notices that a page may be behind; one that reads no more is told to come again."""

MAX_PAGES = 20
"""Open pages of one user."""


class Listener:
    """One open page.

    Notices wait in `queue` as JSON texts; None says that the page is too slow and is to be closed.
    """

    def __init__(self) -> None:
        self.queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._is_lost = False

    def put(self, text: str) -> None:
        """Add a notice."""
        if self._is_lost:
            return
        self._is_lost = self.queue.qsize() >= MAX_WAITING
        self.queue.put_nowait(None if self._is_lost else text)


class NoticeBoard:
    """The pages that listen, by user."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, list[Listener]] = defaultdict(list)

    @contextmanager
    def listening(self, user_id: str) -> Iterator[Listener]:
        """Listen for a user while the block runs. The oldest of too many pages is closed."""
        listener = Listener()
        pages = self._listeners[user_id]
        pages.append(listener)
        if len(pages) > MAX_PAGES:
            pages.pop(0).queue.put_nowait(None)
        try:
            yield listener
        finally:
            if listener in pages:
                pages.remove(listener)
            if not pages:
                self._listeners.pop(user_id, None)

    def tell(self, user_ids: Iterable[str], message: dict[str, Any]) -> None:
        """Tell users who have a page open."""
        text = None
        for user_id in user_ids:
            for listener in self._listeners.get(user_id, ()):
                text = text or json.dumps(message, ensure_ascii=False, separators=(",", ":"))
                listener.put(text)

    def close(self) -> None:
        """Tell every page to come again."""
        for pages in self._listeners.values():
            for listener in pages:
                listener.queue.put_nowait(None)
