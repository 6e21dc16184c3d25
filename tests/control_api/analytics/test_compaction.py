"""Old snapshots summed up: nothing that counts is lost, however often and by however many it is done."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from control_api.analytics.compaction import Compaction
from control_api.analytics.experience import joined
from control_api.postgres.analytics_table import AnalyticsTable, Row
from control_api.postgres.compaction_table import CompactionTable
from control_api.postgres.database import Database

from ..clock import Clock
from ..conftest import House

START = datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC)
HOUR, DAY = 3600, 86_400
ADD = (
    "INSERT INTO stream_analytics (stream_id, at, viewer_count, viewer_sum, unique_viewers, comments_count, "
    "reactions_count, bitrate_bps, fps, signals, rungs, experience) "
    "VALUES ($1, $2, $3::integer, $3::integer, $4, $5, $6, $7, $8, $9, $10, $11)"
)


async def fill(database: Database, stream_id: str, count: int, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 the same each time
    unique = comments = 0
    async with database.transaction() as connection:
        for n in range(count):
            if draw.random() < 0.05:
                continue  # the server was away
            unique, comments = unique + draw.randrange(3), comments + draw.randrange(5)
            bitrate = draw.choice([None, 6_000_000, draw.randrange(10_000_000)])
            counts = (
                {f"latency:{draw.randrange(60)}": draw.randrange(1, 9), "reports": 1}
                if draw.random() < 0.7
                else {}
            )
            rungs = draw.sample(["720p", "480p", "360p"], draw.randrange(4))
            at = START + timedelta(seconds=10 * n)
            values = (
                draw.randrange(100),
                unique,
                comments,
                n,
                bitrate,
                bitrate and 30.0,
                int(bitrate is not None),
            )
            await connection.execute(ADD, stream_id, at, *values, rungs, counts)


async def sums(database: Database, stream_id: str) -> dict[str, Any]:
    row = await database.fetchrow(
        "SELECT sum(viewer_sum), sum(snapshots) AS snapshots, max(viewer_count) AS peak, sum(signals) AS signals, "
        "max(at) AS last, max(comments_count) AS comments, max(unique_viewers) AS unique_viewers, "
        "sum(bitrate_bps * signals)::float8 AS bits, sum(fps * signals) AS frames "
        "FROM stream_analytics WHERE stream_id = $1",
        stream_id,
    )
    assert row is not None
    return dict(row)


async def read(database: Database, stream_id: str) -> list[Row]:
    return [*await AnalyticsTable(database).rows(stream_id, START - timedelta(days=1), 100_000)]


async def work(compaction: Compaction) -> int:
    rounds = 0
    while await compaction.work():
        rounds += 1
    return rounds


@pytest.mark.parametrize("seed", range(3))
async def test_sums_stay(house: House, database: Database, seed: int) -> None:
    one, other = (await house.create())["id"], (await house.create())["id"]
    await fill(database, one, 2000, seed)
    await fill(database, other, 50, seed + 100)
    before = {stream: (await sums(database, stream), await read(database, stream)) for stream in (one, other)}
    for age_s, most in ((2 * DAY, 60), (40 * DAY, 600)):
        compaction = Compaction(CompactionTable(database), Clock(START.timestamp() + age_s))
        assert await work(compaction) > 0
        assert await work(compaction) == 0
        for stream, (figures, rows) in before.items():
            after, left = await sums(database, stream), await read(database, stream)
            bits = after.pop("bits"), figures["bits"]
            assert bits[0] == pytest.approx(bits[1], rel=1e-5)  # averages are whole numbers
            frames = after.pop("frames"), figures["frames"]
            assert frames[0] == pytest.approx(frames[1], rel=1e-5)
            assert after == {name: figures[name] for name in after}
            assert joined(row.experience for row in left) == joined(row.experience for row in rows)
            assert {rung for row in left for rung in row.rungs} == {
                rung for row in rows for rung in row.rungs
            }
            span = (rows[-1].at - rows[0].at).total_seconds()
            assert len(left) <= span / most + 2
            spans = {row["span_s"] for row in await database.fetch("SELECT span_s FROM stream_analytics")}
            assert spans == {most}


async def test_what_is_new_stays_as_it_is(house: House, database: Database) -> None:
    stream = (await house.create())["id"]
    await fill(database, stream, 360, 1)
    rows = await read(database, stream)
    clock = Clock(START.timestamp() + DAY)
    assert await work(Compaction(CompactionTable(database), clock)) == 0
    clock.now += HOUR / 2
    await work(Compaction(CompactionTable(database), clock))
    left = await read(database, stream)
    border = datetime.fromtimestamp(clock.now - DAY, UTC) - timedelta(seconds=clock.now % 60)
    assert [row for row in left if row.at > border] == [row for row in rows if row.at > border]
    assert all(row.at.second in (0, 50, 40) for row in left if row.at <= border)


async def test_two_servers_at_once(house: House, database: Database) -> None:
    stream = (await house.create())["id"]
    await fill(database, stream, 1500, 7)
    before = await sums(database, stream)
    clock = Clock(START.timestamp() + 40 * DAY)
    for _ in range(5):
        await asyncio.gather(*(work(Compaction(CompactionTable(database), clock)) for _ in range(3)))
    after = await sums(database, stream)
    for name in ("bits", "frames"):
        before.pop(name), after.pop(name)
    assert after == before


async def test_a_chart_of_a_long_stream_has_its_highest_and_all_reports(
    house: House, database: Database
) -> None:
    stream = (await house.create())["id"]
    await fill(database, stream, 3000, 3)
    table = AnalyticsTable(database)
    rows, series = await read(database, stream), await table.series(stream, 500)
    assert len(series) == 500
    assert max(row.viewer_count for row in series) == max(row.viewer_count for row in rows)
    assert joined(row.experience for row in series) == joined(row.experience for row in rows)
    assert series[-1].comments_count == rows[-1].comments_count
