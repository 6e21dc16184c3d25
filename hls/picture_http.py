"""Serves pictures of segments: thumbnails for seek bars, and I-frame playlists with their keyframes.

Routes of their own, to be added before those of `http`, since these take any name below a rung.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from aiohttp import web

from media.error import StreamError

from . import answer
from .config import HlsConfig
from .http import PREFIXES, find_broadcast, guard
from .keyframe import render_keyframes
from .playlist import KEYFRAMES
from .playlist_body import PlaylistBody
from .port import Broadcast, Broadcasts

JPEG_TYPE = "image/jpeg"

_NUMBER = r"\d{1,18}"


def routes(broadcasts: Broadcasts, config: HlsConfig) -> list[web.RouteDef]:
    """List the routes.

    Args:
        broadcasts: where to find what is served.
        config: the constants of every playlist.
    """
    pictures = _Pictures(broadcasts, config)
    found = []
    for prefix in PREFIXES:
        rung = f"{prefix}/{{rung:[0-9a-z-]+}}"
        keyframe = f"{rung}/{{generation:{_NUMBER}}}-{{msn:{_NUMBER}}}.key.m4s"
        found += [
            web.get(f"{prefix}/thumbnails/{{msn:{_NUMBER}}}.jpg", guard(pictures.thumbnail)),
            web.get(f"{rung}/{KEYFRAMES}", guard(pictures.playlist)),
            web.get(keyframe, guard(pictures.keyframe)),
        ]
    return found


class _Pictures:
    def __init__(self, broadcasts: Broadcasts, config: HlsConfig) -> None:
        self._broadcasts = broadcasts
        self._config = config
        self._bodies: WeakKeyDictionary[Broadcast, dict[str, tuple[int, PlaylistBody]]] = WeakKeyDictionary()

    async def thumbnail(self, request: web.Request) -> web.StreamResponse:
        """Answer with a JPEG."""
        broadcast = find_broadcast(self._broadcasts, request)
        data = await broadcast.thumbnail(int(request.match_info["msn"]))
        return _media(request, data, JPEG_TYPE)

    async def playlist(self, request: web.Request) -> web.StreamResponse:
        """Answer with an I-frame playlist."""
        broadcast, rung = find_broadcast(self._broadcasts, request), request.match_info["rung"]
        view = broadcast.view(rung)
        if view is None or not broadcast.has_video(rung):
            raise StreamError("not_found", f"this stream has no video {rung}")
        bodies = self._bodies.setdefault(broadcast, {})
        known = bodies.get(rung)
        if known is None or known[0] != view.version:
            known = bodies[rung] = view.version, render_keyframes(view, self._config)
        return answer.playlist(request.headers, known[1], answer.SHORT)

    async def keyframe(self, request: web.Request) -> web.StreamResponse:
        """Answer with a keyframe."""
        broadcast, found = find_broadcast(self._broadcasts, request), request.match_info
        data = await broadcast.keyframe(found["rung"], int(found["generation"]), int(found["msn"]))
        return _media(request, data)


def _media(request: web.Request, data: bytes | None, content_type: str = answer.MEDIA_TYPE) -> web.Response:
    if data is None:
        raise StreamError("not_found", "there is no picture at this address (any more)")
    return answer.media(request.headers, data, content_type)
