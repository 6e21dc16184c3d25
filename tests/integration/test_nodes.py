"""Two servers with one PostgreSQL and one Redis: who watches on either hears the same, also when one of them dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from control_api.viewer.presence import EXPIRY_S
from tests.database import PostgresServer
from tests.redis_server import RedisServer

from .server import Server, running_server

Nodes = tuple[Server, Server]


@pytest.fixture
async def nodes(
    tmp_path: Path, postgres_18: PostgresServer, redis_server: RedisServer
) -> AsyncIterator[Nodes]:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    async with postgres_18.database() as dsn:
        shared = {
            "DATABASE_URL": dsn,
            "REDIS_URL": redis_server.url,
            "JWT_SECRET": "a secret of the tests, long enough",
            "KEY_SECRET": "another secret of the tests, as long",
        }
        async with running_server(folders[0], **shared) as one, running_server(folders[1], **shared) as other:
            yield one, other


class Client:
    """A socket of a stream."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def next(self, kind: str, seconds: float = 10) -> dict[str, Any]:
        """Wait for a message of a type, past others; gives its data."""
        async with asyncio.timeout(seconds):
            while True:
                message = await self._socket.receive_json()
                if message["type"] == kind:
                    data: dict[str, Any] = message["data"]
                    return data

    async def say(self, content: str) -> None:
        await self._socket.send_json({"type": "comment", "data": {"content": content}})

    async def hear(self, count: int) -> list[str]:
        return [(await self.next("comment"))["content"] for _ in range(count)]


@asynccontextmanager
async def client(server: Server, stream: dict[str, Any], **query: str) -> AsyncIterator[Client]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.http_url}/ws/stream/{stream['id']}", params=query) as socket,
    ):
        found = Client(socket)
        await found.next("welcome")
        yield found


async def count(server: Server, stream: dict[str, Any]) -> int:
    answer = await server.request(f"/api/v1/streams/{stream['id']}/viewers")
    found: int = answer.json()["viewer_count"]
    return found


async def test_what_happens_on_one_is_heard_on_the_other(nodes: Nodes) -> None:
    one, other = nodes
    stream = await one.create_stream()
    async with client(one, stream, token=one.token) as here, client(other, stream, token=one.token) as there:
        await here.say("from one")
        await there.hear(1)
        await there.say("from the other")
        assert await here.hear(2) == ["from one", "from the other"]
        await one.api("PUT", f"/streams/{stream['id']}/chat-settings", {"slow_mode_s": 30})
        await one.api("POST", f"/streams/{stream['id']}/end")
        assert await there.next("stream_status") == {"status": "ended"}


async def test_redis_that_goes_away_and_comes_back(nodes: Nodes, redis_server: RedisServer) -> None:
    """On each node its own go on hearing each other; then everybody hears the rest, once."""
    one, other = nodes
    stream = await one.create_stream()
    async with client(one, stream, token=one.token) as here, client(other, stream, token=one.token) as there:
        await here.say("before")
        assert await here.hear(1) == await there.hear(1) == ["before"]
        redis_server.stop()
        await here.say("here")
        await there.say("there")
        assert await here.hear(1) == ["here"]
        assert await there.hear(1) == ["there"]
        redis_server.start()
        assert await here.hear(1) == ["there"]
        assert await there.hear(1) == ["here"]
        await here.say("after")
        assert await here.hear(1) == await there.hear(1) == ["after"]


@pytest.mark.timeout(120)
async def test_viewers_of_a_node_that_dies_are_gone_and_those_of_the_other_stay(nodes: Nodes) -> None:
    one, other = nodes
    stream = await one.create_stream()
    async with client(one, stream) as here, client(other, stream), client(other, stream):
        while (await here.next("viewer_update"))["viewer_count"] != 3:
            pass
        assert await count(other, stream) == 3
        other.kill()
        while (await here.next("viewer_update", EXPIRY_S + 15))["viewer_count"] != 1:
            pass
        assert await count(one, stream) == 1
