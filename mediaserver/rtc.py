"""WebRTC as this server runs it: its processes, its routes, who may watch and who may publish."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from control_api.plane import ControlPlane
from mediaserver.config import Settings
from mediaserver.live.stage import Stage
from mediaserver.live.whip_gate import WhipGate
from mediaserver.media_audience import MediaAudience
from webrtc import description, whep, whip, whip_description
from webrtc.gateway import Gateway
from webrtc.ice_server import IceServer, with_temporary_credentials
from webrtc.message import Listen
from webrtc.plane import WebRtcPlane
from webrtc.publisher import Publishers

CREDENTIALS_S = 24 * 3600
"""For how long a user of a TURN server is good; a session that has begun goes on."""


@asynccontextmanager
async def open_webrtc(settings: Settings, stage: Stage) -> AsyncIterator[WebRtcPlane]:
    """Run the WebRTC processes meanwhile; nobody waits until they listen."""
    listen = Listen(settings.host, settings.webrtc_udp_port, settings.webrtc_public_ips)
    publishers = Publishers(WhipGate(stage))
    plane = WebRtcPlane(listen, settings.webrtc_workers, Gateway(stage), publishers)
    plane.start()
    try:
        yield plane
    finally:
        await plane.close()


def routes(settings: Settings, plane: WebRtcPlane, stage: Stage, control: ControlPlane) -> list[web.RouteDef]:
    """List the routes of WHEP and WHIP."""
    audience = MediaAudience(stage, control.streams, control.verifier, control.attendance.viewers)

    def servers() -> Sequence[IceServer]:
        return ice_servers(settings, time.time())

    return [
        *whep.routes(plane.gateway, stage, audience, ice_servers=servers),
        *whip.routes(plane.publishers, ice_servers=servers),
    ]


def paths() -> dict[str, dict[str, Any]]:
    """Describe the routes as OpenAPI path items."""
    return {**description.paths(), **whip_description.paths()}


def ice_servers(settings: Settings, now: float) -> list[IceServer]:
    """List the STUN and TURN servers for a client that comes `now` (Unix time)."""
    secret = settings.webrtc_turn_secret.get_secret_value()
    return [
        with_temporary_credentials(IceServer((url,)), secret, "mediaserver", int(now) + CREDENTIALS_S)
        if url.startswith("turn")
        else IceServer((url,))
        for url in settings.webrtc_ice_servers
    ]
