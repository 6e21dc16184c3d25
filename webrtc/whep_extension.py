"""The two extensions of WHEP: viewers choose a rung, and are told what happens (draft-ietf-wish-whep-03, 4.9)."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from aiohttp import web

from .http_answer import HEADERS, RefusedError, json_answer, read_json
from .port import Broadcasts
from .whep_port import SessionView, WhepGateway
from .whep_session import EVENTS, MAX_CHANNELS, Reader, Session, layers_document, layers_text

URN = "urn:ietf:params:whep:ext:core"

EVENT_STREAM_TYPE = "text/event-stream"

KEEP_ALIVE_S = 15
"""How long an event stream is silent at most, so that proxies leave it open."""

_CHOICES = ("encodingId", "rid")
_KNOWN = (*_CHOICES, "mediaId")


def links(session: Session) -> list[str]:
    """Write the `Link` headers that tell of the extensions."""
    return [
        f'<{session.path}/layer>; rel="{URN}:layer"',
        f'<{session.path}/events>; rel="{URN}:server-sent-events"; events="{",".join(EVENTS)}"',
    ]


class Extensions:
    """The handlers of a session's extensions."""

    def __init__(self, gateway: WhepGateway, broadcasts: Broadcasts) -> None:
        self._gateway = gateway
        self._broadcasts = broadcasts

    async def show_layers(self, _: web.Request, session: Session) -> web.StreamResponse:
        """Tell which rungs there are, and which one is sent."""
        return json_answer(layers_document(self._view(session)))

    async def choose_layer(self, request: web.Request, session: Session) -> web.StreamResponse:
        """Fix a rung, or leave the choice to the server."""
        rung = _parse_choice(await read_json(request))
        if rung is not None and rung not in {item.name for item in self._view(session).rungs}:
            raise RefusedError(404, "not_found", f"This stream has no layer {rung[:40]!a}.")
        await self._gateway.choose(session.name, rung)
        return await self.show_layers(request, session)

    async def free_layer(self, request: web.Request, session: Session) -> web.StreamResponse:
        """Leave the choice to the server."""
        await self._gateway.choose(session.name, None)
        return await self.show_layers(request, session)

    async def make_channel(self, request: web.Request, session: Session) -> web.StreamResponse:
        """Make an event stream with some types of events."""
        types = _parse_types(await read_json(request))
        if len(session.channels) >= MAX_CHANNELS:
            raise RefusedError(409, "too_many", f"A session has at most {MAX_CHANNELS} event streams.")
        name = secrets.token_urlsafe(8)
        session.channels[name] = types
        return web.Response(status=201, headers=HEADERS | {"Location": f"{session.path}/events/{name}"})

    async def read_events(self, request: web.Request, session: Session) -> web.StreamResponse:
        """Send events for as long as the session and the connection last."""
        channel = request.match_info.get("channel", "")
        types = session.channels.get(channel) if channel else frozenset(EVENTS)
        if types is None:
            raise _no_channel()
        if request.method == "HEAD":
            return web.Response(content_type=EVENT_STREAM_TYPE, headers=HEADERS)
        changed = asyncio.Event()
        reader = Reader(channel, types, changed.set)
        session.add_reader(reader)
        response = web.StreamResponse(headers=HEADERS | {"X-Accel-Buffering": "no"})
        response.content_type = EVENT_STREAM_TYPE
        try:
            await response.prepare(request)
            await self._send_events(response, session, reader, changed)
        except ConnectionError:
            pass  # the reader has gone
        finally:
            session.remove_reader(reader)
        return response

    async def end_channel(self, request: web.Request, session: Session) -> web.StreamResponse:
        """End an event stream."""
        channel = request.match_info["channel"]
        if session.channels.pop(channel, None) is None:
            raise _no_channel()
        for reader in session.readers:
            if reader.channel == channel:
                reader.close()
        return web.Response(status=200, headers=HEADERS)

    async def _send_events(
        self, response: web.StreamResponse, session: Session, reader: Reader, changed: asyncio.Event
    ) -> None:
        while not reader.is_over:
            changed.clear()
            is_live = self._broadcasts.find_source(session.stream_id) is not None
            text = reader.update(is_live, layers_text(self._view(session), session.section))
            await response.write((text or ": still here\n\n").encode())
            try:
                async with asyncio.timeout(KEEP_ALIVE_S):
                    await changed.wait()
            except TimeoutError:
                continue

    def _view(self, session: Session) -> SessionView:
        return self._gateway.view(session.name) or SessionView(None, None, (), is_connected=False)


def _parse_choice(body: Any) -> str | None:
    if not isinstance(body, dict) or any(name not in _KNOWN for name in body):
        raise RefusedError(422, "invalid", f"The body has to be an object with {', '.join(_KNOWN)} at most.")
    chosen = [body[name] for name in _CHOICES if body.get(name) is not None]
    if not chosen:
        return None
    if not isinstance(chosen[0], str):
        raise RefusedError(422, "invalid", "encodingId has to be a text or null.")
    return chosen[0]


def _parse_types(body: Any) -> frozenset[str]:
    wanted = body.get("events") if isinstance(body, dict) else body
    if wanted is None:
        return frozenset(EVENTS)
    if not isinstance(wanted, list) or not all(isinstance(item, str) for item in wanted):
        raise RefusedError(422, "invalid", "The body has to be a list of types of events.")
    return frozenset(wanted) & frozenset(EVENTS)


def _no_channel() -> RefusedError:
    return RefusedError(404, "not_found", "There is no such event stream.")
