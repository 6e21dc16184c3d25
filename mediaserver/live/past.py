"""Segments that have passed while nobody watched a rung: made when they are asked for, from the best rung there is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol

import structlog

from hls.published import PublishedSegment
from hls.writer import Sample, VideoWriter
from media.error import CapacityError, MediaServerError
from media.packet import VideoTrack
from transcode.render import Priority, Rendered, RenderRequest
from transcode.rung import RungSpec

from .declaration import Declaration
from .stored import stored_packets

log = structlog.get_logger(__name__)


class SegmentRenderer(Protocol):
    """Makes segments, and says what rungs are like before they have ever run; `transcode.render.Renderer`."""

    async def render(self, request: RenderRequest, *, priority: Priority, order: int = 0) -> Rendered:
        """Encode a stretch of a source; a higher order goes first within a priority."""

    async def tracks(self, specs: Collection[RungSpec]) -> Mapping[str, VideoTrack]:
        """Say each rung's track by its name."""


class Past:
    """Keeps the promises of one broadcast's dormant rungs.

    Args:
        stream_id: names the broadcast in logs and the source segments in jobs.
        declared: has the writers.
        renderer: makes segments.
        wait: until a rung has a segment, not for ever.
        on_made: called with the rung when a segment of it has been made.
    """

    def __init__(
        self,
        stream_id: str,
        declared: Declaration,
        renderer: SegmentRenderer,
        *,
        wait: Callable[[str, int], Awaitable[object]],
        on_made: Callable[[str, int], None],
    ) -> None:
        self._log = log.bind(stream_id=stream_id)
        self._stream_id = stream_id
        self._declared = declared
        self._renderer = renderer
        self._wait = wait
        self._on_made = on_made
        self._jobs: dict[tuple[str, int], asyncio.Task[None]] = {}

    def make(self, spec: RungSpec, item: PublishedSegment, priority: Priority) -> None:
        """Have a closed segment made of which nothing exists; who has asked for it waits for the promise.

        Args:
            spec: the rung as it was in that segment.
            item: the segment as it is promised.
            priority: among the jobs of all broadcasts.
        """
        key = spec.name, item.segment.msn
        if key not in self._jobs:
            task = self._jobs[key] = asyncio.create_task(self._make(spec, item, priority))
            task.add_done_callback(lambda _: self._jobs.pop(key, None))

    async def _make(self, spec: RungSpec, item: PublishedSegment, priority: Priority) -> None:
        msn = item.segment.msn
        try:
            samples = await self._render(spec, item, priority)
        except CapacityError as error:
            # The promise stays: the next request asks again.
            self._log.warning("a segment is not made now", rung=spec.name, msn=msn, reason=error.detail)
            return
        except MediaServerError as error:
            self._log.warning("a segment cannot be made", rung=spec.name, msn=msn, reason=str(error))
            samples = []
        except Exception:
            self._log.exception("making a segment failed", rung=spec.name, msn=msn)
            samples = []
        if item.is_promised and not item.has_bytes:
            self._declared.writers[spec.name].keep(item, samples)
        self._on_made(spec.name, msn)

    async def _render(self, spec: RungSpec, item: PublishedSegment, priority: Priority) -> list[Sample]:
        segment = item.segment
        found = self._source(spec, segment.msn)
        if found is None and (name := self._coming(spec, segment.msn)) is not None:
            await self._wait(name, segment.msn)
            found = self._source(spec, segment.msn)
        if found is None:
            self._log.warning("a segment has no source", rung=spec.name, msn=segment.msn)
            return []
        writer, source, track = found
        request = RenderRequest(
            f"{self._stream_id}/{writer.rendition.name}/{source.generation}-{segment.msn}",
            track,
            await stored_packets(track, writer.rendition, source),
            spec,
            segment.start,
            segment.end,
        )
        rendered = await self._renderer.render(request, priority=priority, order=segment.msn)
        return [Sample(frame.pts, frame.pts, frame.data, frame.is_keyframe) for frame in rendered.frames]

    def _source(self, spec: RungSpec, msn: int) -> tuple[VideoWriter, PublishedSegment, VideoTrack] | None:
        """Find the best rung that has all of a segment."""
        for name in self._declared.renditions:
            writer = self._declared.writers[name]
            item = writer.rendition.item(msn)
            if name == spec.name or item is None or not item.is_available:
                continue
            track = writer.track_of(item.generation)
            if track is not None:
                return writer, item, track
        return None

    def _coming(self, spec: RungSpec, msn: int) -> str | None:
        """Find the best rung that will have a segment: where nothing is copied, encoders are some frames behind."""
        others = (
            (name, self._declared.writers[name]) for name in self._declared.renditions if name != spec.name
        )
        return next((name for name, writer in others if writer.msn <= msn), None)
