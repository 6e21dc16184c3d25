"""The whole server: rooms joined, started in order, stopped in order."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import structlog
import uvloop
from aiohttp import web

from control_api.stream.playback import PlaybackSigner
from hls.archive import Archives
from hls.config import HlsConfig
from media.ending import end_task
from media.error import ConfigError, os_reason
from mediaserver.certificate import Certificate, open_certificate
from mediaserver.config import Settings
from mediaserver.control import open_control_plane
from mediaserver.data_lock import locked
from mediaserver.demo import demo_broadcast, ready_stream
from mediaserver.http import make_runner
from mediaserver.live.checkpoint import CheckpointStore
from mediaserver.live.session import Graces
from mediaserver.live.stage import Stage
from mediaserver.place import Places
from mediaserver.rtc import open_webrtc
from mediaserver.secret import access_secret
from rtmp.server import RtmpServer, TlsPort
from transcode.encoder_search import find_hardware
from transcode.render import Renderer
from transcode.supervisor import WorkerPool

log = structlog.get_logger(__name__)

HTTP_DRAIN_S = 2.0
"""How long running answers may take once everything else has stopped; blocked playlists are released before."""

GC_THRESHOLDS = (20_000, 50, 5)
"""New objects until the young ones are looked through; so many times that, until those that stayed are; so many times
that, until all are. 30,000 sockets that come and go leave 120 MB more behind than by default (docs/performance.md)."""

WARM_WORKERS = 2
"""Spares: who comes to a quality that nobody watched needs one for what has passed and one for what comes."""

HTTP_IDLE_S = 75.0
"""How long an idle connection is kept; players come back within seconds."""


def run(settings: Settings, *, demo: bool = False) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: the configuration.
        demo: whether to broadcast a test picture to this server's own port.

    Raises:
        ConfigError: as `serve`.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, demo=demo))


async def serve(settings: Settings, *, demo: bool = False) -> None:
    """Start everything, wait for a signal, stop everything in the reverse order.

    Raises:
        ConfigError: a port is taken or DATA_DIR cannot be used.
    """
    started = time.monotonic()
    stopping = _stop_on_signals()
    async with AsyncExitStack() as stack:
        stack.enter_context(locked(settings.data_dir))
        pool = WorkerPool(warm=WARM_WORKERS)
        stack.push_async_callback(pool.close)
        renderer = Renderer(pool) if settings.ladder == "on_demand" else None
        if renderer is not None:
            stack.push_async_callback(renderer.close)
        warming = asyncio.create_task(_warm_up(pool, settings))
        stack.push_async_callback(end_task, warming)
        secret = access_secret(settings)
        playback = PlaybackSigner(secret)
        archives = _open_archives(settings)
        if archives is not None:
            stack.push_async_callback(archives.close)
        stage = _make_stage(settings, pool, renderer, playback, archives)
        certificate = open_certificate(settings)
        if certificate is not None:
            await stack.enter_async_context(certificate.watching())
        else:
            _stay_on_hang_up(stopping)
        rtmp = _make_rtmp(settings, stage, certificate)
        control = await stack.enter_async_context(open_control_plane(settings, secret, stage))
        stage.report_viewers(control.attendance.viewers)
        webrtc = await stack.enter_async_context(open_webrtc(settings, stage))
        runner = make_runner(
            settings,
            stage,
            control,
            playback,
            rtmp,
            webrtc=webrtc,
            access_log=None,
            shutdown_timeout=HTTP_DRAIN_S,
            keepalive_timeout=HTTP_IDLE_S,
        )
        http_port = await stack.enter_async_context(_serving_http(settings, runner, certificate))
        stack.push_async_callback(_let_players_read, stage)
        stack.push_async_callback(stage.close)
        await warming
        await stage.open(control.streams)
        stack.push_async_callback(rtmp.close)
        await rtmp.start()
        seconds = round(time.monotonic() - started, 3)
        _collect_rarely()
        log.info("ready", http_port=http_port, rtmp_port=rtmp.port, rtmps_port=rtmp.tls_port, seconds=seconds)
        places = Places(settings, http_port, rtmp.port, rtmp.tls_port)
        if demo:
            demo_stream = await stack.enter_async_context(demo_broadcast(control.streams, places.rtmp))
            places.tell(watch=demo_stream.id)
        elif stream := await ready_stream(settings, control.streams):
            places.tell(watch=stream.id, stream_key=stream.stream_key)
        else:
            places.tell()
        await stopping.wait()
        log.info("stopping")


def _collect_rarely() -> None:
    """Let the garbage collector stop the loop less often.

    Looking through everything takes 240 ms with 5,000 sockets, and by default happens after some 70,000 new objects.
    What has been loaded so far stays anyway; what connections leave behind is mostly freed without the collector.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


async def _warm_up(pool: WorkerPool, settings: Settings) -> None:
    """Start codec workers, while the database starts."""
    await pool.start()
    await find_hardware(pool, settings.encoders)


async def _let_players_read(stage: Stage) -> None:
    """Go on serving for a moment: low-latency players ask for the next part at once and read the ENDLIST."""
    if stage.has_broadcasts:
        await asyncio.sleep(stage.config.part_s)


def _open_archives(settings: Settings) -> Archives | None:
    if not settings.dvr_window_s:
        return None
    return Archives(settings.data_dir / "dvr", int(settings.dvr_disk_gb * 1e9))


def _make_stage(
    settings: Settings,
    pool: WorkerPool,
    renderer: Renderer | None,
    playback: PlaybackSigner,
    archives: Archives | None,
) -> Stage:
    config = HlsConfig(
        segment_s=settings.segment_s, part_s=settings.part_s, target_duration_s=settings.target_duration_s
    )
    if archives is not None:
        config = replace(config, window_s=max(settings.dvr_window_s, config.window_s))
    graces = Graces(settings.reconnect_grace_s, settings.stop_grace_s, settings.start_grace_s)
    checkpoints = CheckpointStore(settings.data_dir / "live")
    wanted = settings.ladder if isinstance(settings.ladder, tuple) else None
    return Stage(
        config,
        pool,
        checkpoints,
        graces=graces,
        wanted=wanted,
        renderer=renderer,
        slate_after_s=settings.slate_after_s,
        playback=playback,
        wall_clock=time.time,
        archives=archives,
    )


def _make_rtmp(settings: Settings, stage: Stage, certificate: Certificate | None) -> RtmpServer:
    tls = None
    if certificate is not None and settings.rtmps_port is not None:
        tls = TlsPort(settings.rtmps_port, lambda: certificate.current)
    return RtmpServer(stage, settings.rtmp_host, settings.rtmp_port, tls=tls)


@asynccontextmanager
async def _serving_http(
    settings: Settings, runner: web.AppRunner, certificate: Certificate | None
) -> AsyncIterator[int]:
    """Serve HTTP, or HTTPS where there is a certificate; yields the port.

    At the end running answers get a moment, then their connections close.
    """
    await runner.setup()
    try:
        try:
            context = None if certificate is None else certificate.listening_context()
            await web.TCPSite(runner, settings.host, settings.port, ssl_context=context).start()
        except OSError as error:
            where = f"PORT={settings.port}: cannot listen for HTTP on {settings.host}"
            raise ConfigError([f"{where}: {os_reason(error)}"]) from error
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _stop_on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    return stopping


def _stay_on_hang_up(stopping: asyncio.Event) -> None:
    """Take SIGHUP: there is no certificate to renew. A terminal that is closed is told apart; it stops the server."""
    has_terminal = sys.stdout.isatty()  # asked now: one that is closed says no

    def hang_up() -> None:
        if has_terminal:
            stopping.set()
        else:
            log.info("SIGHUP has nothing to renew: there is no certificate")

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hang_up)
