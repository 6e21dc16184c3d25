"""What the owner learns: totals that add up, and a series that fits a chart."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import uuid_utils

from control_api.analytics.model import AnalyticsPoint
from control_api.analytics.service import MAX_POINTS
from control_api.postgres.analytics_table import AnalyticsTable
from control_api.postgres.database import Database

from ..conftest import HEALTH, NOW, House
from ..viewer.test_http import STREAMS, go_live, post, refusal

COMMENT = (
    "INSERT INTO stream_comments (id, stream_id, seq, user_id, display_name, content, deleted_at, deleted_by) "
    "SELECT $1, $2, coalesce(max(seq), 0) + 1, $3, $3, 'x', CASE WHEN $4 THEN now() END, CASE WHEN $4 THEN 'x' END "
    "FROM stream_comments WHERE stream_id = $2"
)
REACT = "INSERT INTO stream_reactions (stream_id, user_id, type) VALUES ($1, $2, 'fire')"
SNAPSHOTS = (
    "INSERT INTO stream_analytics (stream_id, at, viewer_count, unique_viewers, comments_count, reactions_count) "
    "SELECT $1, $2::timestamptz + n * interval '10 seconds', n, n, 0, 0 FROM generate_series(1, $3) AS n"
)


async def comment(database: Database, stream: dict[str, Any], user: str, *, is_deleted: bool = False) -> None:
    await database.execute(COMMENT, str(uuid_utils.uuid7()), stream["id"], user, is_deleted)


async def report(house: House, stream: dict[str, Any]) -> dict[str, Any]:
    response = await house.request("GET", f"{STREAMS}/{stream['id']}/analytics", "demo")
    assert response.status == 200, await response.text()
    answer: dict[str, Any] = await response.json()
    return answer


async def watch(house: House, stream: dict[str, Any], user: str, seconds: int) -> None:
    await post(house, stream, "join", user)
    house.clock.now += seconds
    await post(house, stream, "leave", user)


@pytest.fixture(autouse=True)
def streams_tell_the_same_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        house.service, "_now", lambda: NOW + timedelta(seconds=house.clock.now - NOW.timestamp())
    )


async def test_nobody_ever_watched(house: House) -> None:
    stream = await house.create()
    empty: dict[str, Any] = {
        "total_views": 0,
        "peak_viewers": 0,
        "unique_viewers": 0,
        "average_viewers": 0.0,
        "average_watch_time_s": 0.0,
        "total_watch_time_s": 0.0,
        "comments_count": 0,
        "reactions_count": 0,
        "engagement_rate": 0.0,
        "experience": None,
        "retention": [],
        "highlights": [],
        "series": [],
    }
    assert await report(house, stream) == empty
    await house.request("POST", f"{STREAMS}/{stream['id']}/start", "demo")
    live = await report(house, stream)
    assert live | {"series": []} == empty


async def test_totals(house: House, database: Database) -> None:
    stream = await go_live(house)
    await post(house, stream, "join", "bob")
    await watch(house, stream, "alice", 20)
    await post(house, stream, "join", "bob")
    await watch(house, stream, "alice", 10)
    house.notes.connected.add(stream["id"])
    for user in ("alice", "alice", "demo"):
        await comment(database, stream, user)
    await comment(database, stream, "carl", is_deleted=True)
    await database.execute(REACT, stream["id"], "alice")
    live = await report(house, stream)
    [now] = live.pop("series")
    assert live == {
        "total_views": 3,
        "peak_viewers": 2,
        "unique_viewers": 2,
        "average_viewers": 2.0,
        "average_watch_time_s": 30.0,
        "total_watch_time_s": 60.0,  # bob has not been heard of for 10 s, and is there
        "comments_count": 4,
        "reactions_count": 1,
        "engagement_rate": 0.5,
        "experience": None,
        "retention": [{"after_s": 0.0, "share": 1.0, "share_of_early": 1.0}],
        "highlights": [],
    }
    assert now == {
        "at": (NOW + timedelta(seconds=30)).isoformat().replace("+00:00", "Z"),
        "viewer_count": 1,
        "average_viewers": 1.0,
        "unique_viewers": 2,
        "comments_count": 4,
        "reactions_count": 1,
        "bitrate_bps": HEALTH["bitrate_bps"],
        "fps": HEALTH["fps"],
        "rungs": ["1080p", "720p"],
        "experience": None,
    }
    house.clock.now += 10
    await house.request("POST", f"{STREAMS}/{stream['id']}/end", "demo")
    house.clock.now += 1000
    ended = await report(house, stream)
    assert (ended["total_watch_time_s"], ended["average_viewers"], ended["series"]) == (70.0, 1.75, [])


async def test_everybody_in_the_chat_and_nobody_watching_is_no_more_than_all(
    house: House, database: Database
) -> None:
    stream = await go_live(house)
    await watch(house, stream, "alice", 1)
    for user in ("alice", "bob", "carl"):
        await comment(database, stream, user)
    assert (await report(house, stream))["engagement_rate"] == 1.0


async def test_snapshots_are_taken_of_what_is_live(house: House, database: Database) -> None:
    live, over = await go_live(house), await go_live(house)
    house.notes.connected.add(live["id"])
    await post(house, live, "join", "alice")
    await database.execute(REACT, live["id"], "alice")
    await house.request("POST", f"{STREAMS}/{over['id']}/end", "demo")
    await database.execute("DELETE FROM stream_analytics")  # of the work that goes on by itself
    house.clock.now += 10
    told: list[tuple[str, AnalyticsPoint]] = []
    house.attendance.analytics.watch(lambda stream_id, point: told.append((stream_id, point)))
    await house.attendance.analytics.take_snapshots()
    await house.attendance.analytics.take_snapshots()  # another one at the same moment is no other
    [row] = await database.fetch("SELECT * FROM stream_analytics")
    assert dict(row) == {
        "stream_id": live["id"],
        "at": NOW + timedelta(seconds=10),
        "span_s": 10,
        "snapshots": 1,
        "viewer_count": 1,
        "viewer_sum": 1,
        "unique_viewers": 1,
        "comments_count": 0,
        "reactions_count": 1,
        "bitrate_bps": HEALTH["bitrate_bps"],
        "fps": pytest.approx(HEALTH["fps"], rel=1e-6),
        "signals": 1,
        "rungs": ["1080p", "720p"],
        "experience": {},
    }
    [(stream_id, point)] = told
    assert (stream_id, point.at, point.viewer_count) == (live["id"], NOW + timedelta(seconds=10), 1)
    assert [point["viewer_count"] for point in (await report(house, live))["series"]] == [1, 1]
    assert (await report(house, over))["series"] == []


async def test_who_is_told(house: House) -> None:
    stream, private = await go_live(house), await go_live(house, is_private=True)
    path = f"{stream['id']}/analytics"
    assert await refusal(house, "GET", path) == (401, "unauthorized")
    assert await refusal(house, "GET", path, "alice") == (403, "forbidden")
    assert await refusal(house, "GET", f"{private['id']}/analytics", "alice") == (404, "not_found")
    assert await refusal(house, "GET", "nonsense/analytics", "demo") == (404, "not_found")


@pytest.mark.parametrize("count", [0, 1, 2, 499, 500, 501, 999, 1000, 3601])
async def test_a_series_is_thinned_evenly(house: House, database: Database, count: int) -> None:
    stream = await go_live(house)
    await database.execute("DELETE FROM stream_analytics")
    await database.execute(SNAPSHOTS, stream["id"], NOW, count)
    rows = await AnalyticsTable(database).series(stream["id"], MAX_POINTS)
    taken = [row.viewer_count for row in rows]
    assert len(taken) == min(count, MAX_POINTS)
    assert taken == sorted(set(taken))
    assert taken[-1:] == ([count] if count else [])
    steps = {after - before for before, after in zip([0, *taken], taken, strict=False)}
    assert not steps or max(steps) - min(steps) <= 1
    live = (await report(house, stream))["series"]
    assert len(live) == min(count + 1, MAX_POINTS)
    await house.request("POST", f"{STREAMS}/{stream['id']}/end", "demo")
    assert len((await report(house, stream))["series"]) == min(count, MAX_POINTS)
