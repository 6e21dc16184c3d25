"""The web pages: built files from `web/`, read once at start, served with ETag, gzip and a strict policy.

The pages are one document that reads its own address, and `/docs` is another; assets carry a hash of their content in
their names, so they never change. Nothing is loaded from anywhere else.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

PAGES = Path(__file__).parent / "pages"
"""Where `make web` puts the built pages."""

DOCUMENTS = {"/": "index.html", "/watch/{id}": "index.html", "/docs": "docs.html"}

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # icons in the style sheet of /docs
        "connect-src 'self'",
        "media-src 'self' blob:",  # Media Source Extensions play from a blob: address
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
_NOT_BUILT = (
    "The pages are not built: run 'make web' (needs Node.js 20 or newer), then start the server again.\n"
)
_COMPRESSIBLE = {"text/html", "text/css", "text/javascript", "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class PageFile:
    """One built file, ready to be sent."""

    body: bytes
    compressed: bytes | None
    """The body in gzip, None where that saves nothing."""
    content_type: str
    etag: str
    """As in the header, quotes included."""
    cache_control: str


def routes(directory: Path = PAGES) -> list[web.RouteDef]:
    """Make the routes of all pages and of `/assets/{name}`.

    Args:
        directory: of the built pages; when they are not there, the pages answer 503 and say what to do.
    """
    if not all((directory / name).is_file() for name in DOCUMENTS.values()):
        return [web.get(path, _not_built) for path in DOCUMENTS]
    assets = {
        path.name: _read(path, "public, max-age=31536000, immutable")
        for path in (directory / "assets").iterdir()
    }

    async def serve_asset(request: web.Request) -> web.Response:
        asset = assets.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound(text="There is no such file.\n")
        return _respond(request, asset)

    pages = [web.get(path, _serve(_read(directory / name, "no-cache"))) for path, name in DOCUMENTS.items()]
    return [*pages, web.get("/assets/{name}", serve_asset)]


def _serve(page: PageFile) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(request: web.Request) -> web.Response:
        return _respond(request, page)

    return serve


async def _not_built(_request: web.Request) -> web.Response:
    return web.Response(status=503, text=_NOT_BUILT)


def _read(path: Path, cache_control: str) -> PageFile:
    body = path.read_bytes()
    content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    compressed = gzip.compress(body, mtime=0) if content_type in _COMPRESSIBLE else None
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    return PageFile(body, compressed, content_type, etag, cache_control)


def _respond(request: web.Request, file: PageFile) -> web.Response:
    headers = {
        **_SECURITY_HEADERS,
        "Cache-Control": file.cache_control,
        "ETag": file.etag,
        "Vary": "Accept-Encoding",
    }
    if _matches(request, file.etag):
        return web.Response(status=304, headers=headers)
    body, charset = file.body, "utf-8" if file.content_type.startswith("text/") else None
    if file.compressed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        body, headers["Content-Encoding"] = file.compressed, "gzip"
    return web.Response(body=body, headers=headers, content_type=file.content_type, charset=charset)


def _matches(request: web.Request, etag: str) -> bool:
    """Whether If-None-Match names this version (weak comparison, RFC 9110, 13.1.2)."""
    candidates = request.headers.get("If-None-Match", "").split(",")
    return any(candidate.strip().removeprefix("W/") in {etag, "*"} for candidate in candidates)
