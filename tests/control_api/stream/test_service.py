"""What the media plane asks of the service."""

from __future__ import annotations

import asyncio

import pytest

from control_api.postgres.store import PostgresStore
from control_api.stream.record import Status, Stream
from control_api.stream.service import StreamService
from media.error import StreamError

from ..conftest import NOW, Notes


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def service(store: PostgresStore, notes: Notes) -> StreamService:
    return StreamService(store, store, notes, min_followers=0, now=lambda: NOW)


async def test_auto_start(service: StreamService, notes: Notes) -> None:
    waits = await service.create("a", {"title": "waits"})
    goes = await service.create("a", {"title": "goes", "auto_start": True})
    assert (await service.auto_start(waits.id)).status is Status.CREATED
    for _ in range(2):
        assert (await service.auto_start(goes.id)).status is Status.LIVE
    assert notes.told == [("start", goes.id)]


async def test_starts_and_ends_at_once_happen_once(service: StreamService, notes: Notes) -> None:
    stream = await service.create("a", {"title": "x"})
    await asyncio.gather(*(service.start(stream.id) for _ in range(10)))
    ends = await asyncio.gather(*(service.end(stream.id, f"reason {n}") for n in range(10)))
    assert notes.told == [("start", stream.id), ("end reason 0", stream.id)]
    assert {end.end_reason for end in ends} == {"reason 0"}


async def test_live_streams_are_taken_up_again(
    store: PostgresStore, service: StreamService, notes: Notes
) -> None:
    streams = [await service.create("a", {"title": str(n), "is_private": n == 0}) for n in range(3)]
    for stream in streams[:2]:
        await service.start(stream.id)
    later = StreamService(store, store, notes, min_followers=0)
    assert {stream.id for stream in await later.live_streams()} == {stream.id for stream in streams[:2]}


async def test_watchers_hear_of_every_change(service: StreamService) -> None:
    heard: list[Stream] = []
    service.watch(heard.append)
    stream = await service.create("a", {"title": "x"})
    await service.edit(stream.id, {"is_private": True})
    await service.edit(stream.id, {"is_private": True})
    await service.start(stream.id)
    assert [(s.status.value, s.is_private) for s in heard] == [
        ("created", False),
        ("created", True),
        ("live", True),
    ]


async def test_cancelling_closes_a_preview(service: StreamService, notes: Notes) -> None:
    stream = await service.create("a", {"title": "x"})
    await service.cancel(stream.id)
    assert notes.told == [("end cancelled", stream.id)]


async def test_unknown_streams(service: StreamService) -> None:
    assert await service.find("x") is None
    for call in (service.start("x"), service.end("x", "y"), service.auto_start("x"), service.cancel("x")):
        with pytest.raises(StreamError, match="no such stream"):
            await call
