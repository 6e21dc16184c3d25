"""Serves HLS: routes, addresses, outcomes as HTTP. Knows broadcasts only through its port."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from media.error import CapacityError, PeerError, StreamError

from . import answer
from .config import HlsConfig
from .directive import Directives, find_target, parse_directives
from .port import Broadcast, Broadcasts
from .rendered import RenderedPlaylists, cache_control
from .start import parse_start
from .view import RenditionView

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PREFIXES = ("/hls/{stream_id}", "/hls/{stream_id}/~{token}")
"""Where a stream's media is, without and with a playback token."""

PREVIEW = "preview"
"""Element of addresses below which an owner's preview is."""

_STATUS = {"unauthorized": 401, "forbidden": 403}
"""By code of a `StreamError`; all others are 404."""

_MEDIA_NAME = re.compile(r"(\d{1,10})-(\d{1,18})(?:\.(\d{1,9}))?\.m4s", re.ASCII)
_INIT_NAME = re.compile(r"init-(\d{1,10})\.mp4", re.ASCII)


def routes(
    broadcasts: Broadcasts, config: HlsConfig, rendered: RenderedPlaylists | None = None
) -> list[web.RouteDef]:
    """List the routes of HLS delivery.

    Args:
        broadcasts: where to find what is served.
        config: the constants of every playlist.
        rendered: playlists that others hand out too.
    """
    hls = _Hls(broadcasts, config, rendered or RenderedPlaylists(config))
    found = []
    for prefix in PREFIXES:
        found += _playlists_and_media(prefix, hls, guard)
    found.append(web.options("/hls/{tail:.*}", _preflight))
    found.append(web.get("/hls/{tail:.*}", _not_found))
    return found


def preview_routes(previews: Broadcasts, config: HlsConfig) -> list[web.RouteDef]:
    """List the routes of previews, to be added before those that take any rung.

    Args:
        previews: where to find what is served; without a token nobody may see it.
        config: the constants of every playlist.
    """
    hls = _Hls(previews, config, RenderedPlaylists(config))

    def guard_uncached(handler: Handler) -> Handler:
        return _uncached(guard(handler))

    found = []
    for prefix in PREFIXES:
        found += _playlists_and_media(f"{prefix}/{PREVIEW}", hls, guard_uncached)
        found.append(web.get(f"{prefix}/{PREVIEW}/{{tail:.*}}", _uncached(_not_found)))
    return found


def _playlists_and_media(prefix: str, hls: _Hls, guarded: Callable[[Handler], Handler]) -> list[web.RouteDef]:
    rung = f"{prefix}/{{rung:[0-9a-z-]+}}"
    return [
        web.get(f"{prefix}/master.m3u8", guarded(hls.multivariant)),
        web.get(f"{rung}/index.m3u8", guarded(hls.media_playlist)),
        web.get(f"{rung}/{{name}}", guarded(hls.media)),
    ]


def _uncached(handler: Handler) -> Handler:
    """Keep answers out of all caches, whatever they are."""

    async def uncached(request: web.Request) -> web.StreamResponse:
        response = await handler(request)
        response.headers["Cache-Control"] = answer.PRIVATE
        return response

    return uncached


def guard(handler: Handler) -> Handler:
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


def find_broadcast(broadcasts: Broadcasts, request: web.Request) -> Broadcast:
    """Find the broadcast of a request that may see it.

    Raises:
        StreamError: it may not, or there is none (yet).
    """
    stream_id = request.match_info["stream_id"]
    broadcasts.check(stream_id, request.match_info.get("token"))
    broadcast = broadcasts.find(stream_id)
    if broadcast is None:
        raise _no_media_yet()
    return broadcast


def _no_media_yet() -> StreamError:
    return StreamError("no_media_yet", "the stream has no media yet")


class _Hls:
    """The handlers."""

    def __init__(self, broadcasts: Broadcasts, config: HlsConfig, rendered: RenderedPlaylists) -> None:
        self._broadcasts = broadcasts
        self._config = config
        self._rendered = rendered

    async def multivariant(self, request: web.Request) -> web.StreamResponse:
        """Answer with the multivariant playlist."""
        broadcast = find_broadcast(self._broadcasts, request)
        view = broadcast.multivariant()
        if view is None:
            raise _no_media_yet()
        body = self._rendered.multivariant(broadcast, view, parse_start(request.query))
        return answer.playlist(request.headers, body, answer.SHORT)

    async def media_playlist(self, request: web.Request) -> web.StreamResponse:
        """Answer with a media playlist, once it holds what the request waits for."""
        broadcast, rung = find_broadcast(self._broadcasts, request), request.match_info["rung"]
        if not broadcast.has_media:
            raise _no_media_yet()
        view, start = self._view(broadcast, rung), parse_start(request.query)
        directives = Directives() if view.is_ended else parse_directives(request.query)
        target = find_target(directives, view, self._config)
        if target is not None:
            if not await broadcast.wait(rung, target.msn, target.part, self._config.hold_limit_s):
                return answer.problem(503, "no_new_media", "the source sends nothing at the moment", 1)
            view = self._view(broadcast, rung)
        body = self._rendered.media(broadcast, view, directives.skip, start)
        return answer.playlist(request.headers, body, cache_control(directives, view, self._config))

    async def media(self, request: web.Request) -> web.StreamResponse:
        """Answer with a segment, a part or an initialization segment."""
        broadcast, rung = find_broadcast(self._broadcasts, request), request.match_info["rung"]
        data = await _fetch(broadcast, rung, request.match_info["name"])
        if data is None:
            raise StreamError("not_found", "there is no media at this address (any more)")
        return answer.media(request.headers, data)

    def _view(self, broadcast: Broadcast, rung: str) -> RenditionView:
        view = broadcast.view(rung)
        if view is None:
            raise StreamError("not_found", f"this stream has no rendition {rung}")
        return view


async def _fetch(broadcast: Broadcast, rung: str, name: str) -> bytes | None:
    match = _MEDIA_NAME.fullmatch(name)
    if match is not None:
        generation, msn, part = match.groups()
        return await broadcast.get(rung, int(generation), int(msn), int(part) if part is not None else None)
    match = _INIT_NAME.fullmatch(name)
    return broadcast.init(rung, int(match.group(1))) if match is not None else None
