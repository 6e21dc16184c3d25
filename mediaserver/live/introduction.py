"""The tracks of rungs that have never run: without one nothing of a rung can be listed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from media.ending import end_task
from media.error import TranscodeError
from media.packet import VideoTrack

from .ladder_rung import LadderRung
from .past import SegmentRenderer

log = structlog.get_logger(__name__)


class Introduction:
    """Asks for the tracks of rungs, all that are not known at a time.

    Args:
        stream_id: names the broadcast in logs.
        renderer: opens an encoder for each.
        unknown: lists the rungs whose tracks are wanted.
        on_known: called with a rung and its track.
    """

    def __init__(
        self,
        stream_id: str,
        renderer: SegmentRenderer,
        unknown: Callable[[], Sequence[LadderRung]],
        on_known: Callable[[LadderRung, VideoTrack], None],
    ) -> None:
        self._log = log.bind(stream_id=stream_id)
        self._renderer = renderer
        self._unknown = unknown
        self._on_known = on_known
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Ask, unless that is being done."""
        if (self._task is None or self._task.done()) and self._unknown():
            self._task = asyncio.create_task(self._ask())

    async def close(self) -> None:
        """Ask no more."""
        if self._task is not None:
            await end_task(self._task)

    async def _ask(self) -> None:
        await asyncio.sleep(0)  # the rungs of one run become dormant one after the other
        while specs := {rung.name: rung.spec for rung in self._unknown()}:
            try:
                tracks = await self._renderer.tracks(list(specs.values()))
            except TranscodeError as error:
                self._log.warning("qualities that are not made cannot be offered", reason=str(error))
                return
            for rung in self._unknown():
                if specs.get(rung.name) == rung.spec:
                    self._on_known(rung, tracks[rung.name])
