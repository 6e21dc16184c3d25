"""`mediaserver demo`: a channel that broadcasts a test picture to this server's own RTMP port."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from control_api.postgres.user_table import SEED_USER
from control_api.stream.record import Status, Stream
from control_api.stream.service import StreamService
from control_api.stream.store import StreamQuery
from media.error import ConfigError
from mediaserver.config import Settings

log = structlog.get_logger(__name__)

STOP_S = 3.0
"""How long the demo's encoder may take to stop in order."""


async def ready_stream(settings: Settings, service: StreamService) -> Stream | None:
    """Give the seeded user a stream that goes live with the first packet, one that still waits if there is one.

    Returns:
        None where the seeded user is nobody: tokens come from another application, or it has too few followers.
    """
    has_other_users = settings.jwt_secret.get_secret_value() or settings.jwt_jwks_url
    if (
        has_other_users
        or settings.social_graph_grpc_url
        or not (await service.eligibility(SEED_USER)).eligible
    ):
        return None
    query = StreamQuery(user_id=SEED_USER, status=Status.CREATED)
    for stream in await service.list_streams(query):
        if stream.auto_start:
            return stream
    return await service.create(SEED_USER, {"title": "My first stream", "auto_start": True})


@asynccontextmanager
async def demo_broadcast(service: StreamService, rtmp_url: str) -> AsyncIterator[Stream]:
    """Broadcast the demo while the block runs.

    Args:
        service: makes the demo's stream.
        rtmp_url: of this server, without the key.

    Yields:
        The stream, already live.

    Raises:
        ConfigError: the seeded user may not go live with this configuration.
    """
    eligibility = await service.eligibility(SEED_USER)
    if not eligibility.eligible:
        need = f"the demo's user has {eligibility.follower_count} followers"
        raise ConfigError([f"MIN_FOLLOWERS_TO_STREAM={eligibility.required}: {need}; set it to that or less"])
    fields = {
        "title": "Demo broadcast",
        "description": "A clock, a frame counter and a tone.",
        "quality": "720p",
    }
    stream = await service.create(SEED_USER, fields)
    await service.start(stream.id)
    url = f"{rtmp_url}/{stream.stream_key}"
    command = (sys.executable, "-m", "mediaserver.demo_source", url, "--with-parent")
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
    try:
        yield stream
    finally:
        await _stop(process)
        await service.end(stream.id, "the demo is over")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        log.warning("the demo's encoder did not stop and is killed")
        process.kill()
        await process.wait()
