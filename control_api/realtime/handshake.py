"""How WebSockets begin: the access token in a header or in the query, and what OpenAPI can say of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from control_api.call import bearer_token

_TOKEN = {
    "name": "token",
    "in": "query",
    "required": False,
    "schema": {"type": "string"},
    "description": "An access token, where no header can be set.",
}
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def token_of(request: web.Request) -> str:
    """Give the access token of a request; empty when there is none. Browsers cannot set headers here."""
    token = bearer_token(request)
    return request.query.get("token", "").strip() if token is None else token


def describe(
    path: str,
    operation_id: str,
    *,
    tag: str,
    summary: str,
    ending: str,
    parameters: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Describe a WebSocket as OpenAPI can.

    Args:
        path: of the route.
        operation_id: unique.
        tag: under which it is listed.
        summary: one line.
        ending: what it is closed with, and why.
        parameters: beside the token.
    """
    faults = {"400": "No WebSocket", "421": "Misdirected Request", "500": "Fault"}
    operation = {
        "summary": summary,
        "operationId": operation_id,
        "tags": [tag],
        "parameters": [*parameters, _TOKEN],
        "security": [{}, {"token": []}],
        "responses": {
            "101": {"description": f"Switching Protocols; closed with {ending}"},
            **{status: {"description": words, "content": _PROBLEM} for status, words in faults.items()},
        },
    }
    return {path: {"get": operation}}
