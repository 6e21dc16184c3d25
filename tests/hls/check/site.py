"""A web site for the checker: what is at each address, and what it answers to directives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

from hls.check.fetch import HttpFetcher
from hls.check.finding import Report

HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Expose-Headers": "*",
}


@dataclass(frozen=True)
class Page:
    """An answer."""

    body: bytes | str = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Pages = Mapping[str, Page]
"""By path without the first slash, and by path with query where that is answered otherwise."""


def serve(pages: Pages) -> web.Application:
    """Make a site of pages; what is not there is 404, OPTIONS is allowed."""

    async def answer(request: web.Request) -> web.StreamResponse:
        path = request.path_qs.lstrip("/")
        page = pages.get(path) or pages.get(path.partition("?")[0])
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=HEADERS)
        if page is None:
            return web.Response(status=404, headers={**HEADERS, "Cache-Control": "max-age=1"})
        body = page.body.encode() if isinstance(page.body, str) else page.body
        is_playlist = path.partition("?")[0].endswith(".m3u8")
        kind = "application/vnd.apple.mpegurl" if is_playlist else "video/mp4"
        cache = "max-age=1" if is_playlist else "max-age=3600"
        response = web.Response(
            status=page.status,
            body=body,
            headers={**HEADERS, "Content-Type": kind, "Cache-Control": cache, **page.headers},
        )
        if is_playlist:
            response.enable_compression(web.ContentCoding.gzip)
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


@asynccontextmanager
async def site(pages: Pages) -> AsyncIterator[str]:
    """Serve pages on a free port of the loopback; yields the address of the site."""
    server = TestServer(serve(pages))
    await server.start_server()
    try:
        yield str(server.make_url("/"))
    finally:
        await server.close()


def visit(pages: Pages, use: Callable[[str, HttpFetcher, Report], Awaitable[object]], report: Report) -> None:
    """Serve pages, and use them with a fetcher of their own."""

    async def run() -> None:
        async with site(pages) as url, HttpFetcher() as fetcher:
            await use(url, fetcher, report)

    asyncio.run(run())
