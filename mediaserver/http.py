"""One web application for everything on PORT: the API, HLS and the pages."""

from __future__ import annotations

from importlib.metadata import version

from aiohttp import web

from control_api import http as control_http
from control_api.address import Addresses
from control_api.call import MAX_BODY
from control_api.host import host_middleware
from control_api.playback import PlaybackSigner
from control_api.problem import problem_middleware
from control_api.status_route import Check
from hls import description as hls_description
from hls import http as hls_http
from mediaserver import metrics, pages
from mediaserver.config import Settings
from mediaserver.control import ControlPlane
from mediaserver.live.stage import Stage
from rtmp.server import RtmpServer


def make_application(
    settings: Settings, stage: Stage, control: ControlPlane, playback: PlaybackSigner, rtmp: RtmpServer
) -> web.Application:
    """Join the rooms' routes."""
    application = web.Application(
        middlewares=[host_middleware(settings.allowed_hosts), problem_middleware], client_max_size=MAX_BODY
    )
    addresses = Addresses(
        rtmp_port=lambda: rtmp.port,
        rtmp_server_url=settings.rtmp_server_url,
        hls_base_url=settings.cdn_hls_base_url,
        webrtc_base_url=settings.cdn_webrtc_base_url,
    )
    checks: dict[str, Check] = {
        "http": lambda: None,
        "rtmp": lambda: None if rtmp.is_listening else "not listening yet",
    }
    application.add_routes(
        control_http.routes(
            control.service,
            control.users,
            control.signer,
            playback,
            addresses,
            checks=checks,
            version=version("mediaserver"),
            extra_paths=hls_description.paths() | metrics.paths(),
        )
    )
    application.add_routes(hls_http.routes(stage, stage.config))
    application.add_routes(metrics.routes(stage, settings.metrics_token))
    application.add_routes(pages.routes())
    return application
