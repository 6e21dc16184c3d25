"""Tells a proxy with a cache whether a request may be answered from it: nginx's `auth_request`, or a CDN's hook."""

from __future__ import annotations

import re

from aiohttp import web

from media.error import StreamError

from .port import Broadcasts

PATH = "/hls-auth"

ADDRESS = "X-Original-URI"
"""Header with the path that was asked for."""

_MEDIA_PATH = re.compile(
    r"/(?:hls|dash)/(?P<stream>[^/~?]{1,100})/(?:~(?P<token>[^/?]{1,2000})/)?(?P<preview>preview/)?", re.ASCII
)

NO_STORE = {"Cache-Control": "no-store"}


def routes(broadcasts: Broadcasts, previews: Broadcasts) -> list[web.RouteDef]:
    """Make the route.

    Args:
        broadcasts: know who may see what.
        previews: know who may see what has not started.
    """

    async def check(request: web.Request) -> web.Response:
        found = _MEDIA_PATH.match(request.headers.get(ADDRESS, ""))
        if found is None:
            return web.Response(status=403, headers=NO_STORE)
        try:
            (previews if found["preview"] else broadcasts).check(found["stream"], found["token"])
        except StreamError:
            return web.Response(status=403, headers=NO_STORE)
        return web.Response(status=204, headers=NO_STORE)

    return [web.get(PATH, check)]
