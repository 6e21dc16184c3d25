"""The route table's rows, and how a row becomes a route of the web server."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web
from pydantic import BaseModel

from control_api.call import Call, identify
from control_api.idempotency import Idempotency
from control_api.token.access import TokenVerifier


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
    is_once: bool = False
    """Whether doing it twice would hurt: an `Idempotency-Key` is honoured."""


def bind(route: Route, verifier: TokenVerifier, idempotency: Idempotency) -> web.RouteDef:
    """Make a row servable: who asks is known before its handler runs."""

    async def handle(request: web.Request) -> web.StreamResponse:
        identity = await identify(request, verifier) if route.takes_user or route.needs_user else None
        call = Call(request, identity)
        if route.needs_user:
            call.user  # noqa: B018 refuses who has no token before anything is looked at
        return await (idempotency.run(call, route.handler) if route.is_once else route.handler(call))

    return web.route(route.method, route.path, handle)


def bind_all(table: Sequence[Route], verifier: TokenVerifier, idempotency: Idempotency) -> list[web.RouteDef]:
    """Make rows servable. A path of words alone, such as `…/live`, is never taken for another's `…/{id}`."""
    return [*(bind(route, verifier, idempotency) for route in table), *_refusals(table)]


def _refusals(table: Sequence[Route]) -> Iterator[web.RouteDef]:
    patterns = [re.sub(r"{\w+}", "[^/]+", route.path) for route in table if "{" in route.path]
    fixed = dict.fromkeys(route.path for route in table if "{" not in route.path)
    for path in fixed:
        if any(re.fullmatch(pattern, path) for pattern in patterns):
            known = {route.method for route in table if route.path == path}
            yield web.route("*", path, _refuse_method(known | ({"HEAD"} if "GET" in known else set())))


def _refuse_method(known: set[str]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def refuse(request: web.Request) -> web.StreamResponse:
        raise web.HTTPMethodNotAllowed(request.method, known)

    return refuse


def json_answer(
    answer: BaseModel, status: int = 200, *, headers: Mapping[str, str] | None = None, skip_none: bool = False
) -> web.Response:
    """Answer with a model as JSON. Answers depend on who asks, so no shared cache may keep them."""
    return ready_answer(answer.model_dump_json(exclude_none=skip_none).encode(), status, headers=headers)


def ready_answer(body: bytes, status: int = 200, *, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer with what is JSON already."""
    kept = {"Cache-Control": "private, no-cache", "Vary": "Authorization", **(headers or {})}
    return web.Response(
        body=body, status=status, content_type="application/json", charset="utf-8", headers=kept
    )
