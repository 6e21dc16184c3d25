"""Viewers on a real database: what is stored, what a crash leaves, and what goes on while the database is away."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from control_api.key_box import KeyBox
from control_api.postgres.database import Database
from control_api.postgres.migration import bring_up_to_date
from control_api.postgres.store import PostgresStore
from control_api.postgres.viewer_table import ViewerTable
from control_api.stream.cached_store import CachedStore
from control_api.stream.pending_end import PendingEnds
from control_api.stream.record import Identity, Stream
from control_api.stream.service import StreamService
from control_api.viewer.attendance import attending
from control_api.viewer.audience import Figures
from control_api.viewer.ledger import AT_ONCE
from control_api.viewer.presence import EXPIRY_S
from control_api.viewer.service import ViewerService
from control_api.viewer.viewer_id import ViewerIds, user_key
from media.error import CapacityError, StreamError

from ..clock import Clock
from ..conftest import NOW, SECRET, Notes
from ..postgres.test_database import mortal, signal_all, until_back  # noqa: F401 a fixture

ALICE, BOB, OWNER = Identity("alice"), Identity("bob"), Identity("owner")


@dataclass
class Node:
    """One server, as far as it counts viewers."""

    database: Database
    clock: Clock
    streams: StreamService
    viewers: ViewerService

    async def live(self, **fields: object) -> Stream:
        stream = await self.streams.create("owner", {"title": "x", **fields})
        return await self.streams.start(stream.id)

    async def join(self, stream: Stream, *identities: Identity) -> None:
        for identity in identities:
            await self.viewers.join(stream.id, identity, None)

    async def rows(self, stream: Stream) -> Mapping[str, Mapping[str, Any]]:
        sql = "SELECT * FROM stream_viewers WHERE stream_id = $1"
        return {row["viewer_id"]: dict(row) for row in await self.database.fetch(sql, stream.id)}

    async def stored(self, stream: Stream) -> Figures:
        found = await self.streams.get(stream.id)
        return Figures(found.viewer_count, found.peak_viewers, found.unique_viewers)


async def open_node(
    database: Database, clock: Clock, store: CachedStore | PostgresStore | None = None, **options: Any
) -> Node:
    """Start a server on a database, whatever an earlier one has left in it."""
    store = store or PostgresStore(database, KeyBox(SECRET))
    streams = StreamService(
        store, PostgresStore(database, KeyBox(SECRET)), Notes(), min_followers=0, now=lambda: at(clock.now)
    )
    viewers = ViewerService(streams, ViewerTable(database), ViewerIds(SECRET), clock, **options)
    await viewers.open()
    return Node(database, clock, streams, viewers)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW.timestamp())


@pytest.fixture
async def node(database: Database, clock: Clock) -> Node:
    return await open_node(database, clock)


async def test_what_is_stored(node: Node) -> None:
    stream = await node.live()
    guest = await node.viewers.join(stream.id, None, None)
    await node.join(stream, ALICE, ALICE, OWNER)
    node.clock.now += 10
    node.viewers.seen(stream.id, "alice")
    assert await node.viewers.leave(stream.id, None, guest.viewer_id) == Figures(1, 2, 2)
    await node.viewers.store_all()
    rows = await node.rows(stream)
    assert rows.keys() == {guest.viewer_id, user_key("alice")}
    alice, other = rows[user_key("alice")], rows[guest.viewer_id]
    seen_at = NOW + timedelta(seconds=10)
    assert (alice["user_id"], other["user_id"]) == ("alice", None)
    assert (alice["joined_at"], alice["last_seen_at"], alice["left_at"]) == (NOW, seen_at, None)
    assert (other["joined_at"], other["last_seen_at"], other["left_at"]) == (NOW, seen_at, seen_at)
    assert {(row["visits"], row["watch_time_s"]) for row in rows.values()} == {(1, 10.0)}
    assert await node.stored(stream) == Figures(1, 2, 2)
    node.clock.now += EXPIRY_S
    await node.viewers.store_all()
    assert (await node.rows(stream))[user_key("alice")]["left_at"] == seen_at
    assert await node.stored(stream) == Figures(0, 2, 2)


async def test_only_live_streams_are_joined(node: Node) -> None:
    stream = await node.streams.create("owner", {"title": "x"})
    with pytest.raises(StreamError, match="not been started") as caught:
        await node.join(stream, ALICE)
    assert caught.value.code == "not_live"
    await node.streams.start(stream.id)
    await node.join(stream, ALICE)
    await node.streams.end(stream.id, "owner")
    with pytest.raises(StreamError, match="has ended"):
        await node.join(stream, ALICE)
    assert await node.viewers.leave(stream.id, ALICE, None) == Figures(0, 1, 1)
    other = await node.streams.create("owner", {"title": "x"})
    await node.streams.cancel(other.id)
    with pytest.raises(StreamError, match="was cancelled"):
        await node.join(other, ALICE)


async def test_at_the_end_everybody_leaves(node: Node) -> None:
    stream = await node.live()
    await node.join(stream, ALICE, BOB)
    await node.viewers.store_all()
    node.clock.now += 25
    ended = await node.streams.end(stream.id, "owner")
    assert (ended.viewer_count, ended.peak_viewers, ended.unique_viewers) == (0, 2, 2)
    node.viewers.seen(stream.id, "alice")
    assert node.viewers.figures(ended) == Figures(0, 2, 2)
    await node.viewers.store_all()
    for row in (await node.rows(stream)).values():
        assert (row["left_at"], row["watch_time_s"]) == (ended.ended_at, 25.0)
    assert await node.stored(stream) == Figures(0, 2, 2)
    assert node.viewers.live_figures() == {}


async def test_an_end_before_anything_was_stored(node: Node) -> None:
    stream = await node.live()
    await node.join(stream, ALICE)
    await node.streams.end(stream.id, "owner")
    await node.viewers.store_all()
    assert await node.stored(stream) == Figures(0, 1, 1)


async def test_after_a_crash(node: Node, database: Database) -> None:
    stream = await node.live()
    await node.join(stream, ALICE, BOB)
    await node.viewers.store_all()
    node.clock.now += 5
    after = await open_node(database, node.clock)  # the other one was killed
    live = await after.streams.get(stream.id)
    assert after.viewers.figures(live) == Figures(0, 2, 2)
    await after.viewers.store_all()
    assert await after.stored(stream) == Figures(0, 2, 2)
    after.viewers.seen(stream.id, "alice")
    await after.join(stream, Identity("cleo"))
    assert after.viewers.figures(live) == Figures(2, 2, 3)
    node.clock.now += EXPIRY_S - 1
    after.viewers.seen(stream.id, "alice")
    await after.viewers.store_all()
    await after.viewers.tidy()
    rows = await after.rows(stream)
    assert rows[user_key("bob")]["left_at"] == NOW  # when he was last heard of
    assert rows[user_key("alice")]["left_at"] is None
    assert (rows[user_key("alice")]["watch_time_s"], rows[user_key("alice")]["visits"]) == (34.0, 1)
    assert rows[user_key("alice")]["joined_at"] == NOW
    await after.join(stream, BOB)
    await after.viewers.store_all()
    bob = (await after.rows(stream))[user_key("bob")]
    assert (bob["left_at"], bob["visits"], bob["watch_time_s"]) == (None, 2, 0.0)
    assert await after.stored(stream) == Figures(3, 3, 3)


async def test_a_stream_that_ended_without_its_viewers(node: Node, database: Database) -> None:
    """Killed between the end and what it means for viewers."""
    stream = await node.live()
    await node.join(stream, ALICE)
    await node.viewers.store_all()
    assert (await node.stored(stream)).viewer_count == 1
    await node.streams.end(stream.id, "owner")
    node.clock.now += EXPIRY_S + 1
    after = await open_node(database, node.clock)
    await after.viewers.tidy()
    assert (await after.rows(stream))[user_key("alice")]["left_at"] == NOW
    assert await after.stored(stream) == Figures(0, 1, 1)


async def test_who_was_forgotten_is_no_second_viewer(database: Database, clock: Clock) -> None:
    node = await open_node(database, clock, max_viewers=1)
    stream = await node.live()
    for identity in (ALICE, BOB, ALICE):
        await node.join(stream, identity)
        clock.now += 5
        await node.viewers.leave(stream.id, identity, None)
        await node.viewers.store_all()
    assert node.viewers.figures(stream) == await node.stored(stream) == Figures(0, 1, 2)
    alice = (await node.rows(stream))[user_key("alice")]
    assert (alice["visits"], alice["watch_time_s"], alice["joined_at"]) == (2, 10.0, NOW)


async def test_more_viewers_than_one_statement_takes(node: Node) -> None:
    stream = await node.live()
    for number in range(AT_ONCE + 1):
        node.viewers.seen(stream.id, f"user {number}")
    assert await node.viewers.store()
    assert not await node.viewers.store()
    wanted = AT_ONCE + 1
    assert await node.stored(stream) == Figures(wanted, wanted, wanted)


async def test_writing_again_what_may_have_been_written_does_no_harm(node: Node) -> None:
    stream = await node.live()
    await node.join(stream, ALICE)
    table = ViewerTable(node.database)
    unstored = node.viewers._presence.unstored
    taken = unstored.take(10)
    await table.write(taken, node.viewers._ledger._counts(taken.audiences))
    before = await node.rows(stream)
    unstored.give_back(taken)  # the answer was lost
    await node.viewers.store_all()
    assert await node.rows(stream) == before
    assert await node.stored(stream) == Figures(1, 1, 1)


async def test_two_nodes_write_at_the_same_time(node: Node, database: Database) -> None:
    stream = await node.live()
    other = await open_node(database, node.clock)
    for number in range(300):
        node.viewers.seen(stream.id, f"user {number}")
        other.viewers.seen(stream.id, f"user {599 - number}")
        other.viewers.seen(stream.id, f"user {number}")
    await asyncio.gather(node.viewers.store_all(), other.viewers.store_all())
    assert (await node.stored(stream)).unique_viewers == 600
    assert len(await node.rows(stream)) == 600


async def test_a_stream_that_another_node_ends(node: Node, database: Database) -> None:
    stream, other = await node.live(), await node.live()
    await node.join(stream, ALICE)
    await node.join(other, ALICE)
    elsewhere = await open_node(database, node.clock)
    await elsewhere.streams.end(stream.id, "owner")
    await node.viewers.tidy()
    assert node.viewers.live_figures() == {other.id: Figures(1, 1, 1)}
    await node.viewers.store_all()
    assert (await node.rows(stream))[user_key("alice")]["left_at"] == NOW
    assert await node.stored(stream) == Figures(0, 1, 1)


async def test_while_the_block_runs_it_is_stored_by_itself(node: Node) -> None:
    async with attending(node.streams, node.database, SECRET, node.clock) as attendance:
        stream = await node.live()
        await attendance.viewers.join(stream.id, ALICE, None)
        await node.streams.end(stream.id, "owner")
        async with asyncio.timeout(10):
            while not (await node.rows(stream)).get(user_key("alice"), {}).get("left_at"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        other = await node.live()
        await attendance.viewers.join(other.id, BOB, None)
    assert (await node.rows(other)).keys() == {user_key("bob")}


async def test_watchers_hear_of_each_change_once(node: Node) -> None:
    stream, heard = await node.live(), list[str]()

    def fail(stream_id: str) -> None:
        raise ValueError(stream_id)

    node.viewers.watch(fail)
    node.viewers.watch(heard.append)
    await node.join(stream, ALICE)
    assert heard == [stream.id]
    await node.join(stream, ALICE)
    node.viewers.seen(stream.id, "alice")
    await node.join(stream, OWNER)
    assert heard == [stream.id]
    node.viewers.seen(stream.id, "bob")
    await node.viewers.leave(stream.id, BOB, None)
    assert heard == [stream.id] * 3
    node.clock.now += EXPIRY_S
    await node.viewers.look()
    await node.viewers.look()
    assert heard == [stream.id] * 4
    await node.join(stream, ALICE, BOB)
    await node.streams.end(stream.id, "owner")
    assert heard == [stream.id] * 7


async def test_who_is_silent_is_missed_without_anybody_asking(node: Node) -> None:
    heard = list[Figures]()
    async with attending(node.streams, node.database, SECRET, node.clock) as attendance:
        stream = await node.live()
        attendance.viewers.watch(lambda stream_id: heard.append(attendance.viewers.live_figures()[stream_id]))
        await attendance.viewers.join(stream.id, ALICE, None)
        node.clock.now += EXPIRY_S
        async with asyncio.timeout(10):
            while len(heard) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert heard == [Figures(1, 1, 1), Figures(0, 1, 1)]


async def test_a_socket_is_presence(node: Node) -> None:
    stream = await node.live()
    one = await node.viewers.attend(stream.id, ALICE, None)
    other = await node.viewers.attend(stream.id, ALICE, None)
    guest = await node.viewers.attend(stream.id, None, None)
    owner = await node.viewers.attend(stream.id, OWNER, None)
    assert one.admission.viewer_id == "alice"
    assert one.admission.figures == Figures(1, 1, 1)
    assert guest.admission.viewer_id.startswith("anon-")
    assert owner.admission.figures == Figures(2, 2, 2)
    for _ in range(20):  # beside the socket there are players, and other pages
        node.clock.now += 6
        node.viewers.seen(stream.id, "alice")
    await node.join(stream, ALICE)
    assert await node.viewers.leave(stream.id, ALICE, None) == Figures(2, 2, 2)
    node.clock.now += 100
    await node.viewers.store_all()
    rows = await node.rows(stream)
    assert rows[user_key("alice")]["watch_time_s"] == 220.0
    assert rows[guest.admission.viewer_id]["watch_time_s"] == 220.0
    assert node.viewers.unstored_time_s(stream.id) == 0.0
    one.close(has_left=True)
    one.close(has_left=True)
    owner.close(has_left=True)
    guest.close(has_left=False)
    assert node.viewers.figures(stream) == Figures(2, 2, 2)
    node.clock.now += 10
    other.close(has_left=True)
    assert node.viewers.figures(stream) == Figures(1, 2, 2)
    node.clock.now += EXPIRY_S - 10
    await node.viewers.store_all()
    assert node.viewers.figures(stream) == Figures(0, 2, 2)
    rows = await node.rows(stream)
    alice, gone = rows[user_key("alice")], rows[guest.admission.viewer_id]
    assert (alice["watch_time_s"], alice["visits"]) == (230.0, 1)
    assert (gone["watch_time_s"], gone["visits"]) == (220.0, 1)


async def test_a_connection_that_comes_back_is_the_same_visit(node: Node) -> None:
    stream = await node.live()
    socket = await node.viewers.attend(stream.id, ALICE, None)
    node.clock.now += 10
    socket.close(has_left=False)
    node.clock.now += 29
    socket = await node.viewers.attend(stream.id, ALICE, None)
    node.clock.now += 1
    socket.close(has_left=True)
    await node.viewers.store_all()
    alice = (await node.rows(stream))[user_key("alice")]
    assert (alice["watch_time_s"], alice["visits"]) == (40.0, 1)


async def test_waiting_for_a_stream_is_not_watching_it(node: Node) -> None:
    stream = await node.streams.create("owner", {"title": "x"})
    waiting = await node.viewers.attend(stream.id, ALICE, None)
    gone = await node.viewers.attend(stream.id, BOB, None)
    assert waiting.admission.figures == Figures(0, 0, 0)
    node.clock.now += 100
    gone.close(has_left=True)
    await node.streams.start(stream.id)
    assert node.viewers.figures(stream) == Figures(1, 1, 1)
    node.clock.now += 50
    ended = await node.streams.end(stream.id, "owner")
    node.clock.now += 50
    waiting.close(has_left=True)
    late = await node.viewers.attend(stream.id, BOB, None)
    assert late.admission.figures == node.viewers.figures(ended) == Figures(0, 1, 1)
    late.close(has_left=True)
    await node.viewers.store_all()
    rows = await node.rows(stream)
    assert {key: row["watch_time_s"] for key, row in rows.items()} == {user_key("alice"): 50.0}


async def test_waiting_for_a_stream_that_another_node_starts(node: Node, database: Database) -> None:
    stream = await node.streams.create("owner", {"title": "x"})
    await node.viewers.attend(stream.id, ALICE, None)
    elsewhere = await open_node(database, node.clock)
    await elsewhere.streams.start(stream.id)
    await node.viewers.find_live()
    assert node.viewers.figures(stream) == Figures(1, 1, 1)


async def test_a_connection_of_media_is_presence_of_whom_its_token_names(node: Node) -> None:
    stream = await node.live(is_private=True)
    page = await node.viewers.attend(stream.id, OWNER, None)
    alice = await node.viewers.attend_media(stream.id, "alice")
    guest = await node.viewers.attend_media(stream.id, None)
    same = await node.viewers.attend_media(stream.id, guest.admission.viewer_id)
    assert alice.admission.viewer_id == "alice"
    assert same.admission.figures == Figures(2, 2, 2)
    for one in (alice, guest, same, page):
        one.close(has_left=True)
    assert node.viewers.figures(stream) == Figures(0, 2, 2)
    with pytest.raises(StreamError, match="no such stream"):
        await node.viewers.attend_media("no-such-stream", None)


async def test_private_streams_are_attended_by_those_who_may_see_them(node: Node) -> None:
    stream = await node.live(is_private=True)
    with pytest.raises(StreamError, match="no such stream"):
        await node.viewers.attend(stream.id, ALICE, None)


async def test_a_viewer_of_two_nodes_watches_once(node: Node, database: Database) -> None:
    """Without a common memory both count, but what is stored is true."""
    stream = await node.live()
    other = await open_node(database, node.clock)
    await node.join(stream, ALICE)
    for second in range(60):
        node.clock.now += 1
        (node if second % 10 < 5 else other).viewers.seen(stream.id, "alice")
        if second % 7 == 0:
            await other.viewers.store_all()
        if second % 11 == 0:
            await node.viewers.store_all()
    await node.viewers.leave(stream.id, ALICE, None)
    await other.viewers.store_all()
    await node.viewers.store_all()
    alice = (await node.rows(stream))[user_key("alice")]
    assert (alice["watch_time_s"], alice["visits"], alice["left_at"]) == (60.0, 1, at(node.clock.now))


@pytest.mark.timeout(60)
async def test_while_the_database_is_away(mortal: Any, tmp_path: Path, clock: Clock) -> None:  # noqa: F811
    await bring_up_to_date(mortal.dsn("postgres"))
    database = await Database.open(mortal.dsn("postgres"), size=3)
    store = CachedStore(PostgresStore(database, KeyBox(SECRET)), PendingEnds(tmp_path / "ends"))
    node = await open_node(database, clock, store)
    stream = await node.live()
    await node.join(stream, ALICE)
    await node.viewers.store_all()
    signal_all(mortal, signal.SIGSTOP)
    with pytest.raises(CapacityError):
        await database.fetchval("SELECT 1")
    clock.now += 20
    await node.join(stream, ALICE, BOB)
    clock.now += 10
    with pytest.raises(CapacityError):
        await node.viewers.store_all()
    assert node.viewers.figures(stream) == Figures(2, 2, 2)
    assert await node.viewers.leave(stream.id, BOB, None) == Figures(1, 2, 2)
    signal_all(mortal, signal.SIGCONT)
    await until_back(database)
    await node.viewers.store_all()
    rows = await node.rows(stream)
    assert (rows[user_key("alice")]["watch_time_s"], rows[user_key("alice")]["left_at"]) == (20.0, None)
    assert (rows[user_key("bob")]["watch_time_s"], rows[user_key("bob")]["left_at"]) == (10.0, at(clock.now))
    assert await node.stored(stream) == Figures(1, 2, 2)
    await database.close()
