"""What happens reaches a real Redis: each event, each follower, also when it was away meanwhile."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from redis.asyncio import Redis

from control_api.event.announcement import announcing
from control_api.event.herald import Herald
from control_api.event.record import live_event
from control_api.event.redis_stream import EVENTS, NOTICES, redis_streams
from control_api.key_box import KeyBox
from control_api.postgres.database import Database
from control_api.postgres.outbox_table import OutboxTable, OutletName
from control_api.postgres.store import PostgresStore
from control_api.postgres.webhook_table import WebhookTable
from control_api.stream.service import StreamService, utc_now
from media.error import CapacityError
from tests.redis_server import RedisServer

from ..conftest import NOW, SECRET, Notes
from ..postgres.test_store import stream

pytestmark = pytest.mark.timeout(60)


async def read(server: RedisServer, name: str) -> list[dict[str, str]]:
    async with Redis.from_url(server.url, decode_responses=True) as redis:
        entries: Any = await redis.xrange(name)
        return [fields for _, fields in entries]


async def test_going_live_reaches_each_follower(database: Database, redis_server: RedisServer) -> None:
    tables = PostgresStore(database, KeyBox(SECRET))
    for follower in ("fan", "other", "ünï"):
        await tables.follow("star", follower)
    service = StreamService(tables, tables, Notes(), min_followers=0)
    webhooks = WebhookTable(database, KeyBox(SECRET))
    async with (
        redis_streams(redis_server.url) as redis,
        announcing(service, database, webhooks, tables, redis=redis, allow_private=False, now=utc_now),
        asyncio.timeout(20),
    ):
        one = await service.create("star", {"title": "x"})
        await service.start(one.id)
        await service.end(one.id, "owner")
        while await database.fetchval("SELECT count(*) FROM outbox WHERE done_at IS NOT NULL") < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    events = await read(redis_server, EVENTS)
    assert [event["type"] for event in events] == ["stream.live", "stream.ended"]
    assert json.loads(events[0]["data"]) == {"stream_id": one.id, "user_id": "star", "title": "x"}
    notices = await read(redis_server, NOTICES)
    assert [notice["user_id"] for notice in notices] == ["fan", "other", "ünï"]
    assert {(notice["event_id"], notice["type"]) for notice in notices} == {
        (events[0]["event_id"], "stream.live")
    }


async def test_what_redis_missed_comes_later(database: Database, redis_server: RedisServer) -> None:
    tables = PostgresStore(database, KeyBox(SECRET))
    await tables.follow("u", "fan")
    one = stream()
    await tables.add(one)
    outbox = OutboxTable(database, OutletName.REDIS)
    for _ in range(2):
        await outbox.copy(live_event(one, NOW))
    redis_server.stop()
    async with redis_streams(redis_server.url) as redis:
        with pytest.raises(CapacityError, match="Redis does not take events"):
            await redis.announce(live_event(one, NOW))
        herald = Herald(outbox, tables, redis)
        await herald.work()
        assert await database.fetchval("SELECT count(*) FROM outbox WHERE done_at IS NULL") == 2
        redis_server.start()
        await database.execute("UPDATE outbox SET due_at = now()")
        await herald.work()
    assert await database.fetchval("SELECT count(*) FROM outbox WHERE done_at IS NULL") == 0
    assert len(await read(redis_server, EVENTS)) == 2
    assert len(await read(redis_server, NOTICES)) == 2


async def test_an_event_is_copied_once(database: Database) -> None:
    tables = PostgresStore(database, KeyBox(SECRET))
    one = stream()
    await tables.add(one)
    event = live_event(one, NOW)
    outbox = OutboxTable(database, OutletName.REDIS)
    for _ in range(3):
        await outbox.copy(event)
    assert [errand.event for errand in await outbox.take(10)] == [event]
    assert await OutboxTable(database).take(10) == []
