"""The control API as routes of a web server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from control_api.address import Addresses
from control_api.analytics.route import AnalyticsRoutes
from control_api.chat.route import ChatRoutes
from control_api.event import notice_http
from control_api.moderation.route import ModerationRoutes
from control_api.openapi import openapi
from control_api.plane import ControlPlane
from control_api.realtime import route as realtime_route
from control_api.realtime.route import StreamSocketRoute
from control_api.route import bind_all
from control_api.status_route import Check, StatusRoutes
from control_api.stream.playback import PlaybackSigner
from control_api.stream.route import StreamRoutes
from control_api.user.route import UserRoutes
from control_api.viewer.route import ViewerRoutes
from control_api.webhook.route import WebhookRoutes


def routes(
    plane: ControlPlane,
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
        plane: does what is asked.
        playback: signs the addresses of private streams.
        addresses: what answers tell.
        checks: for `/readyz`, by name.
        version: of the program.
        extra_paths: OpenAPI path items of routes that other rooms serve.
        clock: Unix time.
    """
    viewers = plane.attendance.viewers
    tables = {
        "Streams": StreamRoutes(
            plane.streams, addresses, playback, plane.audit, clock, viewers=viewers
        ).table(),
        "Viewers": ViewerRoutes(plane.attendance, addresses, playback, clock).table(),
        "Analytics": AnalyticsRoutes(plane.attendance.analytics).table(),
        "Chat": ChatRoutes(plane.chat).table(),
        "Moderation": ModerationRoutes(plane.moderation).table(),
        "Users": UserRoutes(plane.users, plane.erasure, addresses, plane.audit).table(),
        "Webhooks": WebhookRoutes(plane.announcements).table(),
        "Server": StatusRoutes(checks).table(),
    }
    table = [route for routes in tables.values() for route in routes]
    document = json.dumps(
        openapi(tables, version, {**notice_http.paths(), **realtime_route.paths(), **(extra_paths or {})})
    ).encode()

    async def description(_: web.Request) -> web.Response:
        headers = {"Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}
        return web.Response(body=document, content_type="application/json", headers=headers)

    return [
        *bind_all(table, plane.verifier, plane.idempotency),
        *notice_http.routes(plane.announcements.board, plane.verifier),
        *StreamSocketRoute(plane.hub, plane.chat, viewers, plane.verifier).routes(),
        web.get("/openapi.json", description),
    ]
