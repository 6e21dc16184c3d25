"""What a store remembers, and what it does while the database is away: a real one, whose processes are stopped."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from control_api.key_box import KeyBox
from control_api.postgres.database import Database
from control_api.postgres.migration import bring_up_to_date
from control_api.postgres.store import PostgresStore
from control_api.stream.cached_store import MAX_AGE_S, CachedStore
from control_api.stream.pending_end import PendingEnd, PendingEnds
from control_api.stream.record import Status, Stream
from control_api.stream.service import StreamService
from media.error import CapacityError, StreamError
from tests.database import PostgresServer, embedded_binaries, running_postgres

from ..clock import Clock
from ..conftest import NOW, SECRET, Notes
from ..postgres.test_database import signal_all, until_back
from ..postgres.test_store import stream

pytestmark = pytest.mark.timeout(60)
LATER = NOW + timedelta(minutes=5)


class Counted(PostgresStore):
    """Counts what is asked of the database."""

    reads = 0

    async def get(self, stream_id: str) -> Stream | None:
        self.reads += 1
        return await super().get(stream_id)


async def test_a_stream_is_read_once_a_second(database: Database, tmp_path: Path) -> None:
    clock, tables = Clock(), Counted(database, KeyBox(SECRET))
    store = CachedStore(tables, PendingEnds(tmp_path / "ends"), clock)
    other = CachedStore(PostgresStore(database, KeyBox(SECRET)), PendingEnds(tmp_path / "others"))
    first = stream()
    await other.add(first)
    assert await asyncio.gather(*(store.get(first.id) for _ in range(50))) == [first] * 50
    assert tables.reads == 1
    renamed = await other.replace(replace(first, title="other"))
    assert await store.get(first.id) == first
    clock.now += MAX_AGE_S + 0.1
    assert await store.get(first.id) == renamed
    assert tables.reads == 2
    mine = await store.replace(replace(renamed, title="mine"))
    assert await store.get(first.id) == mine
    assert tables.reads == 2
    assert await store.get_newest(first.id) == mine
    assert tables.reads == 3


async def test_ends_are_written_down_and_forgotten_once(tmp_path: Path) -> None:
    ends = PendingEnds(tmp_path / "ends")
    assert await ends.read() == []
    some = [PendingEnd(str(n), NOW, f"reason\n{n}") for n in range(3)]
    await asyncio.gather(*(ends.add(end) for end in [*some, some[0]]))
    with (tmp_path / "ends").open("ab") as file:
        file.write(b'["torn')
    again = PendingEnds(tmp_path / "ends")
    assert set(await again.read()) == set(some)
    await again.forget(some[:2])
    assert await again.read() == some[2:]
    await again.forget(some[2:])
    assert not (tmp_path / "ends").exists()


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[PostgresServer]:
    with running_postgres(embedded_binaries(tmp_path / "binaries"), 18) as server:
        yield server


@pytest.fixture
async def database_to_stop(mortal: PostgresServer) -> AsyncIterator[Database]:
    await bring_up_to_date(mortal.dsn("postgres"))
    database = await Database.open(mortal.dsn("postgres"), size=3)
    yield database
    await database.close()


async def test_while_the_database_is_away(
    database_to_stop: Database, mortal: PostgresServer, tmp_path: Path
) -> None:
    database = database_to_stop
    tables, notes = PostgresStore(database, KeyBox(SECRET)), Notes()
    store = CachedStore(tables, PendingEnds(tmp_path / "ends"))
    database.when_back(store.store_pending)
    time = NOW
    service = StreamService(store, tables, notes, min_followers=0, now=lambda: time)
    live = await service.create("alice", {"title": "live"})
    live = await service.start(live.id)
    plain = await service.create("alice", {"title": "plain"})
    goes = await service.start((await service.create("bob", {"title": "goes on", "is_private": True})).id)
    await store.set_channel_key("alice", "ck_alice")
    assert (await service.authorize_publish("live", "ck_alice")).id == live.id

    signal_all(mortal, signal.SIGSTOP)
    # Encoders of live broadcasts get in, by either key.
    for key in (live.stream_key, "ck_alice"):
        assert (await service.authorize_publish("live", key)).id == live.id
    assert (await service.auto_start(live.id)).status is Status.LIVE
    for key in (plain.stream_key, "sk_unknown", "ck_unknown"):
        with pytest.raises(CapacityError):
            await service.authorize_publish("live", key)
    # What changes is refused.
    for change in (
        service.create("alice", {"title": "x"}),
        service.start(plain.id),
        service.edit(live.id, {"title": "x"}),
        service.new_key(live.id),
    ):
        with pytest.raises(CapacityError):
            await change
    # An end is taken, and stays so for everybody.
    time = LATER
    ended = await service.end(live.id, "owner")
    assert (ended.status, ended.ended_at, notes.told[-1]) == (Status.ENDED, LATER, ("end owner", live.id))
    assert await service.end(live.id, "again") == ended
    assert (await service.visible(live.id, None)).status is Status.ENDED
    with pytest.raises(StreamError, match="has ended"):
        await service.start(live.id)
    with pytest.raises(CapacityError):
        await service.authorize_publish("live", live.stream_key)
    assert len(await PendingEnds(tmp_path / "ends").read()) == 1

    signal_all(mortal, signal.SIGCONT)
    await until_back(database)
    async with asyncio.timeout(10):
        while (tmp_path / "ends").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    stored = await tables.get(live.id)
    assert stored is not None
    assert (stored.status, stored.ended_at, stored.end_reason) == (Status.ENDED, LATER, "owner")
    assert [one.id for one in await store.live_streams()] == [goes.id]
    assert (await service.start(plain.id)).status is Status.LIVE
    with pytest.raises(StreamError, match="has ended"):
        await service.authorize_publish("live", live.stream_key)


async def test_an_end_that_a_killed_server_wrote_down_is_stored_by_the_next(
    database: Database, tmp_path: Path
) -> None:
    tables = PostgresStore(database, KeyBox(SECRET))
    live = stream(status=Status.LIVE)
    await tables.add(live)
    gone = PendingEnd("01890000-0000-7000-8000-000000000000", NOW, "owner")
    ends = PendingEnds(tmp_path / "ends")
    await ends.add(gone)
    await ends.add(PendingEnd(live.id, LATER, "owner"))
    store = CachedStore(tables, ends)
    await store.store_pending()
    stored = await store.get(live.id)
    assert stored is not None
    assert (stored.status, stored.ended_at) == (Status.ENDED, LATER)
    assert await ends.read() == []
