"""A cluster of three masters: topics are spread over them, and slots move."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from redis.crc import key_slot

from control_api.realtime.redis_bus import redis_bus
from control_api.realtime.redis_session import PREFIX
from tests.redis_server import RedisCluster

from .waiting import until

pytestmark = pytest.mark.timeout(60)

SLOTS = [(0, 5460), (5461, 10922), (10923, 16383)]


@pytest.fixture
def masters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RedisCluster]]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is needed")
    masters = [RedisCluster(tmp_path_factory.mktemp("redis"), slots) for slots in SLOTS]
    for master in masters:
        master.start()
    for master in masters[1:]:
        masters[0].meet(master)
    yield masters
    for master in masters:
        master.stop()


def move(slot: int, masters: list[RedisCluster]) -> None:
    """Give a slot, with the one log in it, to another master."""
    source = next(one for one in masters if one.slots[0] <= slot <= one.slots[1])
    target = next(one for one in masters if one is not source)
    names = {one: _bytes(one.ask("CLUSTER MYID")) for one in masters}
    target.ask("CLUSTER SETSLOT", slot, "IMPORTING", names[source])
    source.ask("CLUSTER SETSLOT", slot, "MIGRATING", names[target])
    source.ask("MIGRATE", "127.0.0.1", target.port, PREFIX + "topic:0", 0, 5000)
    for one in (target, source, *masters):
        one.ask("CLUSTER SETSLOT", slot, "NODE", names[target])


def _bytes(answer: object) -> bytes:
    assert isinstance(answer, bytes)
    return answer


async def test_topics_are_spread_over_masters_and_follow_their_slots(masters: list[RedisCluster]) -> None:
    await until(lambda: all(master.is_whole for master in masters))
    async with redis_bus(masters[0].url, "one") as one, redis_bus(masters[1].url, "two") as two:
        await until(lambda: one.is_connected and two.is_connected)
        received: dict[str, tuple[list[bytes], list[bytes]]] = {f"topic:{n}": ([], []) for n in range(30)}
        for topic, (here, there) in received.items():
            await one.subscribe(topic, here.append)
            await two.subscribe(topic, there.append)
        for number in range(10):
            for topic in received:
                one.publish(topic, b"one %d" % number)
                two.publish(topic, b"two %d" % number)
        await until(lambda: all(len(got) >= 20 for both in received.values() for got in both))
        assert all(here == there and len(set(here)) == 20 for here, there in received.values())

        gaps: list[str] = []
        one.on_gap = two.on_gap = gaps.append
        here, there = received["topic:0"]
        slot = key_slot((PREFIX + "topic:0").encode())
        move(slot, masters)
        one.publish("topic:0", b"meanwhile")
        await until(lambda: here[20:] == there[20:] == [b"meanwhile"])
        await until(lambda: one.is_connected and two.is_connected)
        two.publish("topic:0", b"afterwards")
        await until(lambda: here[20:] == there[20:] == [b"meanwhile", b"afterwards"])
        assert gaps == []
