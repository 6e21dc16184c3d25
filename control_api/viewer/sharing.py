"""Counting with other servers: what is told when, and what is done while nobody answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import structlog

from control_api.viewer.presence import Presence
from control_api.viewer.rumour import all_of
from control_api.viewer.shared import Note, SharedFigures, SharedPresence
from media.ending import end_task
from media.error import CapacityError

AT_ONCE = 2000
"""Viewers whose signs of life are told at once, or of a stream when everything is told anew."""

logger = structlog.get_logger(__name__)

Hear = Callable[[str, SharedFigures, Sequence[Note]], None]
"""Takes a stream, its figures, and the notes that they are the answer to."""


class Sharing:
    """Tells a common memory what `Presence` finds, in batches, one after the other.

    While it does not answer nothing is told, and everything anew when it does again.

    Args:
        presence: what this server knows.
        shared: what all servers know.
        clock: Unix time.
        hear: is told of each answer.
        lose: is called when it answers no more.
    """

    def __init__(
        self,
        presence: Presence,
        shared: SharedPresence,
        clock: Callable[[], float],
        hear: Hear,
        lose: Callable[[], None],
    ) -> None:
        self._presence = presence
        self._rumours = presence.rumours
        self._shared = shared
        self._clock = clock
        self._hear = hear
        self._lose = lose
        self._writer: asyncio.Task[None] | None = None
        self._batch: asyncio.Future[None] | None = None
        """Done when what is waiting now has been told, or can't be."""
        self._lock = asyncio.Lock()

    @property
    def is_up(self) -> bool:
        """Whether others count with this server at the moment."""
        return self._rumours.is_shared

    def tell_soon(self) -> None:
        """Tell what there is to tell, without waiting for it."""
        if len(self._rumours) and self._writer is None:
            self._writer = asyncio.create_task(self._tell_all())

    async def tell(self) -> None:
        """Tell what there is to tell; it has been heard when this returns, unless nobody answers."""
        if not len(self._rumours):
            return
        if self._batch is None:
            self._batch = asyncio.get_running_loop().create_future()
        self.tell_soon()
        await asyncio.shield(self._batch)

    async def look(self, due: Sequence[str]) -> None:
        """Tell of signs of life, and ask for figures of streams that may have changed by themselves."""
        if not self.is_up:
            await self.come_back()
            return
        self._rumours.hurry(AT_ONCE)
        await self.tell()
        await self._send(dict.fromkeys(due, ()))

    async def come_back(self) -> None:
        """Try to count with the others again: tell them everything."""
        with suppress(CapacityError):
            streams = self._presence.open_streams()
            await self._shared.tell({}, self._clock())
            async with self._lock:
                self._rumours.forget()
                self._rumours.is_shared = True
                for stream_id in streams:
                    audience = self._presence.audience(stream_id)
                    if audience is not None:
                        await self._tell(stream_id, all_of(audience))
            logger.info("viewers_shared", streams=len(streams))
            return
        self._away(is_news=False)

    async def close(self) -> None:
        """Tell no more."""
        if self._writer is not None:
            await end_task(self._writer)

    async def _tell(self, stream_id: str, notes: Sequence[Note]) -> None:
        for at in range(0, len(notes), AT_ONCE) or (0,):
            some = notes[at : at + AT_ONCE]
            answer = await self._shared.tell({stream_id: some}, self._clock())
            self._hear(stream_id, answer[stream_id], ())

    async def _tell_all(self) -> None:
        try:
            while len(self._rumours):
                batch, self._batch = self._batch, None
                notes: dict[str, list[Note]] = {}
                for note in self._rumours.take_notes():
                    notes.setdefault(note.stream_id, []).append(note)
                try:
                    await self._send(notes)
                finally:
                    if batch is not None and not batch.done():
                        batch.set_result(None)
        finally:
            self._writer = None
            if self._batch is not None and not self._batch.done():
                self._batch.set_result(None)
                self._batch = None

    async def _send(self, notes: Mapping[str, Sequence[Note]]) -> None:
        if not notes:
            return
        async with self._lock:
            try:
                answers = await self._shared.tell(notes, self._clock())
            except CapacityError as error:
                self._away(is_news=True, reason=error.detail)
                return
        for stream_id, shared in answers.items():
            self._hear(stream_id, shared, notes[stream_id])

    def _away(self, *, is_news: bool, reason: str = "") -> None:
        if is_news and self.is_up:
            logger.warning("viewers_not_shared", reason=reason)
        was_up = self.is_up
        self._rumours.is_shared = False
        self._rumours.forget()
        if was_up:
            self._lose()
