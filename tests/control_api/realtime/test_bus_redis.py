"""Two nodes on one Redis that goes away, hangs, forgets and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import structlog
from structlog.testing import LogCapture

from control_api.realtime import backlog, redis_session
from control_api.realtime.redis_bus import RedisBus, redis_bus
from control_api.realtime.redis_session import PREFIX
from tests.redis_server import RedisServer

from .waiting import until

pytestmark = pytest.mark.timeout(60)


@dataclass
class Node:
    """A bus, and what is received there."""

    bus: RedisBus
    received: list[bytes] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)


@pytest.fixture(params=["redis_server", "redis_cluster"])
def server(request: pytest.FixtureRequest) -> RedisServer:
    found: RedisServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def log() -> Iterator[LogCapture]:
    capture = LogCapture()
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[capture])
    yield capture
    structlog.configure(processors=before)


@asynccontextmanager
async def node(server: RedisServer, name: str, topic: str = "a") -> AsyncIterator[Node]:
    async with redis_bus(server.url, name) as bus:
        one = Node(bus)
        bus.on_gap = one.gaps.append
        await bus.subscribe(topic, one.received.append)
        yield one


@asynccontextmanager
async def two_nodes(server: RedisServer) -> AsyncIterator[tuple[Node, Node]]:
    async with node(server, "one") as one, node(server, "two") as two:
        await are_connected(one, two)
        yield one, two


async def are_connected(*nodes: Node) -> None:
    await until(lambda: all(node.bus.is_connected for node in nodes))


async def are_alone(*nodes: Node) -> None:
    await until(lambda: not any(node.bus.is_connected for node in nodes))


async def publish(node: Node, *messages: bytes) -> None:
    for message in messages:
        node.bus.publish("a", message)
        await asyncio.sleep(0)


def numbers(name: str, count: int, first: int = 0) -> list[bytes]:
    return [f"{name}{n}".encode() for n in range(first, first + count)]


async def test_all_nodes_have_one_order(server: RedisServer) -> None:
    async with two_nodes(server) as (one, two):
        await asyncio.gather(publish(one, *numbers("x", 500)), publish(two, *numbers("y", 500)))
        await until(lambda: len(one.received) >= 1000 and len(two.received) >= 1000)
        assert one.received == two.received
        assert sorted(one.received) == sorted(numbers("x", 500) + numbers("y", 500))
        for name in "xy":
            own = [message for message in one.received if message.startswith(name.encode())]
            assert own == numbers(name, 500)


async def test_what_a_node_missed_is_replayed_in_the_order_of_all(server: RedisServer) -> None:
    async with two_nodes(server) as (one, two), node(server, "three") as three:
        for round_ in range(5):
            await asyncio.gather(
                *(publish(each, *numbers(f"{round_}:{name}:", 60)) for each, name in ((one, "x"), (two, "y")))
            )
            await asyncio.to_thread(server.drop_connections)
            await are_connected(one, two, three)
        everything = 5 * 2 * 60
        await until(lambda: all(len(each.received) >= everything for each in (one, two, three)))
        # What was on its way when the connection went is delivered at once where it was published: only those who
        # published nothing have one order in that moment.
        assert len(three.received) == len(set(three.received)) == everything
        assert sorted(one.received) == sorted(two.received) == sorted(three.received)
        assert one.gaps == two.gaps == three.gaps == []
        for name in (b":x:", b":y:"):
            own = [message for message in three.received if name in message]
            rounds = [int(message.split(b":")[0]) for message in own]
            assert rounds == sorted(rounds)


async def test_a_killed_server(server: RedisServer, log: LogCapture) -> None:
    async with two_nodes(server) as (one, two):
        await publish(one, b"1")
        await until(lambda: one.received == two.received == [b"1"])
        server.stop()
        await publish(one, b"2")  # whether or not it is known that nobody takes it
        await are_alone(one, two)
        await publish(one, b"3")
        assert one.received == [b"1", b"2", b"3"]
        await publish(two, b"4")
        assert two.received == [b"1", b"4"]
        await asyncio.to_thread(server.start)
        await are_connected(one, two)
        await until(lambda: len(one.received) >= 4 and len(two.received) >= 4)
        assert one.received == [b"1", b"2", b"3", b"4"]
        assert sorted(two.received) == [b"1", b"2", b"3", b"4"]
        assert two.received.index(b"2") < two.received.index(b"3")
        await publish(two, b"5")
        await until(lambda: one.received[-1] == two.received[-1] == b"5")
        # Redis keeps nothing over that here: nobody can know what else was in it.
        assert "a" in one.gaps
        assert "a" in two.gaps
    events = [entry["event"] for entry in log.entries]
    assert sorted(events) == ["bus_is_away", "bus_is_away", "bus_is_back", "bus_is_back"]


async def test_a_hung_server(server: RedisServer) -> None:
    async with two_nodes(server) as (one, two):
        server.hang()
        await publish(one, *numbers("x", 10))
        await until(lambda: one.received == numbers("x", 10))
        assert not one.bus.is_connected
        await publish(one, *numbers("x", 10, 10))
        assert one.received == numbers("x", 20)
        server.go_on()
        await are_connected(one, two)
        await until(lambda: len(two.received) >= 20)
        await publish(two, b"last")
        await until(lambda: one.received[-1] == two.received[-1] == b"last")
        # What it got before it hung it has stored, although nobody heard of it; it was published again all the same.
        assert one.received == two.received == [*numbers("x", 20), b"last"]
        assert one.gaps == two.gaps == []


async def test_a_node_that_starts_without_a_server(server: RedisServer) -> None:
    server.stop()
    async with node(server, "one") as one:
        assert not one.bus.is_connected
        await publish(one, b"1")
        assert one.received == [b"1"]
        await asyncio.to_thread(server.start)
        await are_connected(one)
        async with node(server, "two") as two:
            await publish(one, b"2")
            await until(lambda: two.received == [b"2"])
            assert one.received == [b"1", b"2"]


async def test_a_log_that_does_not_reach_back(server: RedisServer) -> None:
    async with two_nodes(server) as (one, two):
        await publish(one, b"1")
        await until(lambda: one.received == two.received == [b"1"])
        # In one write with the end of the connections, as if much was said meanwhile.
        with server.client() as redis, redis.pipeline(transaction=False) as pipeline:
            pipeline.client_kill_filter(_type="pubsub", skipme=True)
            pipeline.client_kill_filter(_type="normal", skipme=True)
            pipeline.xadd(PREFIX + "a", {"e": b"9-9 other 7 m\nlate"})
            pipeline.xtrim(PREFIX + "a", maxlen=1, approximate=False)
            pipeline.execute()
        await until(lambda: b"late" in one.received and b"late" in two.received)
        assert one.gaps == two.gaps == ["a"]
        await publish(one, b"2")
        await until(lambda: one.received == two.received == [b"1", b"late", b"2"])


async def test_a_message_that_is_missing_is_found_out(server: RedisServer) -> None:
    async with two_nodes(server) as (one, two):
        await publish(one, b"1")
        await until(lambda: one.received == two.received == [b"1"])
        with server.client() as redis:
            newest = redis.xrevrange(PREFIX + "a", count=1)[0][0]
            # In the log, and never published.
            redis.xadd(PREFIX + "a", {"e": newest + b" other 1 m\nquiet"})
        await publish(one, b"2")
        await until(lambda: one.received == two.received == [b"1", b"quiet", b"2"])
        assert one.gaps == two.gaps == []


async def test_a_log_that_has_expired_is_no_gap(server: RedisServer) -> None:
    async with two_nodes(server) as (one, two):
        await publish(one, b"1")
        await until(lambda: one.received == two.received == [b"1"])
        with server.client() as redis:
            assert 0 < redis.ttl(PREFIX + "a") <= redis_session.KEPT_S
            redis.delete(PREFIX + "a")
        await publish(two, b"2")
        await until(lambda: one.received == two.received == [b"1", b"2"])
        assert one.gaps == two.gaps == []


async def test_what_others_write_to_a_channel_is_no_message(server: RedisServer) -> None:
    async with two_nodes(server) as (one, two):
        with server.client() as redis:
            redis.execute_command("SPUBLISH", PREFIX + "a", "nonsense")
            redis.execute_command("PUBLISH", PREFIX + "a", "nonsense")
        await publish(one, b"1")
        await until(lambda: one.received == two.received == [b"1"])


@pytest.mark.parametrize("trouble", ["no memory", "read only"])
async def test_a_server_that_takes_nothing(redis_server: RedisServer, trouble: str, log: LogCapture) -> None:
    on, off = {
        "no memory": (("CONFIG SET", "maxmemory", 1), ("CONFIG SET", "maxmemory", 0)),
        "read only": (("REPLICAOF", "127.0.0.1", 1), ("REPLICAOF", "NO", "ONE")),
    }[trouble]
    async with two_nodes(redis_server) as (one, two):
        with redis_server.client() as redis:
            redis.execute_command(*on)
            await publish(one, b"1")
            await until(lambda: one.received == [b"1"])
            await publish(one, b"2")
            await asyncio.sleep(0.5)  # some attempts
            assert one.received == [b"1", b"2"]
            assert two.received == []
            redis.execute_command(*off)
        await are_connected(one, two)
        await until(lambda: two.received == [b"1", b"2"])
        assert one.received == [b"1", b"2"]
    assert [entry["event"] for entry in log.entries if entry["event"] == "bus_is_away"]
    assert len(log.entries) <= 4


async def test_what_cannot_be_kept_is_told_as_a_gap(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "MAX_KEPT", 5)
    async with two_nodes(server) as (one, two):
        await publish(one, b"first")
        await until(lambda: one.received == two.received == [b"first"])
        one.bus._backlog = backlog.Backlog(max_kept=5)
        server.hang()
        await publish(one, *numbers("x", 20))
        await until(lambda: one.received == [b"first", *numbers("x", 20)])
        await publish(one, *numbers("x", 20, 20))
        with_all = [b"first", *numbers("x", 40)]
        assert one.received == with_all
        server.go_on()
        await are_connected(one, two)
        await until(lambda: two.received[-1] == b"x39")
        assert two.received[-5:] == numbers("x", 5, 35)
        assert "a" in two.gaps
        assert one.received == with_all


async def test_thousands_of_topics_come_back(redis_server: RedisServer) -> None:
    async with redis_bus(redis_server.url, "one") as one, redis_bus(redis_server.url, "two") as two:
        received: dict[str, list[bytes]] = {f"stream:{n}": [] for n in range(3000)}
        await asyncio.gather(*(two.subscribe(topic, got.append) for topic, got in received.items()))
        for message in (b"1", b"2"):
            for topic in received:
                one.publish(topic, message)
            await asyncio.to_thread(redis_server.drop_connections)
            await until(lambda: one.is_connected and two.is_connected)
        await until(lambda: sum(map(len, received.values())) >= 6000)
        assert all(got == [b"1", b"2"] for got in received.values())


async def test_a_receiver_that_fails_hurts_nobody(redis_server: RedisServer, log: LogCapture) -> None:
    def fail(message: bytes) -> None:
        raise ValueError(message)

    async with redis_bus(redis_server.url, "one") as bus:
        received: list[bytes] = []
        await bus.subscribe("a", fail)
        await bus.subscribe("a", received.append)
        bus.publish("a", b"1")
        await until(lambda: received == [b"1"])
        assert bus.is_connected
    assert [entry["event"] for entry in log.entries] == ["bus_receiver_failed"]


async def test_what_receivers_publish_comes_behind(redis_server: RedisServer) -> None:
    redis_server.stop()
    async with redis_bus(redis_server.url, "one") as bus:
        received: list[bytes] = []

        def echo(message: bytes) -> None:
            if not message.startswith(b"echo"):
                bus.publish("a", b"echo " + message)

        await bus.subscribe("a", echo)
        await bus.subscribe("a", received.append)
        bus.publish("a", b"1")
        assert received == [b"1", b"echo 1"]


async def test_nothing_is_left_of_what_was_closed(redis_server: RedisServer) -> None:
    async with redis_bus(redis_server.url, "one") as bus:
        open_ = [await bus.subscribe(f"stream:{n}", lambda _: None) for n in range(100)]
        for subscription in open_:
            subscription.close()
        with redis_server.client() as redis:
            await until(lambda: redis.pubsub_channels() == [])
        assert not bus._topics
        assert not len(bus._flight)
