"""What every bus promises, on each of them: in the process, over a Redis, over a cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from control_api.realtime.bus import Bus, LocalBus
from control_api.realtime.redis_bus import redis_bus
from tests.redis_server import RedisServer

from .waiting import until

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=["local", "redis_server", "redis_cluster"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    if request.param == "local":
        yield LocalBus()
        return
    server: RedisServer = request.getfixturevalue(request.param)
    async with redis_bus(server.url, "node-1") as bus:
        await until(lambda: bus.is_connected)
        yield bus


async def test_whoever_listens_receives_each_message_once_and_in_order(bus: Bus) -> None:
    first: list[bytes] = []
    second: list[bytes] = []
    await bus.subscribe("a", first.append)
    await bus.subscribe("a", second.append)
    sent = [b"%d" % n for n in range(1000)]
    for message in sent:
        bus.publish("a", message)
    await until(lambda: len(first) >= 1000 and len(second) >= 1000)
    assert first == second == sent


@pytest.mark.parametrize("message", [b"", b"\n", b"a b\r\nc\x00\xff", b"x" * 100_000])
async def test_a_message_is_any_bytes(bus: Bus, message: bytes) -> None:
    received: list[bytes] = []
    await bus.subscribe("a", received.append)
    bus.publish("a", message)
    await until(lambda: len(received) == 1)
    assert received == [message]


async def test_topics_are_apart(bus: Bus) -> None:
    received: list[tuple[str, bytes]] = []
    topics = [f"stream:{n}" for n in range(500)]
    for topic in topics:
        await bus.subscribe(topic, lambda message, topic=topic: received.append((topic, message)))  # type: ignore[misc]
    bus.publish("nobody listens", b"x")
    for topic in topics:
        bus.publish(topic, topic.encode())
    await until(lambda: len(received) >= len(topics))
    assert {topic: message.decode() for topic, message in received} == {topic: topic for topic in topics}
    assert len(received) == len(topics)


async def test_whoever_has_closed_receives_nothing_more(bus: Bus) -> None:
    gone: list[bytes] = []
    there: list[bytes] = []
    subscription = await bus.subscribe("a", gone.append)
    await bus.subscribe("a", there.append)
    bus.publish("a", b"1")
    await until(lambda: bool(gone and there))
    subscription.close()
    subscription.close()
    bus.publish("a", b"2")
    await until(lambda: len(there) == 2)
    assert gone == [b"1"]


async def test_nobody_receives_what_was_before(bus: Bus) -> None:
    before: list[bytes] = []
    received: list[bytes] = []
    subscription = await bus.subscribe("a", before.append)
    bus.publish("a", b"1")
    await until(lambda: before == [b"1"])
    subscription.close()
    bus.publish("a", b"2")
    await bus.subscribe("a", received.append)
    bus.publish("a", b"3")
    await until(lambda: received[-1:] == [b"3"])
    assert received == [b"3"]


async def test_a_topic_can_be_left_and_come_back_to(bus: Bus) -> None:
    received: list[bytes] = []
    for number in range(30):
        subscription = await bus.subscribe("a", received.append)
        bus.publish("a", b"%d" % number)
        await until(lambda: len(received) == number + 1)  # noqa: B023
        subscription.close()
    assert received == [b"%d" % number for number in range(30)]


async def test_a_receiver_may_close_itself(bus: Bus) -> None:
    received: list[bytes] = []
    last: list[bytes] = []

    def once(message: bytes) -> None:
        received.append(message)
        subscription.close()

    subscription = await bus.subscribe("a", once)
    await bus.subscribe("a", last.append)
    bus.publish("a", b"1")
    bus.publish("a", b"2")
    await until(lambda: last == [b"1", b"2"])
    assert received == [b"1"]


async def test_it_is_connected_and_tells_of_no_gap(bus: Bus) -> None:
    gaps: list[str] = []
    bus.on_gap = gaps.append
    received: list[bytes] = []
    await bus.subscribe("a", received.append)
    bus.publish("a", b"1")
    await until(lambda: received == [b"1"])
    assert bus.is_connected
    assert gaps == []
