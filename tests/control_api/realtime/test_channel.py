"""A room with a clock: in time, in order, to everybody who was there."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import cast

import pytest

from control_api.realtime.bus import LocalBus
from control_api.realtime.channel import SLICE, Channel
from control_api.realtime.happening import Happening
from control_api.realtime.recent import RecentChat
from control_api.realtime.room import Room
from control_api.realtime.socket import Socket
from control_api.realtime.traffic import Traffic
from control_api.stream.record import Stream

from .test_room import comment, messages, reaction


class Ear:
    """A socket of the tests: keeps what it is told, and when."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._news = asyncio.Event()

    def write(self, frames: bytes) -> bool:
        self.heard.append(frames)
        self._news.set()
        return True

    async def hear(self, count: int) -> None:
        """Wait until so many messages have come."""
        async with asyncio.timeout(5):
            while len(self.said) < count:
                await self._news.wait()
                self._news.clear()

    @property
    def said(self) -> list[tuple[str, object]]:
        return [(one["type"], one["data"]) for frames in self.heard for one in messages(frames)]


@pytest.fixture
async def bus() -> LocalBus:
    return LocalBus()


@pytest.fixture
async def channel(bus: LocalBus) -> Channel:
    channel = Channel(STREAM, Traffic(), lambda _: None)
    await channel.listen(bus, "stream:1")
    return channel


STREAM = Stream(
    id="01a21a03-c4ef-773a-8cc1-14d705e9d1d5",
    user_id="demo",
    stream_key="k",
    title="a show",
    created_at=datetime(2026, 5, 1, tzinfo=UTC),
)


def add(channel: Channel, count: int = 1) -> list[Ear]:
    ears = [Ear() for _ in range(count)]
    channel.sockets |= dict.fromkeys(cast("list[Socket]", ears))
    return ears


def say(bus: LocalBus, happening: Happening) -> None:
    bus.publish("stream:1", happening.serialize())


async def test_comment_does_not_wait_for_a_later_timer(bus: LocalBus, channel: Channel) -> None:
    channel.begin(Room(RecentChat(), "live", 0))
    (ear,) = add(channel)
    say(bus, reaction())
    await ear.hear(1)
    say(bus, reaction())
    assert channel._timer is not None
    reactions_at = channel._timer.when()
    say(bus, comment(1))
    assert channel._timer.when() < reactions_at
    await ear.hear(3)
    assert [kind for kind, _ in ear.said] == ["reaction", "comment", "reaction"]


async def test_what_happens_before_there_is_a_room_is_told_then(bus: LocalBus, channel: Channel) -> None:
    (ear,) = add(channel)
    say(bus, comment(1))
    say(bus, comment(2))
    assert not ear.heard
    channel.begin(Room(RecentChat([comment(1).data]), "live", 0))
    await ear.hear(1)
    assert [cast("dict[str, int]", data)["seq"] for _, data in ear.said] == [2], (
        "the first was stored already"
    )


async def test_everybody_hears_the_same_in_the_same_order(bus: LocalBus, channel: Channel) -> None:
    channel.begin(Room(RecentChat(), "live", 0))
    ears = add(channel, 2 * SLICE + 1)
    for seq in range(1, 30):
        say(bus, comment(seq))
        if seq % 3 == 0:
            await asyncio.sleep(0.005)
    for ear in ears:
        await ear.hear(29)
    assert len({tuple(ear.heard) for ear in ears}) == 1
    assert len(ears[0].said) == 29


async def test_who_comes_while_others_are_written_to_hears_nothing_of_it(
    bus: LocalBus, channel: Channel
) -> None:
    """What was said before is in the greeting."""
    channel.begin(Room(RecentChat(), "live", 0))
    ears = add(channel, SLICE + 1)
    say(bus, comment(1))
    await ears[0].hear(1)
    (late,) = add(channel)
    assert channel.room is not None
    assert channel.room.chat.seq == 1
    await ears[-1].hear(1)
    assert not late.heard


async def test_closed_channel_says_nothing(bus: LocalBus, channel: Channel) -> None:
    channel.begin(Room(RecentChat(), "live", 0))
    (ear,) = add(channel)
    say(bus, comment(1))
    channel.close()
    say(bus, comment(2))
    await asyncio.sleep(0.05)
    assert not ear.heard
