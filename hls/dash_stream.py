"""Sends the segment that is being made part by part, as low-latency DASH players ask for it by its address.

Bounded like any request that waits: by what `Broadcast.wait` lets wait, and how long.
"""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from media.error import CapacityError

from . import answer
from .port import Broadcast
from .view import PartAddress, SegmentView

AHEAD = 1
"""Manifests list the segment that begins where the newest one has just ended."""


async def stream_open_segment(
    request: web.Request, broadcast: Broadcast, rung: str, first: PartAddress, timeout_s: float
) -> web.StreamResponse | None:
    """Send a segment that is not complete, one part after the other (chunked transfer coding).

    Args:
        request: asks for it.
        broadcast: has it.
        rung: name of the rendition.
        first: its first part.
        timeout_s: how long to wait for each part.

    Returns:
        None when it is not what is being made, or begins with a gap.

    Raises:
        CapacityError: nothing came in time, or too many wait.
    """
    view = broadcast.view(rung)
    if view is None or view.is_ended or not view.newest_msn <= first.msn <= view.newest_msn + AHEAD:
        return None
    msn = first.msn
    part = await _next_part(broadcast, rung, first, timeout_s)
    if part is None:
        return None
    response = web.StreamResponse(headers={**answer.CORS, "Cache-Control": answer.IMMUTABLE})
    response.content_type = answer.MEDIA_TYPE
    await response.prepare(request)
    index = 0
    while part is not None and request.method != "HEAD":
        await response.write(part)
        index += 1
        if _has_ended(_find(broadcast, rung, msn), index):
            break
        try:
            part = await _next_part(broadcast, rung, replace(first, part=index), timeout_s)
        except CapacityError:
            part = None
    if not _has_ended(_find(broadcast, rung, msn), index) and request.transport is not None:
        # Otherwise what has been sent looks complete, and caches keep it.
        request.transport.abort()
    await response.write_eof()
    return response


async def _next_part(broadcast: Broadcast, rung: str, address: PartAddress, timeout_s: float) -> bytes | None:
    if not await broadcast.wait(rung, address.msn, address.part, timeout_s):
        raise CapacityError("nothing new has come in time")
    return await broadcast.get(rung, address.generation, address.msn, address.part)


def _has_ended(segment: SegmentView | None, index: int) -> bool:
    return segment is not None and segment.is_complete and index >= len(segment.parts)


def _find(broadcast: Broadcast, rung: str, msn: int) -> SegmentView | None:
    view = broadcast.view(rung)
    return (
        next((segment for segment in reversed(view.segments) if segment.msn == msn), None) if view else None
    )
