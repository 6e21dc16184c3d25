"""Whether this process keeps up: how late the event loop is."""

from __future__ import annotations

import asyncio

import structlog

log = structlog.get_logger(__name__)

CHECK_S = 0.1
"""How often the loop is looked at."""

OVERLOAD_S = 1.0
"""So late, everything that players wait for is late: parts, playlists, chat. Encoders are held back then."""

RELIEF_S = 0.2
"""So little late, encoders may go on."""


class Load:
    """Watches the event loop that it runs on."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._has_room = asyncio.Event()
        self._has_room.set()
        self.late_s = 0.0
        """How late the loop was at the last look, in seconds."""

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._watch())

    def close(self) -> None:
        """Stop watching; nobody is held back any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._has_room.set()

    async def has_room(self) -> None:
        """Wait until this process keeps up."""
        await self._has_room.wait()

    def judge(self, late_s: float) -> None:
        """Take note of how late the loop is."""
        self.late_s = late_s
        if late_s >= OVERLOAD_S and self._has_room.is_set():
            log.warning("the server is overloaded, encoders are held back", late_s=round(late_s, 2))
            self._has_room.clear()
        elif late_s <= RELIEF_S and not self._has_room.is_set():
            log.info("the server keeps up again")
            self._has_room.set()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + CHECK_S
            await asyncio.sleep(CHECK_S)
            self.judge(loop.time() - due)
