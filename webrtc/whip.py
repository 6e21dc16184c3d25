"""WHIP (RFC 9725): a browser or an encoder sends an offer and its stream key, and media after the answer."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from media.error import StreamError

from .http_answer import (
    FRAGMENT_TYPE,
    HEADERS,
    SDP_TYPE,
    Handler,
    RefusedError,
    bearer_token,
    guard,
    preflight,
    read_text,
    refuse_method,
)
from .ice_server import IceServer, link_values
from .precondition import check_precondition
from .rate import RequestRate
from .sdp.description import IceCredentials
from .sdp.fragment import parse_fragment
from .sdp.reader import parse_offer
from .whip_port import WhipGateway

ENDPOINT = "/whip"
SESSION = "/whip/session/{session}"
"""Keys are never part of an address: those stand in logs and histories."""

REQUESTS_PER_S, REQUESTS_AT_ONCE = 50, 200
"""What one address on the internet may do: more than a studio that comes back after a power cut."""

MAX_ENCODER = 200
"""Characters of what a publisher calls itself."""

STARTING_RETRY_S = 1.0

_ENDPOINT_METHODS = "OPTIONS, GET, HEAD, POST"
_SESSION_METHODS = "OPTIONS, GET, HEAD, PATCH, DELETE"

STATUS = {
    "unknown_key": 401,
    "not_acceptable": 406,
    "already_ended": 409,
    "cancelled": 409,
    "no_stream": 409,
    "taking_turns": 409,
}
"""By code of a `StreamError`; a session that is gone is 404, as all others."""

_CHALLENGE = 'Bearer realm="mediaserver"'

_SessionHandler = Callable[[web.Request, "_Session"], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class _Session:
    """A session as HTTP sees it."""

    name: str
    etag: str
    ice: IceCredentials
    """The publisher's, those that count."""


def routes(
    gateway: WhipGateway,
    *,
    ice_servers: Callable[[], Sequence[IceServer]] = tuple,
    clock: Callable[[], float] = time.monotonic,
) -> list[web.RouteDef]:
    """List the routes of WHIP.

    Args:
        gateway: lets publishers in.
        ice_servers: tells the STUN and TURN servers for one publisher, with credentials that are fresh.
        clock: seconds that never step back.
    """
    whip = _Whip(gateway, ice_servers, clock)
    of = whip.of_session
    return [
        web.options(ENDPOINT, whip.preflight),
        web.get(ENDPOINT, guard(_nothing)),
        web.post(ENDPOINT, _guard(whip.offer)),
        web.route("*", ENDPOINT, refuse_method(_ENDPOINT_METHODS)),
        web.route("*", f"{ENDPOINT}/", _without_slash),
        web.options(SESSION, _preflight_session),
        web.get(SESSION, _guard(of(_nothing_of_session))),
        web.patch(SESSION, _guard(of(whip.patch))),
        web.delete(SESSION, _guard(of(whip.end))),
        web.route("*", SESSION, refuse_method(_SESSION_METHODS)),
    ]


class _Whip:
    """The handlers, and the sessions that there are."""

    def __init__(
        self,
        gateway: WhipGateway,
        ice_servers: Callable[[], Sequence[IceServer]],
        clock: Callable[[], float],
    ) -> None:
        self._gateway = gateway
        self._ice_servers = ice_servers
        self._clock = clock
        self._rate = RequestRate(REQUESTS_PER_S, REQUESTS_AT_ONCE)
        self._sessions: dict[str, _Session] = {}

    async def preflight(self, _: web.Request) -> web.Response:
        """Answer OPTIONS; servers are told without their credentials, since nobody has said who asks."""
        response = preflight(_ENDPOINT_METHODS, accept_post=SDP_TYPE)
        self._add_servers(response, has_secrets=False)
        return response

    async def offer(self, request: web.Request) -> web.StreamResponse:
        """Take an offer and make a session of it."""
        self._count(request)
        stream_key = bearer_token(request)
        if stream_key is None:
            detail = "Send the stream key as `Authorization: Bearer STREAM_KEY`."
            raise RefusedError(401, "unauthorized", detail, headers={"WWW-Authenticate": _CHALLENGE})
        text = await read_text(request, SDP_TYPE)
        offer = parse_offer(text)
        made = await self._gateway.publish(stream_key, text, _address(request), _encoder(request))
        self._forget_ended()
        session = self._sessions[made.session] = _Session(made.session, made.etag, offer.ice)
        headers = HEADERS | {"Location": _path(session), "ETag": f'"{session.etag}"'}
        response = web.Response(status=201, body=made.sdp.encode(), content_type=SDP_TYPE, headers=headers)
        self._add_servers(response)
        return response

    def of_session(self, handler: _SessionHandler) -> Handler:
        """Make a handler for a session's address of one that is told the session."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if request.method not in ("GET", "HEAD"):
                self._count(request)
            session = self._sessions.get(request.match_info["session"])
            if session is None or not self._gateway.has(session.name):
                raise RefusedError(404, "not_found", "There is no such session (any more).")
            return await handler(request, session)

        return handle

    async def patch(self, request: web.Request, session: _Session) -> web.StreamResponse:
        """Take candidates, or a restart of ICE."""
        text = await read_text(request, FRAGMENT_TYPE)
        fragment = parse_fragment(text)
        check_precondition(request.headers.get("If-Match"), session.etag)
        if fragment.ice is None or fragment.ice == session.ice:
            # The publisher's candidates: ours is an agent that waits to be found (RFC 8445, 2.5).
            return web.Response(status=204, headers=HEADERS)
        sdp, session.etag = await self._gateway.restart(session.name, text)
        session.ice = fragment.ice
        headers = HEADERS | {"ETag": f'"{session.etag}"'}
        return web.Response(status=200, body=sdp.encode(), content_type=FRAGMENT_TYPE, headers=headers)

    async def end(self, _: web.Request, session: _Session) -> web.StreamResponse:
        """End a session: the publisher has stopped, and will hardly come back."""
        self._sessions.pop(session.name, None)
        await self._gateway.end(session.name)
        return web.Response(status=200, headers=HEADERS)

    def _forget_ended(self) -> None:
        for name in [name for name in self._sessions if not self._gateway.has(name)]:
            del self._sessions[name]

    def _add_servers(self, response: web.Response, *, has_secrets: bool = True) -> None:
        for server in self._ice_servers():
            for value in link_values(server, has_secrets=has_secrets):
                response.headers.add("Link", value)

    def _count(self, request: web.Request) -> None:
        wait_s = self._rate.take(request.remote, self._clock())
        if wait_s > 0:
            detail = f"At most {REQUESTS_PER_S} requests a second from one address."
            raise RefusedError(429, "rate_limited", detail, wait_s)


def _guard(handler: Handler) -> Handler:
    """Answer the errors that a handler raises on purpose, those of publishing among them."""

    async def starting(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except StreamError as error:
            if error.code == "starting":
                raise RefusedError(503, error.code, error.detail, STARTING_RETRY_S) from error
            raise

    return guard(starting, STATUS)


def _path(session: _Session) -> str:
    return SESSION.format(session=session.name)


def _address(request: web.Request) -> str:
    """Say where a request came from, as the log has it for RTMP."""
    name = request.transport.get_extra_info("peername") if request.transport is not None else None
    if isinstance(name, tuple) and len(name) >= 2:
        return f"[{name[0]}]:{name[1]}" if ":" in str(name[0]) else f"{name[0]}:{name[1]}"
    return request.remote or ""


def _encoder(request: web.Request) -> str:
    text = request.headers.get("User-Agent", "")[:MAX_ENCODER]
    return "".join(character for character in text if character.isprintable())


async def _nothing(_: web.Request) -> web.StreamResponse:
    return web.Response(status=200, content_type=SDP_TYPE, headers=HEADERS)


async def _nothing_of_session(request: web.Request, _session: _Session) -> web.StreamResponse:
    return await _nothing(request)


async def _preflight_session(_: web.Request) -> web.StreamResponse:
    return preflight(_SESSION_METHODS, accept_patch=FRAGMENT_TYPE)


async def _without_slash(request: web.Request) -> web.StreamResponse:
    if request.method == "OPTIONS":
        return preflight(_ENDPOINT_METHODS, accept_post=SDP_TYPE)  # no browser follows a redirect here
    address = request.rel_url.with_path(ENDPOINT, keep_query=True)
    return web.Response(status=307, headers=HEADERS | {"Location": str(address)})
