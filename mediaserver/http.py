"""One web application for everything on PORT: the API, HLS and the pages."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from aiohttp import web

from control_api import http as control_http
from control_api.address import Addresses, name_in
from control_api.call import MAX_BODY
from control_api.host import host_middleware, is_allowed_host
from control_api.plane import ControlPlane
from control_api.problem import problem_middleware
from control_api.status_route import Check
from control_api.stream.playback import PlaybackSigner
from hls import auth_http, dash_http, picture_http
from hls import description as hls_description
from hls import http as hls_http
from hls.hot import HotDelivery
from hls.rendered import RenderedPlaylists
from mediaserver import metrics, pages, rtc
from mediaserver.config import Settings
from mediaserver.hot_server import HotRunner
from mediaserver.live.stage import Stage
from rtmp.server import RtmpServer
from webrtc.plane import WebRtcPlane


def make_runner(
    settings: Settings,
    stage: Stage,
    control: ControlPlane,
    playback: PlaybackSigner,
    rtmp: RtmpServer,
    *,
    webrtc: WebRtcPlane,
    **options: Any,
) -> web.AppRunner:
    """Join the rooms' routes, and the short way for HLS.

    Args:
        settings: the configuration.
        stage: has the broadcasts.
        control: the services behind the API.
        playback: signs the addresses of private streams.
        rtmp: the listener, for what is told to encoders.
        webrtc: has the sessions of viewers and publishers.
        options: of `aiohttp.web.AppRunner`.
    """
    rendered = RenderedPlaylists(stage.config)
    hot = HotDelivery(stage, stage.config, rendered)
    application = _make_application(
        settings, stage, control, playback, rtmp, webrtc=webrtc, rendered=rendered, hot=hot
    )

    def is_allowed(host: str, local: object) -> bool:
        name = name_in(host)
        address = local if isinstance(local, str) else None
        return name is not None and is_allowed_host(name, address, names)

    names = tuple(name.lower() for name in settings.allowed_hosts)
    return HotRunner(application, hot, is_allowed, **options)


def _make_application(
    settings: Settings,
    stage: Stage,
    control: ControlPlane,
    playback: PlaybackSigner,
    rtmp: RtmpServer,
    *,
    webrtc: WebRtcPlane,
    rendered: RenderedPlaylists,
    hot: HotDelivery,
) -> web.Application:
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
        "database": lambda: control.database.fault,
    }
    application.add_routes(
        control_http.routes(
            control,
            playback,
            addresses,
            checks=checks,
            version=version("mediaserver"),
            extra_paths=hls_description.paths() | rtc.paths() | metrics.paths(),
        )
    )
    application.add_routes(auth_http.routes(stage, stage.previews))
    application.add_routes(hls_http.preview_routes(stage.previews, stage.preview_config))
    application.add_routes(picture_http.routes(stage, stage.config))
    application.add_routes(dash_http.routes(stage, stage.config))
    application.add_routes(hls_http.routes(stage, stage.config, rendered))
    application.add_routes(rtc.routes(settings, webrtc, stage, control))
    application.add_routes(
        metrics.routes(
            stage,
            settings.metrics_token,
            answered=hot.answered,
            sockets=control.hub.traffic,
            bus=control.bus,
            webrtc=webrtc,
        )
    )
    application.add_routes(pages.routes())

    async def hang_up(_: web.Application) -> None:
        control.hub.close()
        control.announcements.board.close()
        webrtc.hang_up()

    application.on_shutdown.append(hang_up)
    return application
