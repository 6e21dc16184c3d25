"""HTTP answers of HLS delivery: headers per kind of resource, problem documents, byte ranges, compression."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from .playlist_body import PlaylistBody

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
MANIFEST_TYPE = "application/dash+xml"
MEDIA_TYPE = "video/mp4"
PROBLEM_TYPE = "application/problem+json"

IMMUTABLE = "public, max-age=31536000, immutable"
SHORT = "public, max-age=1"
PRIVATE = "private, no-store"

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Length, Content-Range, Date, Retry-After, Age",
}

MEDIA_HEADERS = {**CORS, "Cache-Control": IMMUTABLE, "Accept-Ranges": "bytes"}

_PREFLIGHT = {
    **CORS,
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "*, Range",
    "Access-Control-Max-Age": "86400",
}

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def preflight() -> web.Response:
    """Answer OPTIONS."""
    return web.Response(status=204, headers=_PREFLIGHT)


def problem(status: int, code: str, detail: str, retry_after_s: int | None = None) -> web.Response:
    """Answer with a problem document (RFC 9457) whose `code` is stable."""
    headers = {**CORS, "Cache-Control": SHORT if status == 404 else "no-store"}
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    return web.Response(
        status=status,
        body=json.dumps(body).encode(),
        content_type=PROBLEM_TYPE,
        headers=headers,
    )


def playlist(
    request_headers: Mapping[str, str],
    body: PlaylistBody,
    cache_control: str,
    content_type: str = PLAYLIST_TYPE,
) -> web.Response:
    """Answer with a playlist, compressed when the client takes it."""
    is_gzip = accepts_gzip(request_headers.get("Accept-Encoding", ""))
    data = body.gzipped if is_gzip else body.plain
    headers = playlist_headers(cache_control, is_gzip)
    return web.Response(body=data, content_type=content_type, headers=headers)


def playlist_headers(cache_control: str, is_gzip: bool) -> dict[str, str]:
    """Say how long a playlist may be kept, and how it is packed."""
    headers = {**CORS, "Cache-Control": cache_control, "Vary": "Accept-Encoding"}
    return headers | ({"Content-Encoding": "gzip"} if is_gzip else {})


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether an Accept-Encoding header allows gzip (RFC 9110, 12.5.3)."""
    for item in accept_encoding.lower().split(","):
        coding, _, weight = item.partition(";")
        if coding.strip() in ("gzip", "x-gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def media(request_headers: Mapping[str, str], data: bytes, content_type: str = MEDIA_TYPE) -> web.Response:
    """Answer with immutable media, or the range of it that was asked for (RFC 9110, 14)."""
    headers = dict(MEDIA_HEADERS)
    asked = parse_range(request_headers.get("Range", ""), len(data))
    if asked is None:
        return web.Response(body=data, content_type=content_type, headers=headers)
    start, end = asked
    if start >= end:
        unsatisfied = {**CORS, "Content-Range": f"bytes */{len(data)}", "Cache-Control": "no-store"}
        return web.Response(status=416, headers=unsatisfied)
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
    return web.Response(status=206, body=data[start:end], content_type=content_type, headers=headers)


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """Parse a Range header.

    Returns:
        Start and end (exclusive), equal or reversed when it cannot be satisfied; None when there is no range,
        or one that may be ignored (several, another unit, malformed).
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.group() == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size if int(last) else 0
    start, end = int(first), int(last) + 1 if last else size
    return None if end <= start and last else (start, min(end, size))
