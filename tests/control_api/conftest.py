"""The control API over real HTTP, with a media plane that only takes notes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient

from control_api.address import Addresses
from control_api.host import host_middleware
from control_api.http import routes
from control_api.playback import PlaybackSigner
from control_api.problem import problem_middleware
from control_api.registry import Registry
from control_api.service import StreamService
from control_api.stream import Stream
from control_api.token import TokenSigner
from control_api.user import UserService

SECRET = b"a secret of the tests, long enough"
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
Client = TestClient[web.Request, web.Application]
StartClient = Callable[[web.Application], Awaitable[Client]]


@dataclass
class Notes:
    """The media plane of the tests: writes down what it is told."""

    told: list[tuple[str, str]] = field(default_factory=list)
    connected: set[str] = field(default_factory=set)

    def media(self, stream_id: str) -> dict[str, object]:
        return {"connected": stream_id in self.connected}

    async def start(self, stream: Stream) -> None:
        self.told.append(("start", stream.id))

    async def end(self, stream_id: str, reason: str) -> None:
        self.told.append((f"end {reason}", stream_id))


@dataclass
class House:
    """A running control API. Users: demo has 50 followers, everybody else none."""

    client: Client
    registry: Registry
    service: StreamService
    signer: TokenSigner
    notes: Notes
    faults: dict[str, str]

    async def request(
        self, method: str, path: str, user: str | None = None, *, admin: bool = False, **options: Any
    ) -> ClientResponse:
        headers = dict(options.pop("headers", {}))
        if user is not None:
            headers["Authorization"] = f"Bearer {self.signer.issue(user, admin=admin)}"
        response = await self.client.request(method, path, headers=headers, **options)
        await response.read()
        return response

    async def create(self, user: str = "demo", **fields: object) -> dict[str, Any]:
        response = await self.request("POST", "/api/v1/streams", user, json={"title": "a show", **fields})
        assert response.status == 201, await response.text()
        stream: dict[str, Any] = await response.json()
        return stream


@pytest.fixture
async def house(tmp_path: Path, aiohttp_client: StartClient) -> AsyncIterator[House]:
    registry = await Registry.open(tmp_path)
    notes = Notes()
    service = StreamService(registry, notes, min_followers=50, now=lambda: NOW)
    signer = TokenSigner(SECRET)
    faults: dict[str, str] = {}
    app = web.Application(middlewares=[problem_middleware, host_middleware(())])
    table = routes(
        service,
        UserService(registry),
        signer,
        PlaybackSigner(SECRET),
        Addresses(lambda: 1935),
        checks={"http": lambda: None, "rtmp": lambda: faults.get("rtmp")},
        version="1.2.3",
        clock=NOW.timestamp,
    )
    app.add_routes(table)
    client = await aiohttp_client(app)
    yield House(client, registry, service, signer, notes, faults)
    await client.close()
    await registry.close()
