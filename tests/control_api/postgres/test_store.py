"""The contract of `control_api.stream.store.Store`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import uuid_utils

from control_api.event.record import live_event
from control_api.key_box import KeyBox
from control_api.postgres.database import Database
from control_api.postgres.outbox_table import OutboxTable
from control_api.postgres.store import PostgresStore
from control_api.stream.record import Identity, Status, Stream
from control_api.stream.store import StreamQuery
from media.error import ConfigError, StreamError

from ..conftest import NOW

ADMIN = Identity("root", is_admin=True)


def stream(**fields: object) -> Stream:
    values: dict[str, Any] = {
        "id": str(uuid_utils.uuid7()),
        "user_id": "u",
        "stream_key": f"sk_{uuid_utils.uuid4()}",
        "title": "t",
        "playback_salt": "salt",
        "created_at": NOW,
    }
    if fields.get("status") in (Status.LIVE, Status.ENDED):
        values["started_at"] = NOW
    if fields.get("status") is Status.ENDED:
        values |= {"ended_at": NOW, "end_reason": "owner"}
    return Stream(**{**values, **fields})


async def test_a_stream_reads_as_it_was_written(store: PostgresStore) -> None:
    first = stream(
        title="Ünï 🎬 \\ % _ ' \" ; --",
        description="a\nb\tc",
        tags=("a", "é,{}\"'"),
        scheduled_at=NOW + timedelta(hours=1),
        status=Status.SCHEDULED,
        category="x",
        is_private=True,
        record_stream=False,
        quality="2160p",
    )
    await store.add(first)
    assert await store.get(first.id) == first
    assert await store.get_by_key(first.stream_key) == first
    live = await store.replace(replace(first, status=Status.LIVE, started_at=NOW))
    assert live == replace(first, status=Status.LIVE, started_at=NOW, revision=2)
    assert await store.get(first.id) == live
    assert await store.live_streams() == [live]


@pytest.mark.parametrize("name", ["x", "", "\0", "\ud800", "01890000-0000-7000-8000-00000000000g", "{}" * 99])
async def test_what_is_no_id_and_no_key_is_not_found(store: PostgresStore, name: str) -> None:
    assert await store.get(name) is None
    assert await store.get_by_key(name) is None
    assert await store.user_by_channel_key(name) is None


async def test_of_several_changes_of_one_revision_one_is_stored(store: PostgresStore) -> None:
    first = stream()
    await store.add(first)
    changes = (store.replace(replace(first, title=f"t{n}")) for n in range(8))
    results = await asyncio.gather(*changes, return_exceptions=True)
    refused = [result for result in results if isinstance(result, StreamError)]
    assert [error.code for error in refused] == ["conflict"] * 7
    [stored] = [result for result in results if isinstance(result, Stream)]
    assert await store.get(first.id) == stored


async def test_an_event_is_stored_with_its_change_or_not_at_all(
    store: PostgresStore, database: Database
) -> None:
    first = stream()
    await store.add(first)
    live = replace(first, status=Status.LIVE, started_at=NOW)
    event = live_event(live, NOW)
    await store.replace(live, event)
    with pytest.raises(StreamError):
        await store.replace(live, replace(event, id=str(uuid_utils.uuid7())))
    outbox = OutboxTable(database)
    assert [errand.event for errand in await outbox.take(10)] == [event]
    assert await outbox.take(10) == []  # somebody works on it


MOVES = {
    (Status.CREATED, Status.SCHEDULED), (Status.SCHEDULED, Status.CREATED),
    (Status.CREATED, Status.LIVE), (Status.SCHEDULED, Status.LIVE),
    (Status.CREATED, Status.CANCELLED), (Status.SCHEDULED, Status.CANCELLED),
    (Status.LIVE, Status.ENDED),
}  # fmt: skip


@pytest.mark.parametrize("before", list(Status))
@pytest.mark.parametrize("after", list(Status))
async def test_the_database_itself_knows_the_lifecycle(
    store: PostgresStore, before: Status, after: Status
) -> None:
    plan = NOW if Status.SCHEDULED in (before, after) else None
    first = stream(status=before, scheduled_at=plan)
    await store.add(first)
    was_live = after in (Status.LIVE, Status.ENDED)
    then = replace(
        first,
        status=after,
        started_at=NOW if was_live else None,
        ended_at=NOW if after is Status.ENDED else None,
        end_reason="x" if after is Status.ENDED else None,
    )
    if before is after or (before, after) in MOVES:
        assert (await store.replace(then)).status is after
    else:
        with pytest.raises(asyncpg.CheckViolationError, match=f"never goes from {before} to {after}"):
            await store.replace(then)


BAD: list[Mapping[str, object]] = [
    {"status": Status.LIVE, "started_at": None},
    {"status": Status.CREATED, "started_at": NOW},
    {"status": Status.ENDED, "ended_at": None},
    {"status": Status.ENDED, "end_reason": None},
    {"status": Status.ENDED, "ended_at": NOW - timedelta(seconds=1)},
    {"status": Status.LIVE, "ended_at": NOW},
    {"status": Status.SCHEDULED},
    {"end_reason": "x"},
    {"title": ""},
    {"title": "x" * 201},
    {"description": "x" * 5001},
    {"quality": "4k"},
    {"tags": tuple("abcdefghijk")},
    {"category": ""},
    {"user_id": ""},
    {"user_id": "x" * 129},
]


@pytest.mark.parametrize("fields", BAD)
async def test_a_bad_row_is_impossible(store: PostgresStore, fields: Mapping[str, object]) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await store.add(stream(**fields))


async def test_no_two_streams_have_one_key(store: PostgresStore) -> None:
    await store.add(stream(stream_key="sk_1"))
    with pytest.raises(asyncpg.UniqueViolationError):
        await store.add(stream(stream_key="sk_1"))


async def test_keys_are_stored_neither_in_the_clear_nor_openable_elsewhere(
    store: PostgresStore, database: Database
) -> None:
    first = stream(stream_key="sk_secret")
    await store.add(first)
    await store.set_channel_key("u", "ck_secret")
    rows = await database.fetch("SELECT s::text FROM live_streams s UNION SELECT c::text FROM channel_keys c")
    assert rows
    text = " ".join(row[0] for row in rows)
    assert "secret" not in text
    assert b"secret".hex() not in text
    with pytest.raises(ConfigError, match="KEY_SECRET"):
        await PostgresStore(database, KeyBox(b"another secret")).get(first.id)


async def test_channel_keys(store: PostgresStore) -> None:
    assert await store.channel_key("a") is None
    keys = await asyncio.gather(*(store.add_channel_key("a", f"ck_{n}") for n in range(5)))
    assert len(set(keys)) == 1
    assert await store.channel_key("a") == keys[0]
    await store.set_channel_key("a", "ck_new")
    assert await store.channel_key("a") == "ck_new"
    assert await store.user_by_channel_key("ck_new") == "a"
    assert await store.user_by_channel_key(keys[0]) is None


async def test_followers(store: PostgresStore) -> None:
    await asyncio.gather(*(store.follow("star", f"fan-{n:04}") for n in range(20)))
    await store.follow("star", "fan-0001")
    assert await store.follower_count("star") == 20
    assert await store.is_follower("star", "fan-0001")
    assert not await store.is_follower("fan-0001", "star")
    assert [page async for page in store.followers("star", "fan-0017")] == [["fan-0018", "fan-0019"]]
    await store.unfollow("star", "fan-0001")
    await store.unfollow("star", "fan-0001")
    assert await store.follower_count("star") == 19


async def test_followers_come_in_pages(store: PostgresStore, database: Database) -> None:
    await database.execute("INSERT INTO followers SELECT 'star', 'fan-' || n FROM generate_series(1, 2500) n")
    pages = [page async for page in store.followers("star")]
    assert [len(page) for page in pages] == [1000, 1000, 500]
    everybody = [fan for page in pages for fan in page]
    assert len(set(everybody)) == 2500


LISTS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["private live", "live c", "live b", "live a", "ended", "plain"]),
    ({"status": Status.LIVE}, ["private live", "live c", "live b", "live a"]),
    ({"status": Status.LIVE, "most_watched_first": True}, ["live b", "live c", "private live", "live a"]),
    ({"viewer": None}, ["live c", "live b", "live a", "ended", "plain"]),
    ({"viewer": Identity("stranger")}, ["live c", "live b", "live a", "ended", "plain"]),
    ({"viewer": Identity("fan")}, ["private live", "live c", "live b", "live a", "ended", "plain"]),
    ({"viewer": Identity("owner"), "user_id": "owner"}, ["private live"]),
    ({"viewer": Identity("fan"), "user_id": "owner"}, ["private live"]),
    ({"viewer": Identity("stranger"), "user_id": "owner"}, []),
    ({"category": "games"}, ["live b", "live a"]),
    ({"category": "games", "status": Status.LIVE, "most_watched_first": True}, ["live b", "live a"]),
    ({"tag": "x"}, ["live a", "plain"]),
    ({"text": "live"}, ["private live", "live c", "live b", "live a"]),
    ({"text": "LIVE A"}, ["live a"]),
    ({"text": "straße"}, ["plain"]),
    ({"text": "100%"}, ["ended"]),
    ({"text": "1_0"}, []),
    ({"text": "\\"}, []),
    ({"limit": 2}, ["private live", "live c"]),
]


@pytest.mark.parametrize(("fields", "titles"), LISTS)
async def test_lists(
    store: PostgresStore, database: Database, fields: dict[str, Any], titles: list[str]
) -> None:
    await store.follow("owner", "fan")
    for made in (
        stream(title="plain", tags=("x", "y"), description="in der Straße"),
        stream(title="ended", status=Status.ENDED, description="at 100% speed"),
        stream(title="live a", status=Status.LIVE, category="games", tags=("x",)),
        stream(title="live b", status=Status.LIVE, category="games"),
        stream(title="live c", status=Status.LIVE),
        stream(title="private live", status=Status.LIVE, is_private=True, user_id="owner"),
    ):
        await store.add(made)
    await database.execute("UPDATE live_streams SET viewer_count = 9 WHERE title = 'live b'")
    await database.execute(
        "UPDATE live_streams SET viewer_count = 5 WHERE title IN ('live c', 'private live')"
    )
    found = await store.find(StreamQuery(**{"viewer": ADMIN, **fields}))
    if fields.get("most_watched_first") and "private live" in titles:
        titles = [
            "live b",
            "private live",
            "live c",
            "live a",
        ]  # of two with five viewers the newer one first
    assert [one.title for one in found] == titles


async def test_pages_follow_each_other(store: PostgresStore, database: Database) -> None:
    for n in range(10):
        await store.add(stream(title=str(n), status=Status.LIVE))
    await database.execute("UPDATE live_streams SET viewer_count = title::integer / 3")
    for most_watched_first in (False, True):
        query = StreamQuery(viewer=ADMIN, most_watched_first=most_watched_first, limit=3)
        whole = [one.title for one in await store.find(replace(query, limit=100))]
        pages: list[str] = []
        while page := await store.find(query):
            pages += [one.title for one in page]
            query = replace(query, after=(page[-1].viewer_count, page[-1].id))
        assert pages == whole
        assert len(pages) == 10


async def test_open_and_due_streams(store: PostgresStore) -> None:
    made = [stream(title=status, status=status, scheduled_at=NOW if status == "scheduled" else None)
            for status in Status]  # fmt: skip
    for one in made:
        await store.add(one)
    assert {one.title for one in await store.open_streams(10)} == {"created", "scheduled", "live"}
    assert len(await store.open_streams(2)) == 2
    assert [one.title for one in await store.due(NOW, 10)] == ["scheduled"]
    assert await store.due(NOW - timedelta(seconds=1), 10) == []


async def test_totals_are_kept_by_the_database(store: PostgresStore, database: Database) -> None:
    first, second = stream(), stream()
    await store.add(first)
    await store.add(second)
    await database.execute(
        "INSERT INTO stream_comments (id, stream_id, seq, user_id, display_name, content) "
        "SELECT gen_random_uuid(), s, n, 'u', 'u', 'hello' FROM generate_series(1, 3) n, unnest($1::uuid[]) s",
        [first.id, second.id],
    )
    await database.execute("UPDATE stream_comments SET deleted_at = now(), deleted_by = 'u' WHERE seq = 2")
    await database.execute("UPDATE stream_comments SET deleted_by = 'v' WHERE seq = 2")
    react = (
        "INSERT INTO stream_reactions (stream_id, user_id, type) VALUES ($1, $2, $3) "
        "ON CONFLICT (stream_id, user_id) DO UPDATE SET type = excluded.type, changed_at = now()"
    )
    for user, kind in (("a", "like"), ("b", "fire"), ("a", "wow")):
        await database.execute(react, first.id, user, kind)
    found = [await store.get(one.id) for one in (first, second)]
    assert [(one.comments_count, one.reactions_count, one.revision) for one in found if one] == [
        (2, 2, 1),
        (2, 0, 1),
    ]
