"""Viewers and authors of long ago become nobody in particular; the owner's figures stay."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from control_api.postgres import expiry_table
from control_api.postgres.database import Database
from control_api.postgres.expiry_table import ExpiryTable
from control_api.user.expiry import PersonalData

from ..conftest import NOW, House
from ..viewer.test_http import STREAMS, go_live, post
from .test_erasure import comment


async def hold(house: House, *, ends: bool = True) -> dict[str, Any]:
    """Let a stream be watched and talked about."""
    stream = await go_live(house)
    house.rules.moderators.add(("demo", "mod"))
    for n, user in enumerate(("alice", "bob", "carl", "demo", None)):
        await post(house, stream, "join", user)
        if user is None:
            continue
        for text in range(n + 1):
            last = await comment(house, stream, user, f"{text}")
        await house.request("POST", f"{STREAMS}/{stream['id']}/reactions", user, json={"type": "fire"})
    await house.request("POST", f"{STREAMS}/{stream['id']}/comments/{last}/pin", "mod")
    house.clock.now += 10
    if ends:
        await house.request("POST", f"{STREAMS}/{stream['id']}/end", "demo")
    await house.attendance.viewers.store_all()
    return stream


async def report(house: House, stream: dict[str, Any]) -> dict[str, Any]:
    response = await house.request("GET", f"{STREAMS}/{stream['id']}/analytics", "demo")
    assert response.status == 200
    answer: dict[str, Any] = await response.json()
    return answer


async def names(database: Database, stream: dict[str, Any]) -> set[str]:
    columns = [
        "user_id FROM stream_comments", "display_name FROM stream_comments", "pinned_by FROM stream_comments",
        "user_id FROM stream_reactions", "viewer_id FROM stream_viewers", "user_id FROM stream_viewers",
    ]  # fmt: skip
    selects = (f"SELECT {column} WHERE stream_id = $1" for column in columns)
    rows = await database.fetch(" UNION ".join(selects), stream["id"])
    return {row[0] for row in rows if row[0] is not None}


async def work(database: Database, days: int, at: datetime) -> int:
    rounds, data = 0, PersonalData(ExpiryTable(database), days, lambda: at)
    while await data.work():
        rounds += 1
    return rounds


async def test_figures_stay_and_names_go(
    house: House, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry_table, "AUTHORS_AT_ONCE", 2)
    monkeypatch.setattr(expiry_table, "ROWS_AT_ONCE", 2)
    old, live = await hold(house), await hold(house, ends=False)
    before = await report(house, old)
    known = await names(database, old)
    later = NOW + timedelta(days=31)
    assert await work(database, 0, later) == 0
    assert await work(database, 32, later) == 0
    assert await names(database, old) == known
    assert await work(database, 30, later) > 3
    assert await work(database, 30, later) == 0
    after = await names(database, old)
    assert {name for name in after if not name.startswith("gone:")} == {"demo", "gone"}
    assert len(after) == 3 + 4 + 2  # authors, viewers, and the two
    assert await report(house, old) == before
    assert {"alice", "bob", "carl", "mod"} <= await names(database, live)
    texts = await database.fetchval("SELECT count(*) FROM stream_comments WHERE content <> '-'")
    assert texts == 2 * (1 + 2 + 3 + 4)


async def test_servers_at_once(house: House, database: Database) -> None:
    streams = [await hold(house) for _ in range(3)]
    later = datetime.now(UTC) + timedelta(days=400)
    for _ in range(4):
        await asyncio.gather(*(work(database, 30, later) for _ in range(3)))
    for stream in streams:
        found = await names(database, stream)
        assert {name for name in found if not name.startswith("gone:")} == {"demo", "gone"}
