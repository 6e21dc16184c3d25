"""The routes of WHIP as OpenAPI 3.1 path items, for whoever describes the whole server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .description import PROBLEM, TAG, TEXT, Schema
from .http_answer import FRAGMENT_TYPE, PROBLEM_TYPE, SDP_TYPE
from .whip import ENDPOINT, SESSION

PROBLEMS = {
    400: "The body is malformed; `detail` says where.",
    401: "There is no stream key, or one that is not known.",
    404: "There is no such session.",
    406: "There is no H.264 in the offer that is sent to this server.",
    409: "The key's stream cannot be published to: it has ended, there is none, or two encoders take turns.",
    412: "ICE was restarted meanwhile.",
    413: "The body is larger than 64 KiB.",
    415: "The body has another type.",
    421: "This server does not answer to this host name.",
    428: "`If-Match` is needed.",
    429: "Too many requests from one address.",
    503: "There is no room for more publishers now.",
}

_KEY = {
    "name": "Authorization",
    "in": "header",
    "required": True,
    "description": "`Bearer STREAM_KEY`: a stream's own key, or the user's channel key.",
    "schema": TEXT,
}

_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": 'The `ETag` that counts, or `"*"`.',
    "schema": TEXT,
}

_SESSION_NAME = {
    "name": "session",
    "in": "path",
    "required": True,
    "description": "As in the `Location` of the answer.",
    "schema": TEXT,
}


def paths() -> dict[str, dict[str, Any]]:
    """Describe each route."""
    return {ENDPOINT: _endpoint(), SESSION: _session()}


def _endpoint() -> dict[str, Any]:
    problems = (400, 401, 406, 409, 413, 415, 421, 429, 503)
    post = _operation(
        "Publish a stream (WHIP): an offer", {201: ("The answer.", SDP_TYPE)}, problems, SDP_TYPE
    )
    return {
        "get": _operation("Nothing: this is where offers go", {200: ("Nothing to show.", SDP_TYPE)}, (421,)),
        "post": post | {"parameters": [_KEY]},
    }


def _session() -> dict[str, Any]:
    restarted = {200: ("ICE was restarted; what counts now.", FRAGMENT_TYPE), 204: ("Taken.", None)}
    problems = (400, 404, 412, 413, 415, 421, 428, 429, 503)
    patch = _operation("Candidates, or a restart of ICE", restarted, problems, FRAGMENT_TYPE)
    shown = {200: ("Nothing to show.", SDP_TYPE)}
    return {
        "get": _operation("Nothing, while the session lasts", shown, (404, 421))
        | {"parameters": [_SESSION_NAME]},
        "patch": patch | {"parameters": [_SESSION_NAME, _IF_MATCH]},
        "delete": _operation("Stop publishing", {200: ("Stopped.", None)}, (404, 421, 429))
        | {"parameters": [_SESSION_NAME]},
    }


def _operation(
    summary: str,
    good: Mapping[int, tuple[str, str | None]],
    problems: tuple[int, ...],
    body: str | None = None,
) -> dict[str, Any]:
    responses: dict[str, Any] = {
        str(status): {"description": text} | ({"content": _content(kind, TEXT)} if kind else {})
        for status, (text, kind) in good.items()
    }
    responses |= {
        str(status): {"description": PROBLEMS[status], "content": _content(PROBLEM_TYPE, PROBLEM)}
        for status in problems
    }
    operation: dict[str, Any] = {"summary": summary, "tags": [TAG], "parameters": [], "responses": responses}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _content(body, TEXT)}
    return operation


def _content(kind: str, schema: Schema) -> dict[str, Any]:
    return {kind: {"schema": schema}}
