"""Spans of several servers in any order, on a real database: against a model that adds them one by one."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from control_api.key_box import KeyBox
from control_api.postgres.database import Database
from control_api.postgres.store import PostgresStore
from control_api.postgres.viewer_table import ViewerTable
from control_api.viewer.audience import Audience, Span, Viewer
from control_api.viewer.unstored import Changes

from ..conftest import NOW, SECRET
from ..viewer.row import Row
from .test_store import stream

NOW_S = NOW.timestamp()


async def write(database: Database, stream_id: str, spans: Sequence[Span]) -> dict[str, int]:
    """Store spans of viewers at once."""
    audience = Audience(stream_id, "owner", 0, 0)
    keys = sorted({span.key for span in spans})
    changes = Changes(
        {Viewer(audience, key, 0, 0): [span for span in spans if span.key == key] for key in keys}, []
    )
    return dict(await ViewerTable(database).write(changes, {}))


async def new_stream(database: Database) -> str:
    one = stream()
    await PostgresStore(database, KeyBox(SECRET)).add(one)
    return one.id


@pytest.mark.parametrize("seed", range(8))
async def test_spans_in_any_order(database: Database, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 no secret
    stream_id = await new_stream(database)
    rows: dict[str, Row] = {}
    written: list[Span] = []
    for _ in range(60):
        if written and dice.random() < 0.2:
            span = dice.choice(written)  # again: its answer was lost
        else:
            began = dice.randrange(0, 200)
            ended = began + dice.choice([0, 1, 5, 20])
            key = dice.choice("ab")
            span = Span(
                stream_id, key, NOW_S + began, NOW_S + ended, dice.random() < 0.5, dice.random() < 0.5
            )
        written.append(span)
        known = rows.setdefault(span.key, Row())
        known.add(span)
        if len(known.spans) > 8:
            break
        assert await write(database, stream_id, [span]) == {stream_id: len(rows)}
        row = await database.fetchrow("SELECT * FROM stream_viewers WHERE viewer_id = $1", span.key)
        assert row is not None
        assert (row["visits"], row["watch_time_s"]) == (known.visits, pytest.approx(known.watch_time_s))
        assert row["last_seen_at"].timestamp() == known.last_seen_at
        assert row["joined_at"].timestamp() == known.spans[0][0]


async def test_a_row_grows_no_longer_and_forgets_no_second(database: Database) -> None:
    stream_id = await new_stream(database)
    spans = [Span(stream_id, "a", NOW_S + 60 * n, NOW_S + 60 * n + 10, True, True) for n in range(30)]
    await write(database, stream_id, spans)
    await write(database, stream_id, spans)
    row = await database.fetchrow("SELECT * FROM stream_viewers")
    assert row is not None
    assert (row["visits"], row["watch_time_s"], len(row["watched"])) == (30, 300.0, 8)


async def test_what_was_stored_before_there_were_spans_stays(database: Database) -> None:
    stream_id = await new_stream(database)
    await database.execute(
        "INSERT INTO stream_viewers "
        "(stream_id, viewer_id, joined_at, last_seen_at, visits, watch_time_s, folded_until) "
        "VALUES ($1, 'a', $2, $2, 3, 70, $2)",
        stream_id,
        NOW,
    )
    await write(database, stream_id, [Span(stream_id, "a", NOW_S - 5, NOW_S + 20, False, True)])
    row = await database.fetchrow("SELECT * FROM stream_viewers")
    assert row is not None
    assert (row["visits"], row["watch_time_s"]) == (3, 90.0)
