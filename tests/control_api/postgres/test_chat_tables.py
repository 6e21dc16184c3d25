"""The contract of `control_api.chat.store`."""

from __future__ import annotations

import asyncio

import pytest
import uuid_utils

from control_api.chat.store import Comment, NewComment, Reaction, ReactionType
from control_api.postgres.comment_table import CommentTable
from control_api.postgres.database import Database
from control_api.postgres.reaction_table import ReactionTable
from control_api.postgres.store import PostgresStore
from control_api.stream.record import Status

from .test_store import stream

LIKE, FIRE, WOW = ReactionType.LIKE, ReactionType.FIRE, ReactionType.WOW
NOBODYS = "01890000-0000-7000-8000-000000000000"


def new(stream_id: str, content: str = "hi") -> NewComment:
    return NewComment(
        id=str(uuid_utils.uuid7()),
        stream_id=stream_id,
        user_id="eve",
        display_name="Ünï 🎬",
        content=content,
    )


@pytest.fixture
def comments(database: Database) -> CommentTable:
    return CommentTable(database)


async def add_stream(store: PostgresStore, status: Status = Status.LIVE) -> str:
    added = stream(status=status)
    await store.add(added)
    return added.id


async def test_a_comment_reads_as_it_was_written(store: PostgresStore, comments: CommentTable) -> None:
    stream_id = await add_stream(store)
    sent = [new(stream_id, content) for content in ("a\\ \"{},' %s", "🔥" * 500, "NULL")]
    added = await comments.add(sent)
    assert [one and (one.id, one.display_name, one.content, one.seq) for one in added] == [
        (one.id, "Ünï 🎬", one.content, seq) for seq, one in enumerate(sent, start=1)
    ]
    assert await comments.latest(stream_id, None, 10) == [*reversed(added)]
    assert await comments.latest(stream_id, 3, 1) == [added[1]]
    assert await comments.get(stream_id, sent[0].id) == added[0]
    assert (await store.get_newest(stream_id) or stream()).comments_count == 3


async def test_one_batch_for_streams_in_any_state(store: PostgresStore, comments: CommentTable) -> None:
    ids = [await add_stream(store, status) for status in (Status.LIVE, Status.ENDED, Status.CREATED)]
    live, ended, created = ids
    batch = [new(stream_id) for stream_id in (ended, live, NOBODYS, created, live)]
    added = await comments.add(batch)
    assert [one and one.seq for one in added] == [None, 1, None, None, 2]
    assert [len(await comments.latest(stream_id, None, 10)) for stream_id in ids] == [2, 0, 0]


async def test_two_servers_write_to_the_same_streams(
    store: PostgresStore, comments: CommentTable, database: Database
) -> None:
    """In opposite order, so that locks taken in the order of arrival would stop both."""
    ids = [await add_stream(store), await add_stream(store)]
    other = await Database.open(database.dsn)

    async def write(table: CommentTable, order: list[str]) -> list[Comment | None]:
        batches = ([new(order[place % 2]) for place in range(10)] for _ in range(40))
        return [one for batch in batches for one in await table.add(batch)]

    parts = await asyncio.gather(write(comments, ids), write(CommentTable(other), ids[::-1]))
    stored = [one for part in parts for one in part if one is not None]
    for stream_id in ids:
        places = sorted(one.seq for one in stored if one.stream_id == stream_id)
        assert places == list(range(1, 401))
        listed = await comments.latest(stream_id, None, 1000)
        assert [one.created_at for one in listed] == sorted((one.created_at for one in listed), reverse=True)
    await other.close()


async def test_a_pin_is_one_of_a_stream(store: PostgresStore, comments: CommentTable) -> None:
    stream_id, other_id = await add_stream(store), await add_stream(store)
    first, second, foreign = [new(stream_id), new(stream_id), new(other_id)]
    await comments.add([first, second, foreign])
    assert await comments.pinned(stream_id) is None
    pin = await comments.pin(stream_id, first.id, "mod")
    assert pin is not None
    assert (pin.comment.id, pin.comment.is_pinned, pin.seq, pin.replaced_id) == (first.id, True, 4, None)
    again = await comments.pin(stream_id, first.id, "mod")
    assert again is not None
    assert (again.comment, again.seq) == (pin.comment, None)
    for stranger in (foreign.id, NOBODYS):
        assert await comments.pin(stream_id, stranger, "mod") is None
        assert await comments.unpin(stream_id, stranger) is None
        assert await comments.delete(stream_id, stranger, "mod") is None
    assert await comments.pinned(stream_id) == pin.comment  # as it was, whatever else was asked for
    replaced = await comments.pin(stream_id, second.id, "mod")
    assert replaced is not None
    assert replaced.replaced_id == first.id
    assert await comments.unpin(stream_id, first.id) is None
    assert (await comments.delete(stream_id, second.id, "mod") or 0) > (replaced.seq or 0)
    assert await comments.pinned(stream_id) is None
    assert await comments.pin(stream_id, second.id, "mod") is None
    assert await comments.delete(stream_id, second.id, "mod") is None


async def test_of_one_users_reactions_the_last_one_stays(store: PostgresStore, database: Database) -> None:
    table = ReactionTable(database)
    stream_id, ended = await add_stream(store), await add_stream(store, Status.ENDED)
    batch = [
        Reaction(stream_id, "eve", LIKE),
        Reaction(ended, "eve", LIKE),
        Reaction(stream_id, "ann", WOW),
        Reaction(stream_id, "eve", FIRE),
    ]
    counts = dict.fromkeys(ReactionType, 0) | {WOW: 1, FIRE: 1}
    assert await table.put(batch) == [counts, None, counts, counts]
    assert await table.put([Reaction(stream_id, "ann", FIRE)]) == [counts | {WOW: 0, FIRE: 2}]
    assert (await store.get_newest(stream_id) or stream()).reactions_count == 2
    assert await table.put([Reaction(NOBODYS, "eve", LIKE)]) == [None]


async def test_two_servers_write_reactions_of_the_same_users(
    store: PostgresStore, database: Database
) -> None:
    ids = [await add_stream(store), await add_stream(store)]
    users = [f"user {number}" for number in range(20)]
    other = await Database.open(database.dsn)

    async def write(table: ReactionTable, order: int, kind: ReactionType) -> None:
        for _ in range(40):
            await table.put([Reaction(stream_id, user, kind) for stream_id in ids for user in users][::order])

    await asyncio.gather(write(ReactionTable(database), 1, LIKE), write(ReactionTable(other), -1, WOW))
    for stream_id in ids:
        assert (await store.get_newest(stream_id) or stream()).reactions_count == 20
        (counts,) = await ReactionTable(other).put([Reaction(stream_id, "user 0", FIRE)])
        assert counts is not None
        assert (counts[FIRE], sum(counts.values())) == (1, 20)
    await other.close()
