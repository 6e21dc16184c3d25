"""HTTP of WHEP and WHIP: headers that every answer has, problem documents, bodies of one type and bounded size."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from math import ceil
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from media.error import CapacityError, MediaServerError, PeerError, StreamError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SDP_TYPE = "application/sdp"
FRAGMENT_TYPE = "application/trickle-ice-sdpfrag"
JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"

MAX_BODY = 64 * 1024
"""Of a request. The offer of a browser with all its codecs has 13 kB."""

HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location, ETag, Link, Retry-After, Accept-Post, Accept-Patch",
    "Cache-Control": "no-store",
}
"""Of every answer."""

NOT_LIVE_RETRY_S = 2
"""When to ask again for a stream that is not on the air."""

_STATUS = {"unauthorized": 401, "forbidden": 403, "not_live": 409}
"""By code of a `StreamError`; all others are 404."""

_CODES = {405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}


class RefusedError(MediaServerError):
    """A request that HTTP itself is enough to refuse.

    Args:
        status: of the answer.
        code: stable identifier.
        detail: a sentence.
        retry_after_s: when to try again, where that helps.
        headers: more headers for the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        retry_after_s: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.headers = dict(headers or {})


def problem(error: RefusedError) -> web.Response:
    """Answer with a problem document (RFC 9457) whose `code` is stable."""
    headers = HEADERS | error.headers
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, ceil(error.retry_after_s)))
    body = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
    }
    return web.Response(
        status=error.status, body=json.dumps(body).encode(), content_type=PROBLEM_TYPE, headers=headers
    )


def guard(handler: Handler, status_by_code: Mapping[str, int] | None = None) -> Handler:
    """Answer the errors that a handler raises on purpose.

    Args:
        handler: what is guarded.
        status_by_code: of each code of a `StreamError` that is no 404; None: as viewers get to see it.
    """
    statuses = _STATUS if status_by_code is None else status_by_code

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except RefusedError as error:
            return problem(error)
        except PeerError as error:
            return problem(RefusedError(400, "bad_request", str(error)))
        except CapacityError as error:
            return problem(RefusedError(503, "overloaded", error.detail, error.retry_after_s))
        except StreamError as error:
            return problem(_refused_stream(error, statuses.get(error.code, 404)))

    return guarded


def preflight(methods: str, accept_post: str = "", accept_patch: str = "") -> web.Response:
    """Answer OPTIONS: what pages of other origins may do, and which types are taken."""
    headers = {
        **HEADERS,
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match, *",
        "Access-Control-Max-Age": "86400",
        "Allow": methods,
    }
    if accept_post:
        headers["Accept-Post"] = accept_post
    if accept_patch:
        headers["Accept-Patch"] = accept_patch
    return web.Response(status=200, headers=headers)


def refuse_method(methods: str) -> Handler:
    """Make a handler for the methods that an address does not know."""

    async def refuse(_: web.Request) -> web.StreamResponse:
        detail = "This address does not know this method."
        return problem(RefusedError(405, _CODES[405], detail, headers={"Allow": methods}))

    return refuse


async def read_text(request: web.Request, *types: str) -> str:
    """Read a body of one of some types.

    Raises:
        RefusedError: 415 for another type, 413 for too large, 400 for no UTF-8 or half a body.
    """
    if request.content_type.lower() not in types:
        headers = {"Accept-Patch" if request.method == "PATCH" else "Accept-Post": ", ".join(types)}
        raise RefusedError(415, _CODES[415], f"The body has to be {' or '.join(types)}.", headers=headers)
    try:
        return (await _read(request)).decode()
    except (UnicodeDecodeError, web.RequestPayloadError, HttpProcessingError, ConnectionError):
        raise RefusedError(400, "bad_request", "The body cannot be read as UTF-8.") from None


async def read_json(request: web.Request) -> Any:
    """Read a JSON body; None where there is none.

    Raises:
        RefusedError: as `read_text`; 400 for no JSON.
    """
    if not request.can_read_body:
        return None
    text = await read_text(request, JSON_TYPE)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise RefusedError(400, "no_json", "The body is no JSON.") from None


def json_answer(body: object, status: int = 200) -> web.Response:
    """Answer with JSON."""
    return web.Response(
        status=status,
        body=json.dumps(body).encode(),
        content_type=JSON_TYPE,
        charset="utf-8",
        headers=HEADERS,
    )


def bearer_token(request: web.Request) -> str | None:
    """Read `Authorization: Bearer TOKEN` (RFC 6750, 2.1); None when there is no such header."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return (token.strip() or None) if scheme.lower() == "bearer" else None


async def _read(request: web.Request) -> bytes:
    data = b""
    while (request.content_length or 0) <= MAX_BODY and len(data) <= MAX_BODY:
        chunk = await request.content.readany()
        if not chunk:
            return data
        data += chunk
    raise RefusedError(413, _CODES[413], f"The body is larger than {MAX_BODY // 1024} KiB.")


def _refused_stream(error: StreamError, status: int) -> RefusedError:
    headers = {"WWW-Authenticate": 'Bearer realm="mediaserver"'} if status == 401 else {}
    retry_after_s = NOT_LIVE_RETRY_S if error.code == "not_live" else None
    return RefusedError(status, error.code, error.detail, retry_after_s, headers)
