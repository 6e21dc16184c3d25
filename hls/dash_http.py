"""Serves MPEG-DASH: manifests, what time it is, and segments while they are being made.

Routes of their own, to be added before those of `http`: here an open segment can be asked for by its address.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from aiohttp import web

from media.error import StreamError

from . import answer
from .config import HlsConfig
from .dash import Listing, list_broadcast
from .dash_manifest import render_head, render_rest
from .dash_period import Periods
from .dash_stream import stream_open_segment
from .http import find_broadcast, guard
from .playlist_body import PlaylistBody, Stretch
from .port import Broadcast, Broadcasts
from .view import PartAddress

_NUMBER = r"\d{1,18}"


def routes(
    broadcasts: Broadcasts, config: HlsConfig, clock: Callable[[], float] = time.time
) -> list[web.RouteDef]:
    """List the routes.

    Args:
        broadcasts: where to find what is served.
        config: the constants of every manifest.
        clock: what time it is, in seconds since the epoch.
    """
    dash = _Dash(broadcasts, config, clock)
    found = []
    for suffix in ("", "/~{token}"):
        segment = (
            f"/hls/{{stream_id}}{suffix}/{{rung:[0-9a-z-]+}}/{{generation:{_NUMBER}}}-{{msn:{_NUMBER}}}.m4s"
        )
        found += [
            web.get(f"/dash/{{stream_id}}{suffix}/manifest.mpd", guard(dash.manifest)),
            web.get(segment, guard(dash.segment)),
        ]
    found.append(web.get("/dash/time", dash.time))
    found.append(web.options("/dash/{tail:.*}", dash.preflight))
    found.append(web.get("/dash/{tail:.*}", guard(dash.not_found)))
    return found


@dataclass(slots=True)
class _Rendered:
    """What was rendered last of a broadcast."""

    periods: Periods = field(default_factory=Periods)
    version: object = None
    listing: Listing | None = None
    rest: Stretch = field(default_factory=lambda: Stretch(b""))
    published: float = 0.0


class _Dash:
    """The handlers."""

    def __init__(self, broadcasts: Broadcasts, config: HlsConfig, clock: Callable[[], float]) -> None:
        self._broadcasts = broadcasts
        self._config = config
        self._clock = clock
        self._rendered: WeakKeyDictionary[Broadcast, _Rendered] = WeakKeyDictionary()

    async def manifest(self, request: web.Request) -> web.StreamResponse:
        """Answer with the manifest."""
        broadcast = find_broadcast(self._broadcasts, request)
        rendered = self._render(broadcast)
        if rendered.listing is None or not rendered.listing.periods:
            raise StreamError("no_media_yet", "the stream has no media yet")
        stream_id, token = request.match_info["stream_id"], request.match_info.get("token")
        # With a token in it, no cache may keep it. Without one it is right behind `~TOKEN` too: proxies drop that from
        # their keys.
        base = f"/hls/{stream_id}/" if token is None else f"/hls/{stream_id}/~{token}/"
        head = render_head(rendered.listing, self._config, base, rendered.published)
        caching = answer.SHORT if token is None else "private, no-store"
        return answer.playlist(
            request.headers, PlaylistBody(head, [rendered.rest]), caching, answer.MANIFEST_TYPE
        )

    def _render(self, broadcast: Broadcast) -> _Rendered:
        rendered = self._rendered.setdefault(broadcast, _Rendered())
        view = broadcast.multivariant()
        if view is None:
            return rendered
        names = [variant.name for variant in view.variants] + ([view.audio.name] if view.audio else [])
        found = {name: each for name in names if (each := broadcast.view(name)) is not None}
        version = view, tuple((name, each.version) for name, each in found.items())
        if rendered.version != version:
            listing = list_broadcast(view, found, rendered.periods)
            rendered.version, rendered.published = version, self._clock()
            if listing != rendered.listing:
                rendered.listing = listing
                rendered.rest = Stretch(render_rest(listing, self._config).encode())
        return rendered

    async def segment(self, request: web.Request) -> web.StreamResponse:
        """Answer with a segment; one that is being made is sent as it comes."""
        broadcast, found = find_broadcast(self._broadcasts, request), request.match_info
        rung, generation, msn = found["rung"], int(found["generation"]), int(found["msn"])
        data = await broadcast.get(rung, generation, msn, None)
        if data is not None:
            return answer.media(request.headers, data)
        first = PartAddress(generation, msn, 0)
        streamed = await stream_open_segment(request, broadcast, rung, first, self._config.hold_limit_s)
        if streamed is None:
            raise StreamError("not_found", "there is no media at this address (any more)")
        return streamed

    async def time(self, _: web.Request) -> web.Response:
        """Say what time it is (`urn:mpeg:dash:utc:http-iso:2014`)."""
        now = datetime.fromtimestamp(self._clock(), tz=UTC)
        headers = {**answer.CORS, "Cache-Control": "no-store"}
        return web.Response(
            text=now.isoformat(timespec="milliseconds").replace("+00:00", "Z"), headers=headers
        )

    async def preflight(self, _: web.Request) -> web.Response:
        """Answer OPTIONS."""
        return answer.preflight()

    async def not_found(self, _: web.Request) -> web.StreamResponse:
        """Answer what is nowhere."""
        raise StreamError("not_found", "there is nothing at this address")
