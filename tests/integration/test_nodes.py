"""Two servers with one PostgreSQL and one Redis: who watches on either hears the same, also when one of them dies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from control_api.viewer.presence import EXPIRY_S
from tests.database import PostgresServer
from tests.redis_server import RedisServer
from tests.websocket.client import PATIENCE_S, RawSocket, raw_socket

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


async def hear(client: RawSocket, count: int) -> list[str]:
    return [(await client.message("comment"))["data"]["content"] for _ in range(count)]


async def count_told(client: RawSocket, seconds: float = PATIENCE_S) -> int:
    told: int = (await client.message("viewer_update", seconds=seconds))["data"]["viewer_count"]
    return told


@asynccontextmanager
async def client(server: Server, stream: dict[str, Any], token: str = "") -> AsyncIterator[RawSocket]:
    query = f"?token={token}" if token else ""
    async with raw_socket(f"{server.http_url}/ws/stream/{stream['id']}{query}") as socket:
        await socket.message("welcome")
        yield socket


async def count(server: Server, stream: dict[str, Any]) -> int:
    answer = await server.request(f"/api/v1/streams/{stream['id']}/viewers")
    found: int = answer.json()["viewer_count"]
    return found


async def test_what_happens_on_one_is_heard_on_the_other(nodes: Nodes) -> None:
    one, other = nodes
    stream = await one.create_stream()
    async with client(one, stream, token=one.token) as here, client(other, stream, token=one.token) as there:
        here.say("comment", content="from one")
        await hear(there, 1)
        there.say("comment", content="from the other")
        assert await hear(here, 2) == ["from one", "from the other"]
        await one.api("PUT", f"/streams/{stream['id']}/chat-settings", {"slow_mode_s": 30})
        await one.api("POST", f"/streams/{stream['id']}/end")
        assert (await there.message("stream_status"))["data"] == {"status": "ended"}


async def test_redis_that_goes_away_and_comes_back(nodes: Nodes, redis_server: RedisServer) -> None:
    """On each node its own go on hearing each other; then everybody hears the rest, once."""
    one, other = nodes
    stream = await one.create_stream()
    async with client(one, stream, token=one.token) as here, client(other, stream, token=one.token) as there:
        here.say("comment", content="before")
        assert await hear(here, 1) == await hear(there, 1) == ["before"]
        redis_server.stop()
        here.say("comment", content="here")
        there.say("comment", content="there")
        assert await hear(here, 1) == ["here"]
        assert await hear(there, 1) == ["there"]
        redis_server.start()
        assert await hear(here, 1) == ["there"]
        assert await hear(there, 1) == ["here"]
        here.say("comment", content="after")
        assert await hear(here, 1) == await hear(there, 1) == ["after"]


@pytest.mark.timeout(120)
async def test_viewers_of_a_node_that_dies_are_gone_and_those_of_the_other_stay(nodes: Nodes) -> None:
    one, other = nodes
    stream = await one.create_stream()
    async with client(one, stream) as here, client(other, stream), client(other, stream):
        while await count_told(here) != 3:
            pass
        assert await count(other, stream) == 3
        other.kill()
        while await count_told(here, EXPIRY_S + 15) != 1:
            pass
        assert await count(one, stream) == 1
