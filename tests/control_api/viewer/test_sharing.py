"""Several servers on one Redis and one database count as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from control_api.postgres.database import Database
from control_api.realtime.bus import LocalBus
from control_api.stream.record import Identity, Stream
from control_api.viewer.audience import Figures
from control_api.viewer.presence import EXPIRY_S
from control_api.viewer.redis_presence import RedisPresence, redis_presence
from control_api.viewer.viewer_id import user_key
from tests.redis_server import RedisServer

from ..clock import Clock
from ..conftest import NOW
from .test_service import ALICE, BOB, Node, at, open_node

pytestmark = pytest.mark.timeout(60)

CLEO = Identity("cleo")
PATIENCE = 500
"""Looks, 10 ms apart."""


@dataclass
class Cluster:
    """Servers that tell each other of changes over a bus within the process."""

    database: Database
    redis: RedisServer
    clock: Clock
    bus: LocalBus
    stack: AsyncExitStack

    async def node(self) -> Node:
        shared = await self.stack.enter_async_context(redis_presence(self.redis.url))
        node = await open_node(self.database, self.clock, shared=shared, bus=self.bus)
        self.stack.push_async_callback(node.viewers.close)
        return node


@pytest.fixture
async def cluster(database: Database, redis_server: RedisServer) -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as stack:
        yield Cluster(database, redis_server, Clock(NOW.timestamp()), LocalBus(), stack)


async def figures(stream: Stream, *nodes: Node) -> Figures:
    """Ask all nodes, which know the same in a moment."""
    found: list[Figures] = []
    for _ in range(PATIENCE):
        for node in nodes:
            await node.viewers.look()
        found = [node.viewers.figures(stream) for node in nodes]
        if found.count(found[0]) == len(found):
            return found[0]
        await asyncio.sleep(0.01)
    raise AssertionError(found)


async def test_who_watches_on_two_nodes_is_one_viewer(cluster: Cluster) -> None:
    a, b = await cluster.node(), await cluster.node()
    stream = await a.live()
    assert (await a.viewers.join(stream.id, ALICE, None)).figures == Figures(1, 1, 1)
    assert (await b.viewers.join(stream.id, ALICE, None)).figures == Figures(1, 1, 1)
    assert (await b.viewers.join(stream.id, BOB, None)).figures == Figures(2, 2, 2)
    assert (await b.viewers.join(stream.id, Identity("owner"), None)).figures == Figures(2, 2, 2)
    assert await figures(stream, a, b) == Figures(2, 2, 2)
    cluster.clock.now += 10
    assert await a.viewers.leave(stream.id, BOB, None) == Figures(1, 2, 2)  # who is not known there
    assert await a.viewers.leave(stream.id, ALICE, None) == Figures(0, 2, 2)
    assert await figures(stream, a, b) == Figures(0, 2, 2)
    for node in (a, b, a):
        await node.viewers.store_all()
    rows = await a.rows(stream)
    for user in ("alice", "bob"):
        row = rows[user_key(user)]
        assert row["watch_time_s"] == pytest.approx(10, abs=1e-3), user
        assert (row["visits"], row["left_at"]) == (1, at(cluster.clock.now)), user
    assert await a.stored(stream) == Figures(0, 2, 2)


async def test_a_change_reaches_the_watchers_of_other_nodes(cluster: Cluster) -> None:
    a, b = await cluster.node(), await cluster.node()
    stream, heard = await a.live(), list[tuple[str, int]]()
    await b.viewers.attend(stream.id, Identity("owner"), None)
    for name, node in (("a", a), ("b", b)):

        def hear(stream_id: str, name: str = name, node: Node = node) -> None:
            heard.append((name, node.viewers.figures(stream).viewer_count))

        node.viewers.watch(hear)
    await a.join(stream, ALICE)
    assert sorted(heard) == [("a", 1), ("b", 1)]  # the first change at once
    heard.clear()
    await a.join(stream, BOB, CLEO)
    async with asyncio.timeout(10):
        while ("b", 3) not in heard:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert [count for name, count in heard if name == "a"] == [2, 3]
    assert [count for name, count in heard if name == "b"] == [3]  # what followed on its heels, together


async def test_media_requests_count_without_waiting(cluster: Cluster) -> None:
    a, b = await cluster.node(), await cluster.node()
    stream = await a.live()
    b.viewers.seen(stream.id, "alice")  # not known to be live there
    for node in (a, b):
        await node.join(stream, BOB)
        node.viewers.seen(stream.id, "alice")
    assert await figures(stream, a, b) == Figures(2, 2, 2)
    for _ in range(5):
        cluster.clock.now += 9
        a.viewers.seen(stream.id, "alice")
        assert (await figures(stream, a, b)).peak_viewers == 2
    assert await figures(stream, a, b) == Figures(1, 2, 2)
    cluster.clock.now += EXPIRY_S - 0.5
    assert await figures(stream, a, b) == Figures(1, 2, 2)
    cluster.clock.now += 0.5
    assert await figures(stream, a, b) == Figures(0, 2, 2)


async def test_a_socket_on_another_node_outlives_a_leave(cluster: Cluster) -> None:
    a, b = await cluster.node(), await cluster.node()
    stream = await a.live()
    socket = await a.viewers.attend(stream.id, ALICE, None)
    await b.join(stream, ALICE)
    assert await b.viewers.leave(stream.id, ALICE, None) == Figures(1, 1, 1)
    for _ in range(12):
        cluster.clock.now += 10
        assert await figures(stream, a, b) == Figures(1, 1, 1)
    other = await b.viewers.attend(stream.id, ALICE, None)
    socket.close(has_left=True)
    assert await figures(stream, a, b) == Figures(1, 1, 1)
    cluster.clock.now += 20
    other.close(has_left=False)
    assert await figures(stream, a, b) == Figures(1, 1, 1)
    cluster.clock.now += EXPIRY_S
    assert await figures(stream, a, b) == Figures(0, 1, 1)
    for node in (a, b):
        await node.viewers.store_all()
    row = (await a.rows(stream))[user_key("alice")]
    assert row["watch_time_s"] == pytest.approx(140, abs=1e-3)
    assert (row["visits"], row["left_at"]) == (1, at(cluster.clock.now - EXPIRY_S))


async def test_the_viewers_of_a_node_that_died_expire(cluster: Cluster) -> None:
    a, b = await cluster.node(), await cluster.node()
    stream, heard = await a.live(), list[int]()
    await a.join(stream, ALICE)
    await b.viewers.attend(stream.id, BOB, None)
    await b.viewers.attend(stream.id, CLEO, None)
    await b.viewers.store_all()
    await b.viewers.close()  # and nothing more is heard of it
    a.viewers.watch(lambda _: heard.append(a.viewers.figures(stream).viewer_count))
    cluster.clock.now += EXPIRY_S - 1
    await a.join(stream, ALICE)
    assert await figures(stream, a) == Figures(3, 3, 3)
    cluster.clock.now += 1
    assert await figures(stream, a) == Figures(1, 3, 3)
    assert heard[-1] == 1
    await a.viewers.store_all()
    assert await a.stored(stream) == Figures(1, 3, 3)
    cluster.clock.now += 1
    await a.viewers.tidy()
    assert (await a.rows(stream))[user_key("bob")]["left_at"] == NOW


async def test_while_redis_is_away_each_node_counts_its_own(cluster: Cluster) -> None:
    a, b = await cluster.node(), await cluster.node()
    stream = await a.live()
    await a.join(stream, ALICE)
    await b.join(stream, BOB)
    assert await figures(stream, a, b) == Figures(2, 2, 2)
    cluster.redis.stop()
    assert (await a.viewers.join(stream.id, CLEO, None)).figures.viewer_count == 2
    assert await b.viewers.leave(stream.id, BOB, None) == Figures(0, 2, 2)
    await b.join(stream, Identity("dan"))
    await a.viewers.store_all()
    await b.viewers.store_all()
    assert await a.stored(stream) == Figures(1, 2, 4)
    cluster.redis.start()  # which has forgotten everything
    for node in (a, b):
        await node.viewers.look()
    assert await figures(stream, a, b) == Figures(3, 3, 4)
    assert (await a.viewers.join(stream.id, BOB, None)).figures == Figures(4, 4, 4)
    assert await figures(stream, a, b) == Figures(4, 4, 4)


async def test_a_redis_that_hangs_holds_nobody_up(cluster: Cluster) -> None:
    a, b = await cluster.node(), await cluster.node()
    stream = await a.live()
    await b.join(stream, BOB)
    cluster.redis.hang()
    found = await asyncio.gather(*(a.viewers.join(stream.id, who, None) for who in (ALICE, CLEO)))
    assert [one.figures.viewer_count for one in found] == [2, 2]
    await a.viewers.look()
    cluster.redis.go_on()
    assert await figures(stream, a, b) == Figures(3, 3, 3)


async def test_a_node_that_starts_while_redis_is_away(cluster: Cluster) -> None:
    cluster.redis.stop()
    a = await cluster.node()
    stream = await a.live()
    assert (await a.viewers.join(stream.id, ALICE, None)).figures == Figures(1, 1, 1)
    cluster.redis.start()
    b = await cluster.node()
    await a.viewers.look()
    assert (await b.viewers.join(stream.id, BOB, None)).figures == Figures(2, 2, 2)


async def test_coming_back_after_a_leave_elsewhere_is_another_visit(cluster: Cluster) -> None:
    a, b = await cluster.node(), await cluster.node()
    stream = await a.live()
    await a.join(stream, ALICE)
    cluster.clock.now += 5
    await b.viewers.leave(stream.id, ALICE, None)
    cluster.clock.now += 7
    await a.join(stream, ALICE)
    cluster.clock.now += 5
    await b.join(stream, ALICE)
    cluster.clock.now += 5
    await b.viewers.leave(stream.id, ALICE, None)
    for node in (b, a):
        await node.viewers.store_all()
    row = (await a.rows(stream))[user_key("alice")]
    assert (row["watch_time_s"], row["visits"]) == (pytest.approx(15, abs=1e-3), 2)


async def test_the_end_of_a_stream_ends_it_for_everybody(cluster: Cluster) -> None:
    a, b = await cluster.node(), await cluster.node()
    stream = await a.live()
    await a.join(stream, ALICE)
    await b.join(stream, BOB)
    cluster.clock.now += 10
    ended = await b.streams.end(stream.id, "owner")
    cluster.clock.now += 5
    await a.viewers.tidy()
    assert a.viewers.figures(ended) == b.viewers.figures(ended) == Figures(0, 2, 2)
    for node in (a, b):
        await node.viewers.store_all()
    assert {row["watch_time_s"] for row in (await a.rows(stream)).values()} == {10.0}
    assert await a.stored(stream) == Figures(0, 2, 2)


async def test_many_at_once(cluster: Cluster) -> None:
    a, b = await cluster.node(), await cluster.node()
    stream = await a.live()
    users = [Identity(f"user {number}") for number in range(600)]
    joins: list[Any] = [node.viewers.join(stream.id, user, None) for user in users for node in (a, b)]
    found = await asyncio.gather(*joins)
    assert found[-1].figures == Figures(600, 600, 600)
    assert await figures(stream, a, b) == Figures(600, 600, 600)
    leaves: list[Any] = [node.viewers.leave(stream.id, user, None) for user in users for node in (b, a)]
    await asyncio.gather(*leaves)
    assert await figures(stream, a, b) == Figures(0, 600, 600)
    assert isinstance(a.viewers._tally._sharing._shared, RedisPresence)  # type: ignore[union-attr]


async def test_nonsense_on_the_bus_hurts_nobody(cluster: Cluster) -> None:
    a = await cluster.node()
    stream = await a.live()
    await a.join(stream, ALICE)
    about = f'"stream_id": "{stream.id}"'
    for message in (
        "",
        "{",
        "[]",
        "7",
        "{}",
        f"{{{about}}}",
        f'{{{about}, "left": "user:alice", "at": "x"}}',
    ):
        cluster.bus.publish("viewers", message.encode())
    assert await figures(stream, a) == Figures(1, 1, 1)
