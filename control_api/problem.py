"""Errors as answers: RFC 9457 problem details with a stable `code`. The one table from errors to statuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from math import ceil
from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from control_api.stream.eligibility import NotEligibleError
from control_api.wait import TooEarlyError
from media.error import CapacityError, MediaServerError, PeerError, StreamError

logger = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"

STATUS_BY_CODE: dict[str, int] = {
    "invalid": 422,
    "unauthorized": 401,
    "forbidden": 403,
    "not_eligible": 403,
    "unknown_key": 403,
    "banned": 403,
    "followers_only": 403,
    "blocked_word": 422,
    "no_links": 422,
    "not_found": 404,
    "no_media_yet": 404,
    "precondition_failed": 412,
    "rate_limited": 429,
}
"""Status of a `StreamError` by its code; what is not here is a wrong state: 409."""

RETRY_AFTER_S: dict[str, int] = {"no_media_yet": 1}

CODE_BY_STATUS: dict[int, str] = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    411: "length_required",
    413: "too_large",
    415: "unsupported_media_type",
    421: "unknown_host",
    503: "unavailable",
}
"""Code of an error that says no more than its status."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field of a body or a query."""

    field: str
    message: str


class ProblemError(MediaServerError):
    """A request that HTTP itself is enough to refuse.

    Args:
        status: of the answer.
        code: stable identifier.
        detail: a sentence.
        errors: what is wrong with which field.
        headers: more headers for the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})


def problem_response(
    status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: object
) -> web.Response:
    """Make an error answer; `members` are added to the standard ones."""
    body = {"type": "about:blank", "title": _title(status), "status": status, "code": code, "detail": detail}
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return web.json_response(body | members, status=status, content_type=CONTENT_TYPE, headers=kept)


def answer_to(error: Exception) -> web.Response:
    """Turn an error into its answer; one that nobody expected is logged and says nothing of its cause."""
    match error:
        case ProblemError():
            members: dict[str, Any] = {"errors": [asdict(e) for e in error.errors]} if error.errors else {}
            return problem_response(error.status, error.code, error.detail, headers=error.headers, **members)
        case NotEligibleError(eligibility=e):
            figures: dict[str, Any] = {"follower_count": e.follower_count, "required": e.required}
            return problem_response(403, error.code, error.detail, eligible=False, reason=e.reason, **figures)
        case TooEarlyError():
            return problem_response(429, error.code, error.detail, headers=_retry_after(error.retry_after_s))
        case StreamError():
            return _stream_error(error)
        case CapacityError():
            return problem_response(
                503, "unavailable", error.detail, headers=_retry_after(error.retry_after_s)
            )
        case PeerError():
            return problem_response(400, "bad_request", str(error))
        case web.HTTPException():
            return _http_exception(error)
    logger.exception("request_failed", exc_info=error)
    return problem_response(
        500, "internal", "The server failed to answer this request; the fault was logged."
    )


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error of the handlers behind it as problem details."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return answer_to(error)
    except Exception as error:  # the one boundary of a request
        return answer_to(error)


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, ceil(seconds)))}


def _stream_error(error: StreamError) -> web.Response:
    wait = RETRY_AFTER_S.get(error.code)
    headers = {} if wait is None else {"Retry-After": str(wait)}
    return problem_response(STATUS_BY_CODE.get(error.code, 409), error.code, error.detail, headers=headers)


def _http_exception(error: web.HTTPException) -> web.Response:
    kept = {
        name: value
        for name, value in error.headers.items()
        if name in ("Allow", "Retry-After", "WWW-Authenticate")
    }
    detail = {404: "There is nothing at this address.", 405: "This address does not know this method."}
    words = detail.get(error.status, f"{error.reason}.")
    code = CODE_BY_STATUS.get(error.status, "http_error")
    return problem_response(error.status, code, words, headers=kept)


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
