"""`mediaserver migrate`: the schema without the server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from control_api.postgres.migration import bring_up_to_date
from mediaserver.config import Settings
from mediaserver.control import open_database


def migrate(settings: Settings) -> Sequence[str]:
    """Bring the database to the newest schema.

    Returns:
        Names of the migrations that were applied.

    Raises:
        ConfigError: the database cannot be used.
    """
    return asyncio.run(_migrate(settings))


async def _migrate(settings: Settings) -> Sequence[str]:
    async with open_database(settings) as dsn:
        return await bring_up_to_date(dsn)
