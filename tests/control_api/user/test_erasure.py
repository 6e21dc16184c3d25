"""A user who is deleted: nothing names it any more, and every figure stays."""

from __future__ import annotations

from typing import Any

import pytest

from control_api.chat.event import ChatEvent, CommentDeleted
from control_api.postgres import erasure_table
from control_api.postgres.database import Database
from control_api.postgres.erasure_table import ErasureTable
from control_api.stream.record import Status
from control_api.user.pseudonym import Pseudonyms

from ..conftest import SECRET, House
from ..viewer.test_http import STREAMS, figures, go_live, post

USERS = "/api/v1/users"
NAMED = """
SELECT table_name, row FROM (
    SELECT 'stream', to_jsonb(live_streams)::text FROM live_streams
    UNION ALL SELECT 'viewer', to_jsonb(stream_viewers)::text FROM stream_viewers
    UNION ALL SELECT 'comment', to_jsonb(stream_comments)::text FROM stream_comments
    UNION ALL SELECT 'reaction', to_jsonb(stream_reactions)::text FROM stream_reactions
    UNION ALL SELECT 'follower', to_jsonb(followers)::text FROM followers
    UNION ALL SELECT 'key', to_jsonb(channel_keys)::text FROM channel_keys
    UNION ALL SELECT 'moderator', to_jsonb(moderators)::text FROM moderators
    UNION ALL SELECT 'ban', to_jsonb(bans)::text FROM bans
    UNION ALL SELECT 'webhook', to_jsonb(webhooks)::text FROM webhooks
    UNION ALL SELECT 'audit', to_jsonb(audit_log)::text FROM audit_log
    UNION ALL SELECT 'idempotency', to_jsonb(idempotency_keys)::text FROM idempotency_keys
) AS everything (table_name, row) WHERE row LIKE '%' || $1 || '%'
"""


async def delete(house: House, user: str, who: str = "me", *, admin: bool = False) -> tuple[int, str]:
    response = await house.request("DELETE", f"{USERS}/{who}", user, admin=admin)
    return response.status, "" if response.status == 204 else (await response.json())["code"]


async def comment(house: House, stream: dict[str, Any], user: str, content: str) -> str:
    path = f"{STREAMS}/{stream['id']}/comments"
    response = await house.request("POST", path, user, json={"content": content})
    assert response.status == 201, await response.text()
    comment_id: str = (await response.json())["id"]
    return comment_id


async def live_through(house: House, database: Database) -> dict[str, Any]:
    """Let walter leave traces everywhere; gives the show of another one."""
    stream = await go_live(house)
    for user in ("walter", "alice"):
        await post(house, stream, "join", user)
        await comment(house, stream, user, f"greetings of {user}")
        path = f"{STREAMS}/{stream['id']}/reactions"
        assert (await house.request("POST", path, user, json={"type": "clap"})).status in (200, 201)
    await house.request("PUT", f"{USERS}/demo/follow", "walter")
    await house.request("PUT", f"{USERS}/walter/follow", "alice")
    await house.request("PUT", f"{USERS}/me/moderators/bob", "walter")
    await house.request("PUT", f"{USERS}/me/moderators/walter", "demo")
    await house.request("POST", f"{STREAMS}/{stream['id']}/bans/troll", "walter", json={})
    await house.request("GET", f"{USERS}/me/key", "walter")
    hook = {"url": "http://127.0.0.1:9/hook", "events": ["stream.live"]}
    assert (await house.request("POST", "/api/v1/webhooks", "walter", json=hook)).status == 201
    gone = await comment(house, stream, "walter", "deleted before")
    await house.request("DELETE", f"{STREAMS}/{stream['id']}/comments/{gone}", "walter")
    await database.execute(
        "INSERT INTO followers SELECT 'walter', 'walters-fan-' || n FROM generate_series(1, 50) n"
    )
    headers = {"Idempotency-Key": "once-and-for-all"}
    show = {
        "title": "Walter at home",
        "description": "with his cat",
        "tags": ["walter"],
        "category": "walter",
    }
    created = await house.request("POST", STREAMS, "walter", json=show, headers=headers)
    assert created.status == 201
    ended = (await created.json())["id"]
    await house.request("POST", f"{STREAMS}/{ended}/start", "walter")
    await house.request("POST", f"{STREAMS}/{ended}/end", "walter")
    await house.request("POST", STREAMS, "walter", json={"title": "Walter again"})
    return stream


async def test_nothing_names_a_deleted_user(house: House, database: Database) -> None:
    stream = await live_through(house, database)
    await house.attendance.viewers.store_all()
    before = {row["table_name"] for row in await database.fetch(NAMED, "walter")}
    kinds = "stream viewer comment reaction follower key moderator ban webhook audit idempotency"
    assert before == set(kinds.split())
    assert await figures(house, stream) == (2, 2, 2)
    deeds = await database.fetchval("SELECT count(*) FROM audit_log")
    assert await delete(house, "walter") == (204, "")
    assert await database.fetch(NAMED, "walter") == []
    assert await figures(house, stream) == (1, 2, 2)
    answer = await (await house.request("GET", f"{STREAMS}/{stream['id']}")).json()
    assert (answer["comments_count"], answer["reactions_count"]) == (1, 2)
    comments = await (await house.request("GET", f"{STREAMS}/{stream['id']}/comments")).json()
    assert [one["content"] for one in comments["comments"]] == ["greetings of alice"]
    assert await database.fetchval("SELECT count(*) FROM audit_log") == deeds + 1
    assert await database.fetchval("SELECT count(*) FROM stream_viewers") == 2
    [name] = {
        row["actor_id"]
        for row in await database.fetch("SELECT actor_id FROM audit_log WHERE action = 'user.erased'")
    }
    assert name == Pseudonyms(SECRET).of("walter")
    banned_by = await database.fetchval("SELECT banned_by FROM bans WHERE user_id = 'troll'")
    assert banned_by == name


async def test_streams_stay_for_admins_with_nothing_in_them(house: House, database: Database) -> None:
    await live_through(house, database)
    keys = {
        row["id"]: row["stream_key_digest"]
        for row in await database.fetch("SELECT * FROM live_streams WHERE user_id = 'walter'")
    }
    assert await delete(house, "walter") == (204, "")
    for stream_id, digest in keys.items():
        assert (await house.request("GET", f"{STREAMS}/{stream_id}", "alice")).status == 404
        assert (await house.request("GET", f"{STREAMS}/{stream_id}", "walter")).status == 404
        answer = await (await house.request("GET", f"{STREAMS}/{stream_id}", "root", admin=True)).json()
        assert (answer["title"], answer["description"], answer["tags"]) == ("Deleted", "", [])
        assert answer["status"] in (Status.ENDED, Status.CANCELLED)
        assert digest != await database.fetchval(
            "SELECT stream_key_digest FROM live_streams WHERE id = $1", stream_id
        )
        assert await house.store.get_by_key((await house.service.get(stream_id)).stream_key) is not None
    assert {answer for answer, _ in house.notes.told} >= {"end cancelled"}


async def test_again_is_fine_and_so_is_nobody(house: House) -> None:
    for _ in range(2):
        assert await delete(house, "walter") == (204, "")
    assert await delete(house, "root", "never-seen", admin=True) == (204, "")


async def test_who_may(house: House, database: Database) -> None:
    stream = await go_live(house)
    await comment(house, stream, "alice", "hello")
    assert (await house.request("DELETE", f"{USERS}/me")).status == 401
    assert await delete(house, "bob", "alice") == (403, "forbidden")
    assert await delete(house, "demo") == (409, "already_live")
    assert await delete(house, "root", "demo", admin=True) == (409, "already_live")
    assert (await house.service.get(stream["id"])).title == "a show"
    assert await delete(house, "alice", "alice") == (204, "")
    await house.request("POST", f"{STREAMS}/{stream['id']}/end", "demo")
    assert await delete(house, "root", "demo", admin=True) == (204, "")
    row = await database.fetchrow("SELECT actor_id, subject FROM audit_log ORDER BY id DESC LIMIT 1")
    assert row is not None
    assert row["actor_id"] == "root"
    assert row["subject"].startswith("gone:")


async def test_many_rows_in_pieces(house: House, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure_table, "COMMENTS_AT_ONCE", 3)
    monkeypatch.setattr(erasure_table, "ROWS_AT_ONCE", 2)
    streams = [await go_live(house) for _ in range(5)]
    house.rules.moderators.add(("demo", "alice"))  # no rate
    wanted = set()
    for stream in streams:
        wanted |= {await comment(house, stream, "alice", f"{n}") for n in range(4)}
        await comment(house, stream, "bob", "stays")
        await house.request("POST", f"{STREAMS}/{stream['id']}/reactions", "alice", json={"type": "wow"})
        await post(house, stream, "join", "alice")
    table = ErasureTable(database)
    first = await table.delete_comments("alice")  # and then the server is killed
    assert first is not None
    assert await delete(house, "alice") == (204, "")
    assert await table.delete_comments("alice") is None
    assert await database.fetch(NAMED, "alice") == []
    rows = await database.fetch("SELECT * FROM stream_comments WHERE deleted_at IS NOT NULL")
    assert {row["id"] for row in rows} == wanted
    assert {row["content"] for row in rows} == {"-"}
    for stream in streams:
        now = await house.service.get(stream["id"])
        assert (now.comments_count, now.reactions_count, now.unique_viewers) == (1, 1, 1)
        seqs = await database.fetch(
            "SELECT seq FROM stream_comments WHERE stream_id = $1 UNION ALL "
            "SELECT changed_seq FROM stream_comments WHERE stream_id = $1 AND changed_seq IS NOT NULL",
            stream["id"],
        )
        assert sorted(row["seq"] for row in seqs) == list(range(1, 10))


async def test_deletions_are_told(house: House, database: Database) -> None:
    stream = await go_live(house)
    comment_id = await comment(house, stream, "alice", "hello")
    told: list[ChatEvent] = []
    house.chat.watch(told.append)
    assert await delete(house, "alice") == (204, "")
    assert told == [CommentDeleted(stream["id"], comment_id, 2)]


def test_pseudonyms_are_the_servers_own() -> None:
    one, other = Pseudonyms(SECRET), Pseudonyms(b"another secret")
    assert one.of("alice") == one.of("alice") != one.of("bob")
    assert one.of("alice") != other.of("alice")
