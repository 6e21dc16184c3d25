"""The route table's rows, and how a row becomes a route of the web server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from pydantic import BaseModel

from control_api.call import Call, identify
from control_api.token import TokenSigner


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation: enough to serve it and to describe it."""

    method: str
    path: str
    """As in aiohttp and OpenAPI: `/api/v1/streams/{id}`."""
    handler: Callable[[Call], Awaitable[web.Response]]
    summary: str
    needs_user: bool = False
    takes_user: bool = True
    """Whether an access token makes a difference."""
    body: type[BaseModel] | None = None
    body_needed: bool = True
    query: type[BaseModel] | None = None
    answers: Mapping[int, type[BaseModel] | None] = field(default_factory=dict)
    """Shape of each good answer, by status; None for an empty one."""
    problems: tuple[int, ...] = ()
    """Statuses of error answers beyond those that follow from the row."""


def bind(route: Route, signer: TokenSigner) -> web.RouteDef:
    """Make a row servable: who asks is known before its handler runs."""

    async def handle(request: web.Request) -> web.StreamResponse:
        call = Call(request, identify(request, signer) if route.takes_user or route.needs_user else None)
        if route.needs_user:
            call.user  # noqa: B018 refuses who has no token before anything is looked at
        return await route.handler(call)

    return web.route(route.method, route.path, handle)


def json_answer(
    answer: BaseModel, status: int = 200, *, headers: Mapping[str, str] | None = None, skip_none: bool = False
) -> web.Response:
    """Answer with a model as JSON. Answers depend on who asks, so no shared cache may keep them."""
    kept = {"Cache-Control": "private, no-cache", "Vary": "Authorization", **(headers or {})}
    body = answer.model_dump_json(exclude_none=skip_none).encode()
    return web.Response(
        body=body, status=status, content_type="application/json", charset="utf-8", headers=kept
    )
