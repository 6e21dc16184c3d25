"""The control plane as this process runs it: the registry under DATA_DIR and the services on top."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from control_api.port import Broadcasts
from control_api.registry import Registry
from control_api.service import StreamService
from control_api.token import TokenSigner
from control_api.user import UserService
from mediaserver.config import Settings


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """The services that routes and other rooms ask."""

    service: StreamService
    users: UserService
    signer: TokenSigner


@asynccontextmanager
async def open_control_plane(
    settings: Settings, secret: bytes, broadcasts: Broadcasts
) -> AsyncIterator[ControlPlane]:
    """Open the registry, and close it at the end.

    Raises:
        ConfigError: DATA_DIR cannot be used, or another server uses it.
    """
    registry = await Registry.open(settings.data_dir)
    try:
        yield ControlPlane(
            service=StreamService(registry, broadcasts, min_followers=settings.min_followers_to_stream),
            users=UserService(registry),
            signer=TokenSigner(secret, settings.jwt_issuer, settings.jwt_audience),
        )
    finally:
        await registry.close()
