"""Chats on a real PostgreSQL: order, durability, who hears of what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import pytest

from control_api.audit import Actor
from control_api.chat.event import (
    ChatEvent,
    CommentAdded,
    CommentDeleted,
    CommentPinned,
    CommentUnpinned,
    ReactionChanged,
)
from control_api.chat.rate import MAX_COMMENTS_OF_ADDRESS, MAX_REACTIONS_OF_ADDRESS
from control_api.chat.service import ChatService
from control_api.chat.store import Comment, NewComment, Reaction, ReactionType
from control_api.moderation.service import ModerationService
from control_api.postgres.comment_table import CommentTable
from control_api.postgres.database import Database
from control_api.postgres.moderation_table import ModerationTable
from control_api.postgres.reaction_table import ReactionTable
from control_api.postgres.store import PostgresStore
from control_api.stream.record import Identity, Stream
from control_api.stream.service import StreamService
from control_api.wait import TooEarlyError
from media.error import CapacityError, StreamError
from tests.database import PostgresServer

from ..clock import Clock
from ..conftest import NOW, FreeChat, Notes

DEMO, EVE = Identity("demo"), Identity("eve", name="Eve Adams")
LIKE, FIRE, WOW = ReactionType.LIKE, ReactionType.FIRE, ReactionType.WOW


@dataclass
class Room:
    """A chat with one live stream; `told` is what its watcher heard."""

    chat: ChatService
    streams: StreamService
    database: Database
    stream: Stream
    told: list[ChatEvent] = field(default_factory=list)

    async def live(self) -> Stream:
        stream = await self.streams.create("demo", {"title": "a show"})
        return await self.streams.start(stream.id)

    async def write(self, content: str = "hi", author: Identity = DEMO) -> Comment:
        return await self.chat.comment(self.stream.id, author, content)

    async def contents(self) -> list[str]:
        history = await self.chat.history(self.stream.id, None, before=None, limit=100)
        return [comment.content for comment in history.comments]


@pytest.fixture
async def room(store: PostgresStore, database: Database) -> AsyncIterator[Room]:
    streams = StreamService(store, store, Notes(), min_followers=50, now=lambda: NOW)
    chat = ChatService(streams, CommentTable(database), ReactionTable(database), FreeChat(), clock=Clock())
    stream = await streams.start((await streams.create("demo", {"title": "a show"})).id)
    room = Room(chat, streams, database, stream)
    chat.watch(room.told.append)
    yield room
    await chat.drain()


class GatedStore(CommentTable):
    """Counts batches, and holds each back until it is let go."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.sizes: list[int] = []
        self.begun, self.gate = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def add(self, comments: Sequence[NewComment]) -> Sequence[Comment | None]:
        self.sizes.append(len(comments))
        self.begun.release()
        await self.gate.acquire()
        return await super().add(comments)


class CountedRules(FreeChat):
    """Allow everything, and note what is about to be written."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str]] = []
        self.checked = asyncio.Semaphore(0)

    async def check(self, stream: Stream, author: Identity, content: str, *, is_exempt: bool) -> None:
        self.seen.append((stream.id, content))
        self.checked.release()


def gated(room: Room) -> tuple[ChatService, GatedStore, CountedRules]:
    store, rules = GatedStore(room.database), CountedRules()
    chat = ChatService(room.streams, store, ReactionTable(room.database), rules, clock=Clock())
    chat.watch(room.told.append)
    return chat, store, rules


async def test_names_come_from_the_token(room: Room) -> None:
    assert (await room.write(author=EVE)).display_name == "Eve Adams"
    assert (await room.write(author=Identity("é b"))).display_name == "é b"


async def test_comments_at_the_same_time_are_one_write_in_their_order(room: Room) -> None:
    chat, store, rules = gated(room)
    other = await room.live()
    first = asyncio.create_task(chat.comment(room.stream.id, DEMO, "first"))
    await store.begun.acquire()
    await rules.checked.acquire()
    tasks = [
        asyncio.create_task(chat.comment(stream.id, DEMO, f"{number}"))
        for number in range(100)
        for stream in (room.stream, other)
    ]
    for _ in tasks:
        await rules.checked.acquire()
    for _ in range(2):
        store.gate.release()
    await first
    stored = await asyncio.gather(*tasks)
    assert store.sizes == [1, 200]
    told = [event.comment for event in room.told if isinstance(event, CommentAdded)][1:]
    assert [(one.stream_id, one.content) for one in told] == rules.seen[1:]
    assert {one.id for one in told} == {one.id for one in stored}
    for stream, places in ((room.stream, range(2, 102)), (other, range(1, 101))):
        mine = [one for one in told if one.stream_id == stream.id]
        assert [one.seq for one in mine] == [*places]
        assert [one.created_at for one in mine] == sorted(one.created_at for one in mine)


async def test_the_end_of_a_stream_ends_its_chat_even_where_it_is_not_known_yet(room: Room) -> None:
    sql = (
        "UPDATE live_streams SET status = 'ended', ended_at = now(), end_reason = 'owner', started_at = now()"
    )
    chat, store, _ = gated(room)
    other = await room.live()
    writing = asyncio.create_task(chat.comment(room.stream.id, DEMO, "too late"))
    await store.begun.acquire()
    await room.database.execute(f"{sql} WHERE id = $1", room.stream.id)
    for _ in range(2):
        store.gate.release()
    with pytest.raises(StreamError, match="has just ended") as caught:
        await writing
    assert caught.value.code == "not_live"
    assert (await chat.comment(other.id, DEMO, "here")).seq == 1
    put = await ReactionTable(room.database).put(
        [Reaction(room.stream.id, "eve", LIKE), Reaction(other.id, "eve", FIRE)]
    )
    assert [counts and counts[FIRE] for counts in put] == [None, 1]
    assert [type(event) for event in room.told] == [CommentAdded]
    assert await room.contents() == []


async def test_who_does_not_wait_is_heard_all_the_same(room: Room) -> None:
    chat, store, _ = gated(room)
    writing = asyncio.create_task(chat.comment(room.stream.id, DEMO, "gone"))
    await store.begun.acquire()
    writing.cancel()
    await asyncio.wait([writing])
    store.gate.release()
    await chat.drain()
    assert await room.contents() == ["gone"]
    assert [event.comment.content for event in room.told if isinstance(event, CommentAdded)] == ["gone"]


async def test_what_watchers_hear_is_stored(room: Room) -> None:
    seen: list[asyncio.Task[list[str]]] = []
    room.chat.watch(lambda _: seen.append(asyncio.create_task(room.contents())))
    await room.write("a")
    assert await seen[0] == ["a"]


async def test_everything_durable_has_a_rising_place(room: Room) -> None:
    stream_id = room.stream.id
    first, second = await room.write("first"), await room.write("second")
    await room.chat.pin(stream_id, DEMO, first.id)
    await room.chat.pin(stream_id, DEMO, first.id)  # nothing happens
    await room.chat.pin(stream_id, DEMO, second.id)
    await room.chat.unpin(stream_id, DEMO, first.id)  # nothing happens
    await room.chat.unpin(stream_id, DEMO, second.id)
    await room.chat.delete(stream_id, DEMO, first.id)
    third = await room.write("third")
    added, pinned = CommentAdded, CommentPinned
    assert [type(event) for event in room.told] == [
        added, added, pinned, CommentUnpinned, pinned, CommentUnpinned, CommentDeleted, added,
    ]  # fmt: skip
    places = [event.comment.seq if isinstance(event, added) else event.seq for event in room.told]  # type: ignore[union-attr]
    assert places == sorted(set(places))
    assert [getattr(event, "comment_id", None) for event in room.told[3:7]] == [
        first.id, None, second.id, first.id,
    ]  # fmt: skip
    history = await room.chat.history(stream_id, None, before=None, limit=10)
    assert history.comments == [second, third]  # each with the place that it had
    rows = await room.database.fetch("SELECT id, changed_seq, deleted_by FROM stream_comments ORDER BY seq")
    assert [tuple(row) for row in rows] == [
        (first.id, places[6], "demo"),
        (second.id, places[5], None),
        (third.id, None, None),
    ]


async def test_of_pins_at_the_same_time_one_stays(room: Room) -> None:
    comments = [await room.write(f"{number}") for number in range(8)]
    await asyncio.gather(*(room.chat.pin(room.stream.id, DEMO, one.id) for one in comments))
    history = await room.chat.history(room.stream.id, None, before=None, limit=10)
    assert [one.id for one in history.comments if one.is_pinned] == [history.pinned and history.pinned.id]
    pins = [event for event in room.told if isinstance(event, CommentPinned)]
    assert len(pins) == 8
    assert max(pins, key=lambda pin: pin.seq).comment == history.pinned
    unpinned = {event.comment_id for event in room.told if isinstance(event, CommentUnpinned)}
    assert unpinned == {one.id for one in comments} - {history.pinned and history.pinned.id}


async def test_deleting_twice_at_the_same_time_happens_once(room: Room) -> None:
    comment = await room.write()
    deleting = (room.chat.delete(room.stream.id, DEMO, comment.id) for _ in range(5))
    results = await asyncio.gather(*deleting, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["NoneType", *["StreamError"] * 4]
    assert len([event for event in room.told if isinstance(event, CommentDeleted)]) == 1
    assert (await room.streams.get(room.stream.id)).comments_count == 0


async def test_reactions_replace_each_other(room: Room) -> None:
    for kind in (WOW, FIRE):
        counts = await room.chat.react(room.stream.id, EVE, kind)
        assert counts == dict.fromkeys(ReactionType, 0) | {kind: 1}
    assert room.told == [ReactionChanged(Reaction(room.stream.id, "eve", kind)) for kind in (WOW, FIRE)]


async def test_reactions_at_the_same_time(room: Room) -> None:
    users = [Identity(f"user {number}") for number in range(50)]
    answers = await asyncio.gather(*(room.chat.react(room.stream.id, user, LIKE) for user in users))
    assert max(answer[LIKE] for answer in answers) == 50
    assert len(room.told) == 50


async def test_while_the_database_is_away_nothing_is_taken_and_nothing_counts(
    room: Room, postgres_18: PostgresServer
) -> None:
    away = await Database.open(room.database.dsn)
    await away.close()
    chat = ChatService(room.streams, CommentTable(away), ReactionTable(away), FreeChat(), clock=Clock())
    chat.watch(room.told.append)
    for _ in range(11):  # more than either rate
        for asked in (
            chat.comment(room.stream.id, EVE, "hi"),
            chat.react(room.stream.id, EVE, LIKE),
            chat.pin(room.stream.id, DEMO, room.stream.id),
            chat.unpin(room.stream.id, DEMO, room.stream.id),
            chat.delete(room.stream.id, DEMO, room.stream.id),
        ):
            with pytest.raises(CapacityError, match=r"The chat is read-only at the moment\."):
                await asked
        with pytest.raises(CapacityError):
            await chat.history(room.stream.id, EVE, before=None, limit=1)
    assert room.told == []


async def test_an_address_has_a_rate_that_an_office_does_not_reach(room: Room) -> None:
    users = (Identity(f"user {number}") for number in count())
    home, office = "93.184.216.34", "93.184.216.35"
    for _ in range(MAX_COMMENTS_OF_ADDRESS):
        await room.chat.comment(room.stream.id, next(users), "hi", address=home)
    with pytest.raises(TooEarlyError, match="At most 200 comments from one address in 10 s"):
        await room.chat.comment(room.stream.id, next(users), "hi", address=home)
    await room.chat.comment(room.stream.id, next(users), "hi", address=office)
    await room.chat.comment(room.stream.id, next(users), "hi")
    await room.chat.comment(room.stream.id, DEMO, "hi", address=home)  # the owner
    other = await room.live()
    await room.chat.comment(other.id, next(users), "hi", address=home)


async def test_reactions_of_an_address(room: Room) -> None:
    user = Identity("one more")
    await asyncio.gather(
        *(
            room.chat.react(room.stream.id, Identity(f"user {n}"), LIKE, address="93.184.216.34")
            for n in range(MAX_REACTIONS_OF_ADDRESS)
        )
    )
    with pytest.raises(TooEarlyError, match="At most 1000 reactions from one address"):
        await room.chat.react(room.stream.id, user, LIKE, address="93.184.216.34")
    await room.chat.react(room.stream.id, user, LIKE, address="93.184.216.35")
    await room.chat.react(room.stream.id, DEMO, LIKE, address="93.184.216.34")


async def test_a_turn_in_slow_mode_is_given_back_when_nothing_was_stored(
    room: Room, store: PostgresStore
) -> None:
    rules = ModerationService(ModerationTable(room.database), room.streams, store, clock=Clock())
    await rules.change_settings(room.stream, Actor(DEMO, None), {"slow_mode_s": 60})
    away = await Database.open(room.database.dsn)
    await away.close()
    works, fails = (
        ChatService(room.streams, CommentTable(where), ReactionTable(where), rules, clock=Clock())
        for where in (room.database, away)
    )
    for _ in range(2):
        with pytest.raises(CapacityError, match="read-only"):
            await fails.comment(room.stream.id, EVE, "hi")
    await works.comment(room.stream.id, EVE, "hi")
    with pytest.raises(TooEarlyError, match="Slow mode"):
        await works.comment(room.stream.id, EVE, "hi")
