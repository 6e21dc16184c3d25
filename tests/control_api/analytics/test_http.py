"""Reports of players and exports over HTTP: who may send and read what, and what comes of it."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from control_api.analytics.export import COLUMNS
from control_api.analytics.intake import EVERY_S
from control_api.analytics.service import PAGE
from control_api.postgres.database import Database

from ..conftest import NOW, House
from ..viewer.test_http import STREAMS, go_live, post, refusal
from .test_service import SNAPSHOTS, report


async def tell(house: House, stream: dict[str, Any], user: str | None = None, **body: Any) -> int:
    response = await house.request("POST", f"{STREAMS}/{stream['id']}/qoe", user, json=body)
    return response.status


async def take_snapshot(house: House, seconds: float = 10) -> None:
    house.clock.now += seconds
    await house.attendance.analytics.take_snapshots()


async def test_reports_become_part_of_the_next_snapshot(house: House) -> None:
    stream = await go_live(house)
    for n, name in enumerate(("alice", "bob", "carl", "dora")):
        told = {"startup_ms": 500 + n, "latency_s": 2.0, "rung": "720p" if n else "480p"}
        assert await tell(house, stream, name, **told, stalls=n, stalled_s=n / 2) == 204
    assert await tell(house, stream, "alice", stalls=100) == 204  # too early, and so it does not count
    assert await tell(house, stream, "demo", stalls=100) == 204  # the owner is no viewer
    await take_snapshot(house)
    await take_snapshot(house)
    answer = await report(house, stream)
    first, second, now = answer["series"]
    assert first["experience"]["startup_ms"] == {
        "median": pytest.approx(500, rel=0.05),
        "p95": pytest.approx(500, rel=0.05),
    }
    assert first["experience"]["latency_s"]["median"] == pytest.approx(2, rel=0.05)
    assert first["experience"]["rungs"] == {"720p": 0.75, "480p": 0.25}
    assert [first["experience"][name] for name in ("reports", "stalls", "stalled_s")] == [4, 6, 3.0]
    assert second["experience"] is None
    assert now["experience"] is None
    assert answer["experience"] == first["experience"]


async def test_who_counts_as_one(house: House) -> None:
    stream = await go_live(house)
    guest = await post(house, stream, "join")
    token, viewer_id = guest["playback"]["token"], guest["viewer_id"]
    for body in ({"token": token}, {"viewer_id": viewer_id}, {"token": token, "session": "another-one"}):
        assert await tell(house, stream, **body) == 204
    assert await tell(house, stream, token=f"{token[:-3]}bad", session="session-1") == 204
    for session in ("session-1", "session-2", "session-2", None):
        assert await tell(house, stream, **({"session": session} if session else {})) == 204
    assert await tell(house, stream, viewer_id="made-up", session="session-1") == 204
    await take_snapshot(house, EVERY_S)
    assert await tell(house, stream, token=token) == 204
    await take_snapshot(house, EVERY_S)
    assert (await report(house, stream))["experience"]["reports"] == 5


@pytest.mark.parametrize(
    "body",
    [
        {"startup_ms": -1},
        {"startup_ms": 1e30},
        {"latency_s": "much"},
        {"stalls": 1.5},
        {"stalls": True},
        {"rung": "<script>"},
        {"rung": ""},
        {"session": "short"},
        {"token": "x" * 1025},
        {"viewer_id": ""},
        {"volume": 11},
    ],
    ids=lambda body: f"{next(iter(body))}-{len(str(body))}",
)
async def test_reports_that_do_not_fit(house: House, body: dict[str, Any]) -> None:
    stream = await go_live(house)
    assert await refusal(house, "POST", f"{stream['id']}/qoe", json=body) == (422, "invalid")


async def test_bodies_that_are_none(house: House) -> None:
    stream = await go_live(house)
    path = f"{stream['id']}/qoe"
    assert await refusal(house, "POST", path, data=b"{") == (400, "no_json")
    assert await refusal(house, "POST", path, data=b'{"startup_ms": NaN}') in (
        (400, "no_json"),
        (422, "invalid"),
    )
    assert await refusal(house, "POST", path, data=b" " * 5000) == (413, "too_large")


async def test_private_streams_and_those_that_are_not_live(house: House) -> None:
    private, over = await go_live(house, is_private=True), await go_live(house)
    await house.request("POST", f"{STREAMS}/{over['id']}/end", "demo")
    assert await refusal(house, "POST", f"{private['id']}/qoe", json={}) == (404, "not_found")
    assert await refusal(house, "POST", f"{private['id']}/qoe", json={"token": "bad"}) == (404, "not_found")
    unknown = private["id"][:-4] + "0000"
    assert await refusal(house, "POST", f"{unknown}/qoe", json={"token": "bad"}) == (404, "not_found")
    assert await tell(house, over) == 204
    admin = await house.request("POST", f"{STREAMS}/{private['id']}/join", "root", admin=True)
    token = (await admin.json())["playback"]["token"]
    assert await tell(house, private, token=token) == 204


async def test_the_last_word_of_those_who_leave_at_the_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        house.service, "_now", lambda: NOW + timedelta(seconds=house.clock.now - NOW.timestamp())
    )
    stream = await go_live(house)
    await post(house, stream, "join", "alice")
    house.clock.now += 15
    await house.request("POST", f"{STREAMS}/{stream['id']}/end", "demo")
    house.clock.now += 6
    assert await tell(house, stream, "alice", stalls=2) == 204
    house.clock.now += 5
    assert await tell(house, stream, "bob", stalls=7) == 204  # an old page
    await house.attendance.viewers.store_all()
    await take_snapshot(house, 4)
    answer = await report(house, stream)
    assert (answer["experience"]["reports"], answer["experience"]["stalls"]) == (1, 2)
    assert [(point["viewer_count"], point["unique_viewers"]) for point in answer["series"]] == [(0, 1)]


async def test_another_server_takes_the_same_snapshot(house: House, database: Database) -> None:
    stream = await go_live(house)
    await post(house, stream, "join", "alice")
    await tell(house, stream, "alice", stalls=1)
    await database.execute(
        "INSERT INTO stream_analytics (stream_id, at, viewer_count, viewer_sum, unique_viewers, comments_count, "
        "reactions_count, experience) VALUES ($1, $2, 5, 5, 9, 0, 0, $3)",
        stream["id"],
        NOW + timedelta(seconds=10),
        {"reports": 2, "rung:720p": 2},
    )
    house.notes.connected.add(stream["id"])
    await take_snapshot(house)
    [point, _] = (await report(house, stream))["series"]
    assert (point["viewer_count"], point["unique_viewers"], point["rungs"]) == (5, 9, ["1080p", "720p"])
    assert (point["experience"]["reports"], point["experience"]["stalls"]) == (3, 1)


async def export(
    house: House, stream: dict[str, Any], user: str, *, admin: bool = False
) -> list[dict[str, str]]:
    response = await house.request("GET", f"{STREAMS}/{stream['id']}/analytics.csv", user, admin=admin)
    assert response.status == 200
    assert response.content_type == "text/csv"
    assert "attachment" in response.headers["Content-Disposition"]
    rows = csv.DictReader(io.StringIO(await response.text(), newline=""))
    assert tuple(rows.fieldnames or ()) == COLUMNS
    return list(rows)


@pytest.mark.parametrize("count", [0, 1, PAGE, 2 * PAGE + 1])
async def test_an_export_has_every_row(house: House, database: Database, count: int) -> None:
    stream = await go_live(house)
    await database.execute(SNAPSHOTS, stream["id"], NOW, count)
    rows = await export(house, stream, "demo")
    assert [row["viewer_count"] for row in rows] == [str(n) for n in range(1, count + 1)]


async def test_exports_are_for_the_owner_and_admins(house: House) -> None:
    stream, private = await go_live(house), await go_live(house, is_private=True)
    path = f"{stream['id']}/analytics.csv"
    assert await refusal(house, "GET", path) == (401, "unauthorized")
    assert await refusal(house, "GET", path, "alice") == (403, "forbidden")
    assert await refusal(house, "GET", f"{private['id']}/analytics.csv", "alice") == (404, "not_found")
    assert await export(house, private, "root", admin=True) == []
    response = await house.request("GET", f"{STREAMS}/{stream['id']}/analytics", "root", admin=True)
    assert response.status == 200


async def test_retention_and_highlights(
    house: House, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        house.service, "_now", lambda: NOW + timedelta(seconds=house.clock.now - NOW.timestamp())
    )
    stream = await go_live(house)
    for user, seconds in (("alice", 200), ("bob", 70), ("carl", 20)):
        for done in range(0, seconds, 10):
            await post(house, stream, "join", user)
            house.clock.now += min(10, seconds - done)
        await post(house, stream, "leave", user)
    await database.execute(
        "INSERT INTO stream_comments (id, stream_id, seq, user_id, display_name, content, created_at, deleted_at, "
        "deleted_by) SELECT gen_random_uuid(), $1, n, 'u' || n, 'u', 'hi', $2::timestamptz + interval '105 seconds' + "
        "n * interval '0.05 seconds', CASE WHEN n > 50 THEN $2 END, CASE WHEN n > 50 THEN 'u' END "
        "FROM generate_series(1, 60) AS n",
        stream["id"],
        NOW,
    )
    await database.execute(
        "INSERT INTO stream_reactions (stream_id, user_id, type, created_at) "
        "VALUES ($1, 'a', 'like', $2::timestamptz + interval '101 seconds'), ($1, 'b', 'like', '2020-01-01'), "
        "($1, 'c', 'like', '2100-01-01')",
        stream["id"],
        NOW,
    )
    answer = await report(house, stream)
    assert answer["retention"] == [
        {"after_s": 0.0, "share": 1.0, "share_of_early": 1.0},
        {"after_s": 60.0, "share": 0.6667, "share_of_early": 1.0},
        {"after_s": 120.0, "share": 0.3333, "share_of_early": 1.0},
        {"after_s": 180.0, "share": 0.3333, "share_of_early": 1.0},
        {"after_s": 240.0, "share": 0.0, "share_of_early": 0.0},
    ]
    [peak] = answer["highlights"]
    assert (peak["from_s"], peak["to_s"], peak["comments"], peak["reactions"]) == (80.0, 110.0, 50, 1)
