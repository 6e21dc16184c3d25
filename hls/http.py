"""Serves HLS: routes, addresses, outcomes as HTTP. Knows broadcasts only through its port."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

from aiohttp import web

from media.error import CapacityError, PeerError, StreamError

from . import answer
from .answer import PlaylistBody
from .config import HlsConfig
from .directive import Directives, find_target, parse_directives
from .playlist import render_media, render_multivariant
from .port import Broadcast, Broadcasts
from .view import MultivariantView, RenditionView

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_STATUS = {"unauthorized": 401, "forbidden": 403}
"""By code of a `StreamError`; all others are 404."""

_MEDIA_NAME = re.compile(r"(\d{1,10})-(\d{1,18})(?:\.(\d{1,9}))?\.m4s", re.ASCII)
_INIT_NAME = re.compile(r"init-(\d{1,10})\.mp4", re.ASCII)


def routes(broadcasts: Broadcasts, config: HlsConfig) -> list[web.RouteDef]:
    """List the routes of HLS delivery.

    Args:
        broadcasts: where to find what is served.
        config: the constants of every playlist.
    """
    hls = _Hls(broadcasts, config)
    found = []
    for prefix in ("/hls/{stream_id}", "/hls/{stream_id}/~{token}"):
        rung = f"{prefix}/{{rung:[0-9a-z-]+}}"
        found += [
            web.get(f"{prefix}/master.m3u8", _guard(hls.multivariant)),
            web.get(f"{rung}/index.m3u8", _guard(hls.media_playlist)),
            web.get(f"{rung}/{{name}}", _guard(hls.media)),
        ]
    found.append(web.options("/hls/{tail:.*}", _preflight))
    found.append(web.get("/hls/{tail:.*}", _not_found))
    return found


def _guard(handler: Handler) -> Handler:
    """Map the errors that a handler raises on purpose to answers."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except PeerError as error:
            return answer.problem(400, "bad_request", str(error))
        except StreamError as error:
            retry_after_s = 1 if error.code == "no_media_yet" else None
            return answer.problem(_STATUS.get(error.code, 404), error.code, error.detail, retry_after_s)
        except CapacityError as error:
            return answer.problem(503, "overloaded", error.detail, max(1, round(error.retry_after_s)))

    return guarded


async def _preflight(_: web.Request) -> web.Response:
    return answer.preflight()


async def _not_found(_: web.Request) -> web.Response:
    return answer.problem(404, "not_found", "there is nothing at this address")


def _no_media_yet() -> StreamError:
    return StreamError("no_media_yet", "the stream has no media yet")


class _Hls:
    """The handlers, and the playlists that have been rendered."""

    def __init__(self, broadcasts: Broadcasts, config: HlsConfig) -> None:
        self._broadcasts = broadcasts
        self._config = config
        self._multivariants: WeakKeyDictionary[Broadcast, tuple[MultivariantView, PlaylistBody]]
        self._multivariants = WeakKeyDictionary()
        self._bodies: WeakKeyDictionary[Broadcast, dict[tuple[str, bool], tuple[int, PlaylistBody]]]
        self._bodies = WeakKeyDictionary()

    async def multivariant(self, request: web.Request) -> web.StreamResponse:
        """Answer with the multivariant playlist."""
        broadcast = self._find(request)
        view = broadcast.multivariant()
        if view is None:
            raise _no_media_yet()
        known = self._multivariants.get(broadcast)
        if known is None or known[0] != view:
            known = self._multivariants[broadcast] = (view, PlaylistBody(render_multivariant(view)))
        return answer.playlist(request.headers, known[1], answer.SHORT)

    async def media_playlist(self, request: web.Request) -> web.StreamResponse:
        """Answer with a media playlist, once it holds what the request waits for."""
        broadcast, rung = self._find(request), request.match_info["rung"]
        if not broadcast.has_media:
            raise _no_media_yet()
        view = self._view(broadcast, rung)
        directives = Directives() if view.is_ended else parse_directives(request.query)
        target = find_target(directives, view, self._config)
        if target is not None:
            if not await broadcast.wait(rung, target.msn, target.part, self._config.hold_limit_s):
                return answer.problem(503, "no_new_media", "the source sends nothing at the moment", 1)
            view = self._view(broadcast, rung)
        body = self._body(broadcast, view, skip=directives.skip)
        return answer.playlist(request.headers, body, self._cache_control(directives, view))

    async def media(self, request: web.Request) -> web.StreamResponse:
        """Answer with a segment, a part or an initialization segment."""
        broadcast, rung = self._find(request), request.match_info["rung"]
        data = await _fetch(broadcast, rung, request.match_info["name"])
        if data is None:
            raise StreamError("not_found", "there is no media at this address (any more)")
        return answer.media(request.headers, data)

    def _find(self, request: web.Request) -> Broadcast:
        stream_id = request.match_info["stream_id"]
        self._broadcasts.check(stream_id, request.match_info.get("token"))
        broadcast = self._broadcasts.find(stream_id)
        if broadcast is None:
            raise _no_media_yet()
        return broadcast

    def _view(self, broadcast: Broadcast, rung: str) -> RenditionView:
        view = broadcast.view(rung)
        if view is None:
            raise StreamError("not_found", f"this stream has no rendition {rung}")
        return view

    def _body(self, broadcast: Broadcast, view: RenditionView, *, skip: bool) -> PlaylistBody:
        """Render a playlist, or take what has been rendered of this version."""
        bodies = self._bodies.setdefault(broadcast, {})
        known = bodies.get((view.name, skip))
        if known is not None and known[0] == view.version:
            return known[1]
        body = PlaylistBody(render_media(view, self._config, skip=skip))
        bodies[view.name, skip] = (view.version, body)
        return body

    def _cache_control(self, directives: Directives, view: RenditionView) -> str:
        """Let blocking answers live long, but not one that came before the segment it names was whole."""
        if directives.msn is None:
            return answer.SHORT
        last_whole = max((segment.msn for segment in view.segments if segment.is_complete), default=-1)
        if directives.part is None and last_whole < directives.msn:
            return answer.SHORT
        return f"public, max-age={6 * self._config.target_duration_s}"


async def _fetch(broadcast: Broadcast, rung: str, name: str) -> bytes | None:
    match = _MEDIA_NAME.fullmatch(name)
    if match is not None:
        generation, msn, part = match.groups()
        return await broadcast.get(rung, int(generation), int(msn), int(part) if part is not None else None)
    match = _INIT_NAME.fullmatch(name)
    return broadcast.init(rung, int(match.group(1))) if match is not None else None
