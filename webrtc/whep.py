"""WHEP (draft-ietf-wish-whep-03): viewers send offers and get answers; sessions are resources of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from aiohttp import web

from .http_answer import (
    FRAGMENT_TYPE,
    HEADERS,
    SDP_TYPE,
    Handler,
    RefusedError,
    guard,
    preflight,
    problem,
    refuse_method,
)
from .ice_server import IceServer
from .port import Audience, Broadcasts
from .whep_extension import Extensions
from .whep_port import WhepGateway
from .whep_resource import ENDPOINT_METHODS, Endpoint, empty
from .whep_session import Session

PREFIXES = ("/webrtc/{stream_id}", "/webrtc/{stream_id}/~{token}")
"""Where a stream is watched, without and with a playback token."""

SESSION = "/webrtc/{stream_id}/session/{session}"

_SESSION_METHODS = "OPTIONS, GET, HEAD, PATCH, DELETE"
_LAYER_METHODS = "OPTIONS, GET, HEAD, POST, DELETE"
_CHANNEL_METHODS = "OPTIONS, GET, HEAD, DELETE"


def routes(
    gateway: WhepGateway,
    broadcasts: Broadcasts,
    audience: Audience,
    *,
    ice_servers: Callable[[], Sequence[IceServer]] = tuple,
    clock: Callable[[], float] = time.monotonic,
) -> list[web.RouteDef]:
    """List the routes of WHEP.

    Args:
        gateway: makes sessions.
        broadcasts: says what is on the air.
        audience: lets viewers in and counts them.
        ice_servers: tells the STUN and TURN servers for one viewer, with credentials that are fresh.
        clock: seconds that never step back.
    """
    whep = Endpoint(gateway, broadcasts, audience, ice_servers, clock)
    extensions = Extensions(gateway, broadcasts)
    found = []
    for prefix in PREFIXES:
        found += _resource(prefix, ENDPOINT_METHODS, whep.preflight, get=whep.show, post=whep.offer)
        found.append(web.route("*", f"{prefix}/", guard(_without_slash)))
    of = whep.of_session
    found += _resource(SESSION, _SESSION_METHODS, get=of(_nothing), patch=of(whep.patch), delete=of(whep.end))
    found += _resource(
        f"{SESSION}/layer",
        _LAYER_METHODS,
        get=of(extensions.show_layers),
        post=of(extensions.choose_layer),
        delete=of(extensions.free_layer),
    )
    found += _resource(
        f"{SESSION}/events",
        ENDPOINT_METHODS,
        get=of(extensions.read_events),
        post=of(extensions.make_channel),
    )
    found += _resource(
        f"{SESSION}/events/{{channel}}",
        _CHANNEL_METHODS,
        get=of(extensions.read_events),
        delete=of(extensions.end_channel),
    )
    found.append(web.route("*", "/webrtc/{tail:.*}", guard(_not_found)))
    return found


def _resource(
    path: str, methods: str, options: Handler | None = None, **handlers: Handler
) -> list[web.RouteDef]:
    """Make the routes of one address; what it does not know is 405, for pages of other origins too."""
    found = [web.options(path, options or _preflight(methods))]
    found += [getattr(web, method)(path, guard(handler)) for method, handler in handlers.items()]
    return [*found, web.route("*", path, refuse_method(methods))]


def _preflight(methods: str) -> Handler:
    is_patched = "PATCH" in methods

    async def answer(_: web.Request) -> web.Response:
        return preflight(methods, accept_patch=f"{FRAGMENT_TYPE}, {SDP_TYPE}" if is_patched else "")

    return answer


async def _nothing(_: web.Request, _session: Session) -> web.StreamResponse:
    return empty()


async def _not_found(request: web.Request) -> web.StreamResponse:
    if request.method == "OPTIONS":
        return preflight("OPTIONS")
    return problem(RefusedError(404, "not_found", "There is nothing at this address."))


async def _without_slash(request: web.Request) -> web.StreamResponse:
    if request.method == "OPTIONS":
        return preflight(ENDPOINT_METHODS, accept_post=SDP_TYPE)  # no browser follows a redirect here
    address = request.rel_url.with_path(request.rel_url.raw_path.rstrip("/"), encoded=True, keep_query=True)
    return web.Response(status=307, headers=HEADERS | {"Location": str(address)})
