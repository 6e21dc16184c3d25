"""Whether the services answer that the configuration names."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from control_api.event.redis_stream import redis_streams
from control_api.postgres.migration import check
from media.error import CapacityError, ConfigError
from mediaserver.config import Settings


def service_faults(settings: Settings) -> Sequence[str]:
    """Try each; say what is wrong."""
    return asyncio.run(_faults(settings))


async def _faults(settings: Settings) -> list[str]:
    faults: list[str] = []
    if dsn := settings.database_url.get_secret_value():
        try:
            await check(dsn)
        except ConfigError as error:
            faults += error.problems
    if url := settings.redis_url.get_secret_value():
        async with redis_streams(url) as redis:
            try:
                await redis.ping()
            except CapacityError as error:
                faults.append(f"REDIS_URL: {error.detail}")
    return faults
