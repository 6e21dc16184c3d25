"""What is told of figures, and how often."""

from __future__ import annotations

import asyncio
import json
from math import inf

import pytest

from control_api.realtime.bus import LocalBus
from control_api.viewer.announcer import TOPIC, Announcer, read_figures
from control_api.viewer.audience import Figures
from control_api.viewer.shared import SharedFigures


async def test_the_first_change_at_once_and_the_newest_of_what_follows() -> None:
    bus, heard, latest = LocalBus(), list[SharedFigures](), dict[str, SharedFigures]()
    announcer = Announcer(bus, latest.get)

    def receive(message: bytes) -> None:
        heard.append(read_figures(json.loads(message)))
        is_two.set()

    is_two = asyncio.Event()
    await bus.subscribe(TOPIC, receive)
    for number in range(1, 10):
        latest["one"] = SharedFigures(Figures(number, number, number), version=number, due_at=1000.5)
        announcer.announce("one")
        assert heard == [SharedFigures(Figures(1, 1, 1), version=1, due_at=1000.5)]
        is_two.clear()
    await asyncio.wait_for(is_two.wait(), 10)
    assert heard[1:] == [SharedFigures(Figures(9, 9, 9), version=9, due_at=1000.5)]
    announcer.announce("gone")
    announcer.close()
    assert len(heard) == 2


@pytest.mark.parametrize("due_at", [inf, 1_777_636_800.123456], ids=["nobody", "somebody"])
async def test_figures_arrive_as_they_were_sent(due_at: float) -> None:
    bus, heard = LocalBus(), list[bytes]()
    await bus.subscribe(TOPIC, heard.append)
    shared = SharedFigures(Figures(3, 5, 7), version=1_777_636_800_123, due_at=due_at)
    announcer = Announcer(bus, {"one": shared}.get)
    announcer.announce("one")
    announcer.tell_left("one", "user:ünï", 12.5)
    announcer.close()
    assert read_figures(json.loads(heard[0])) == shared
    assert json.loads(heard[1]) == {"stream_id": "one", "left": "user:ünï", "at": 12.5}
