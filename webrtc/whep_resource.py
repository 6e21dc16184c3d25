"""The resources of WHEP: where offers go, and the sessions that come of them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from media.error import StreamError

from .http_answer import (
    FRAGMENT_TYPE,
    HEADERS,
    SDP_TYPE,
    Handler,
    RefusedError,
    bearer_token,
    preflight,
    read_text,
)
from .ice_server import IceServer, link_values
from .port import Audience, Broadcasts
from .precondition import check_precondition
from .rate import RequestRate
from .sdp.description import IceCredentials
from .sdp.fragment import parse_fragment
from .sdp.reader import parse_answer, parse_offer
from .whep_extension import links
from .whep_port import CounterOffer, Established, WhepGateway
from .whep_session import Session, video_section

SessionHandler = Callable[[web.Request, Session], Awaitable[web.StreamResponse]]

COUNTER_OFFER_S = 30
"""How long a counter-offer waits for its answer."""

REQUESTS_PER_S, REQUESTS_AT_ONCE = 400, 1000
"""What one address on the internet may do; an office of many viewers does not come near."""

ENDPOINT_METHODS = "OPTIONS, GET, HEAD, POST"


class Endpoint:
    """The handlers, and the sessions that there are."""

    def __init__(
        self,
        gateway: WhepGateway,
        broadcasts: Broadcasts,
        audience: Audience,
        ice_servers: Callable[[], Sequence[IceServer]],
        clock: Callable[[], float],
    ) -> None:
        self._gateway = gateway
        self._broadcasts = broadcasts
        self._audience = audience
        self._ice_servers = ice_servers
        self._clock = clock
        self._rate = RequestRate(REQUESTS_PER_S, REQUESTS_AT_ONCE)
        self._sessions: dict[str, Session] = {}
        self._ends: set[asyncio.Task[None]] = set()

    def of_session(self, handler: SessionHandler) -> Handler:
        """Make a handler for a session's address of one that is told the session."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if request.method not in ("GET", "HEAD"):
                self._count(request)
            session = self._sessions.get(request.match_info["session"])
            if session is None or session.stream_id != request.match_info["stream_id"]:
                raise RefusedError(404, "not_found", "There is no such session (any more).")
            return await handler(request, session)

        return handle

    async def preflight(self, _: web.Request) -> web.Response:
        """Answer OPTIONS; servers are told without their credentials, since nobody has said who asks."""
        response = preflight(ENDPOINT_METHODS, accept_post=SDP_TYPE)
        for server in self._ice_servers():
            _add_links(response, link_values(server, has_secrets=False))
        return response

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Answer GET with nothing, where the viewer may watch."""
        await self._audience.authorize(request.match_info["stream_id"], _token(request))
        return empty()

    async def offer(self, request: web.Request) -> web.StreamResponse:
        """Take an offer and make a session of it."""
        self._count(request)
        stream_id, token = request.match_info["stream_id"], _token(request)
        await self._audience.authorize(stream_id, token)
        text = await read_text(request, SDP_TYPE)
        offer = parse_offer(text)
        if self._broadcasts.find_source(stream_id) is None:
            raise StreamError("not_live", "The stream is not live at the moment.")
        session = Session("", stream_id, token, video_section(offer), secrets.token_urlsafe(6), offer.ice)
        made = await self._gateway.offer(stream_id, text, lambda: self._note_change(session))
        session.name = made.session
        self._sessions[session.name] = session
        if isinstance(made, CounterOffer):
            session.is_pending = True
            self._expire_later(session)
            return _sdp(406, made.sdp, session)
        return await self._established(session, made)

    async def patch(self, request: web.Request, session: Session) -> web.StreamResponse:
        """Take candidates, a restart of ICE, or the answer to a counter-offer."""
        text = await read_text(request, FRAGMENT_TYPE, SDP_TYPE)
        if request.content_type.lower() == SDP_TYPE:
            return await self._take_answer(session, text)
        fragment = parse_fragment(text)
        if session.is_pending:
            raise RefusedError(409, "wrong_state", "The counter-offer was not answered yet.")
        check_precondition(request.headers.get("If-Match"), session.etag)
        if fragment.ice is None or fragment.ice == session.ice:
            # The viewer's candidates: ours is an agent that waits to be found (RFC 8445, 2.5).
            return web.Response(status=204, headers=HEADERS)
        return await self._restart(session, text, fragment.ice)

    async def end(self, _: web.Request, session: Session) -> web.StreamResponse:
        """End a session."""
        self._drop(session)
        await self._gateway.end(session.name)
        return web.Response(status=200, headers=HEADERS)

    async def _established(self, session: Session, made: Established) -> web.StreamResponse:
        session.etag = made.etag
        await self._attend(session)
        response = _sdp(201, made.sdp, session)
        response.headers["ETag"] = f'"{session.etag}"'
        for server in self._ice_servers():
            _add_links(response, link_values(server))
        _add_links(response, links(session))
        return response

    async def _take_answer(self, session: Session, text: str) -> web.StreamResponse:
        if not session.is_pending:
            raise RefusedError(409, "wrong_state", "No counter-offer waits for an answer.")
        answer = parse_answer(text)
        await self._gateway.answer(session.name, text)
        session.is_pending = False
        session.ice, session.section = answer.ice, video_section(answer)
        await self._attend(session)
        return web.Response(status=204, headers=HEADERS | {"ETag": f'"{session.etag}"'})

    async def _restart(self, session: Session, text: str, ice: IceCredentials) -> web.StreamResponse:
        sdp, session.etag = await self._gateway.restart(session.name, text)
        session.ice = ice
        headers = HEADERS | {"ETag": f'"{session.etag}"'}
        return web.Response(status=200, body=sdp.encode(), content_type=FRAGMENT_TYPE, headers=headers)

    async def _attend(self, session: Session) -> None:
        try:
            session.attend(await self._audience.attend(session.stream_id, session.token))
        except BaseException:
            self._drop(session)
            await self._gateway.end(session.name)
            raise
        self._note_change(session)

    def _note_change(self, session: Session) -> None:
        """Look whether a session is over; until it has its name, nobody asks."""
        if not session.name:
            return
        if self._gateway.view(session.name) is None:
            self._drop(session)
        else:
            session.wake()

    def _drop(self, session: Session) -> None:
        self._sessions.pop(session.name, None)
        session.close()

    def _expire_later(self, session: Session) -> None:
        def expire() -> None:
            if session.is_pending and not session.is_over:
                self._drop(session)
                task = asyncio.create_task(self._gateway.end(session.name))
                self._ends.add(task)
                task.add_done_callback(self._ends.discard)

        asyncio.get_running_loop().call_later(COUNTER_OFFER_S, expire)

    def _count(self, request: web.Request) -> None:
        wait_s = self._rate.take(request.remote, self._clock())
        if wait_s > 0:
            detail = f"At most {REQUESTS_PER_S} requests a second from one address."
            raise RefusedError(429, "rate_limited", detail, wait_s)


def _sdp(status: int, sdp: str, session: Session) -> web.Response:
    headers = HEADERS | {"Location": session.path}
    return web.Response(status=status, body=sdp.encode(), content_type=SDP_TYPE, headers=headers)


def _add_links(response: web.Response, values: Sequence[str]) -> None:
    for value in values:
        response.headers.add("Link", value)


def empty() -> web.Response:
    """Answer GET: there is nothing to show, but this is the type of what is taken."""
    return web.Response(status=200, content_type=SDP_TYPE, headers=HEADERS)


def _token(request: web.Request) -> str | None:
    """Find what the viewer shows of its rights: in the address, else in the header."""
    return request.match_info.get("token") or bearer_token(request)
