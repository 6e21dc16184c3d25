"""Pictures of a broadcast's past: thumbnails for seek bars, and keyframes by themselves for fast scrubbing.

Neither wakes a rung. What an address has answered stays the same: a thumbnail and a keyframe are made of the same
source each time, the keyframes of encoded rungs with the rung's own preset.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import NamedTuple

from hls.fragment_reader import StoredSample, read_fragments
from hls.keyframe import keyframe_fragment
from hls.output import HlsOutput
from hls.published import PublishedSegment
from hls.shared_cache import SharedCache
from hls.timeline import Segment
from hls.writer import VideoWriter
from media.error import CapacityError, TranscodeError
from media.packet import Packet, VideoTrack
from transcode.render import Priority, RenderRequest

from .past import SegmentRenderer
from .rungs import Rungs

THUMBNAIL_PX = 160
"""Longer side."""

MAX_BYTES = 32 << 20
"""Of the pictures of all broadcasts: six thousand thumbnails."""

PictureCache = SharedCache[Hashable]

Draw = Callable[[VideoTrack, bytes, int], Awaitable[bytes]]


class _Source(NamedTuple):
    """Where a picture comes from."""

    writer: VideoWriter
    item: PublishedSegment
    track: VideoTrack


class Pictures:
    """Makes the pictures of one broadcast.

    Args:
        stream_id: of the broadcast.
        output: asks for them.
        rungs: have the segments.
        draw: makes a JPEG of a keyframe.
        renderer: makes keyframes of rungs that nobody watches; None: all are there.
        cache: of all broadcasts.
    """

    def __init__(
        self,
        stream_id: str,
        output: HlsOutput,
        rungs: Rungs,
        *,
        draw: Draw,
        renderer: SegmentRenderer | None,
        cache: PictureCache,
    ) -> None:
        self._stream_id = stream_id
        self._rungs = rungs
        self._draw = draw
        self._renderer = renderer
        self._cache = cache
        output.on_thumbnail = self.thumbnail
        output.on_keyframe = self.keyframe

    async def thumbnail(self, msn: int) -> bytes | None:
        """Make a JPEG of the first picture of a segment, from the smallest rung that has it; None without any.

        Raises:
            CapacityError: there is no time for it now.
        """
        return await self._shared((self._stream_id, msn), lambda: self._thumbnail(msn))

    async def keyframe(self, name: str, item: PublishedSegment) -> bytes | None:
        """Make a rung's keyframe of a segment: its own, unless a better rung has the segment to encode it from.

        Raises:
            CapacityError: there is no time for it now.
        """
        key = (self._stream_id, name, item.generation, item.segment.msn)
        return await self._shared(key, lambda: self._keyframe(name, item))

    async def _shared(self, key: Hashable, make: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
        try:
            return await self._cache.get(key, make)
        except TranscodeError as error:
            raise CapacityError(f"the picture cannot be made now: {error}") from error

    async def _thumbnail(self, msn: int) -> bytes | None:
        for name in reversed(self._rungs.names):
            source = self._source(name, msn)
            if source is not None and (sample := await _first(source)) is not None:
                return await self._draw(source.track, bytes(sample.data), THUMBNAIL_PX)
        return None

    async def _keyframe(self, name: str, item: PublishedSegment) -> bytes | None:
        source = self._keyframe_source(name, item.segment)
        sample = await _first(source) if source is not None else None
        if source is None or sample is None:
            return None
        if source.item is item:
            return keyframe_fragment(item.segment, bytes(sample.data))
        picture = await self._encoded(name, item, source, sample)
        return keyframe_fragment(item.segment, picture) if picture is not None else None

    def _keyframe_source(self, name: str, segment: Segment) -> _Source | None:
        """Find what a rung's keyframe is made of, the same at all times: a copy is its own, others are made of one.

        Where nothing is copied the best rung is always made, and the others are made of it.
        """
        names = [name] if self._rungs.spec_at(name, segment.start) is None else self._rungs.names
        found = [source for other in names if (source := self._source(other, segment.msn)) is not None]
        whole = [source for source in found if source.item.is_available]
        copied = (s for s in whole if self._rungs.spec_at(s.writer.rendition.name, segment.start) is None)
        return next(copied, None) or next(iter(whole), None)

    async def _encoded(
        self, name: str, item: PublishedSegment, source: _Source, sample: StoredSample
    ) -> bytes | None:
        start = item.segment.start
        spec = self._rungs.spec_at(name, start)
        if spec is None or self._renderer is None:
            # Every rung is made all the time, so it has one of its own.
            own = self._source(name, item.segment.msn)
            found = await _first(own) if own is not None else None
            return bytes(found.data) if found is not None else None
        packet = Packet(source.track, sample.pts, sample.dts, bytes(sample.data), is_keyframe=True)
        name_of_source = f"{self._stream_id}/{source.writer.rendition.name}/key-{item.segment.msn}"
        request = RenderRequest(name_of_source, source.track, [packet], spec, start, start + 1)
        rendered = await self._renderer.render(request, priority=Priority.REWIND, order=item.segment.msn)
        return rendered.frames[0].data

    def _source(self, name: str, msn: int) -> _Source | None:
        """Find a rung's segment if there are any bytes of it."""
        writer = self._rungs.writers[name]
        item = writer.rendition.item(msn)
        if item is None or not (item.is_available or item.part_data(0)):
            return None
        track = writer.track_of(item.generation)
        return _Source(writer, item, track) if track is not None else None


async def _first(source: _Source) -> StoredSample | None:
    """Read the keyframe with which a segment begins; None when its begin is missing."""
    data = source.item.part_data(0) or await source.writer.rendition.load(source.item)
    sample = next(iter(read_fragments(data)), None) if data else None
    return sample if sample is not None and sample.is_sync else None
