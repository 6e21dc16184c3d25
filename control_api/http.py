"""The control API as routes of a web server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from control_api.address import Addresses
from control_api.openapi import openapi
from control_api.playback import PlaybackSigner
from control_api.route import bind
from control_api.service import StreamService
from control_api.status_route import Check, StatusRoutes
from control_api.stream_route import StreamRoutes
from control_api.token import TokenSigner
from control_api.user import UserService
from control_api.user_route import UserRoutes


def routes(
    service: StreamService,
    users: UserService,
    signer: TokenSigner,
    playback: PlaybackSigner,
    addresses: Addresses,
    *,
    checks: Mapping[str, Check],
    version: str,
    extra_paths: Mapping[str, Mapping[str, Any]] | None = None,
    clock: Callable[[], float] = time.time,
) -> list[web.RouteDef]:
    """Make the routes. They need `control_api.problem.problem_middleware` around them.

    Args:
        service: streams.
        users: follows and channel keys.
        signer: verifies access tokens.
        playback: signs the addresses of private streams.
        addresses: what answers tell.
        checks: for `/readyz`, by name.
        version: of the program.
        extra_paths: OpenAPI path items of routes that other rooms serve.
        clock: Unix time.
    """
    table = [
        *StreamRoutes(service, addresses, playback, clock).table(),
        *UserRoutes(users, addresses).table(),
        *StatusRoutes(checks).table(),
    ]
    document = json.dumps(openapi(table, version, extra_paths)).encode()

    async def description(_: web.Request) -> web.Response:
        headers = {"Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}
        return web.Response(body=document, content_type="application/json", headers=headers)

    return [*(bind(route, signer) for route in table), web.get("/openapi.json", description)]
