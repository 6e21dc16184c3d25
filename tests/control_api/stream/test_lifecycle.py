"""The state table: what the code, the documentation and the database say is the same."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from control_api.chore import Chore
from control_api.postgres.database import Database
from control_api.postgres.migration import FOLDER
from control_api.postgres.store import PostgresStore
from control_api.stream import lifecycle
from control_api.stream.lifecycle import TABLE, Action, Refusal
from control_api.stream.record import Status, Stream
from control_api.stream.schedule import Schedule
from control_api.stream.service import StreamService
from media.error import StreamError

from ..conftest import NOW, Notes
from ..postgres.test_store import stream

LATER = NOW + timedelta(hours=25)


def test_every_action_is_decided_in_every_state() -> None:
    assert set(TABLE) == set(Action)
    assert all(list(row) == list(Status) for row in TABLE.values())


def test_the_documentation_draws_the_table() -> None:
    text = (Path(__file__).parents[3] / "docs/lifecycle.md").read_text()
    for action, row in TABLE.items():
        drawn = re.search(rf"^\| `{action}` \|(.*)\|$", text, re.MULTILINE)
        assert drawn is not None, action
        for status, field in zip(Status, drawn[1].split("|"), strict=True):
            outcome = row[status]
            wanted = (
                f"`{outcome}`" if isinstance(outcome, Refusal) else "stays" if outcome is status else outcome
            )
            assert field.strip() == wanted, (action, status)


def test_the_database_allows_the_moves_of_the_table() -> None:
    sql = (
        (FOLDER / "001_create_live_streaming_tables.sql")
        .read_text()
        .partition("NOT IN (")[2]
        .partition(") THEN")[0]
    )
    allowed = set(re.findall(r"\('(\w+)', '(\w+)'\)", sql))
    moves = {
        (before.value, outcome.value)
        for row in TABLE.values()
        for before, outcome in row.items()
        if isinstance(outcome, Status) and outcome is not before
    }
    assert allowed == moves | {
        ("created", "scheduled"),
        ("scheduled", "created"),
    }  # by `edit` of `scheduled_at`


def act(before: Stream, action: Action) -> Stream:
    match action:
        case Action.START:
            return lifecycle.started(before, NOW)
        case Action.END:
            return lifecycle.ended(before, NOW, "x")
        case Action.CANCEL:
            return lifecycle.cancelled(before)
        case Action.EXPIRE:
            return lifecycle.expired(before, LATER)
    return lifecycle.edited(before, {"title": "other"}, NOW)


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("action", list(Action))
async def test_each_field_of_the_table(store: PostgresStore, action: Action, status: Status) -> None:
    before = stream(status=status, scheduled_at=NOW if status is Status.SCHEDULED else None)
    await store.add(before)
    outcome = TABLE[action][status]
    if isinstance(outcome, Refusal):
        with pytest.raises(StreamError) as caught:
            act(before, action)
        assert caught.value.code == outcome
        return
    after = act(before, action)
    assert after.status is outcome
    if outcome is status and action is not Action.EDIT:
        assert after is before
    assert (await store.replace(after)).status is outcome  # the database finds it possible too


@pytest.mark.parametrize("field", lifecycle.UNTIL_LIVE)
@pytest.mark.parametrize("status", [Status.LIVE, Status.ENDED])
def test_what_is_fixed_once_it_is_live(field: str, status: Status) -> None:
    values = {"quality": "144p", "auto_start": True, "scheduled_at": LATER}
    with pytest.raises(StreamError, match=r"is live|has ended"):
        lifecycle.edited(stream(status=status), {field: values[field]}, NOW)
    same = stream(status=status)
    assert lifecycle.edited(same, {field: getattr(same, field)}, NOW) is same


def test_a_clock_that_was_set_back() -> None:
    live = stream(status=Status.LIVE, started_at=LATER)
    assert lifecycle.ended(live, NOW, "x").ended_at == LATER


async def test_scheduled_streams_expire(store: PostgresStore) -> None:
    notes, now = Notes(), NOW
    service = StreamService(store, store, notes, min_followers=0, now=lambda: now)
    planned = await service.create("a", {"title": "x", "scheduled_at": NOW + timedelta(hours=1)})
    later = await service.create("a", {"title": "x", "scheduled_at": NOW + timedelta(hours=2)})
    started = await service.create("a", {"title": "x", "scheduled_at": NOW + timedelta(hours=1)})
    await service.start(started.id)
    now = NOW + timedelta(hours=25) - timedelta(seconds=1)
    schedule = Schedule(service, store, lambda: now)
    assert not await schedule.work()
    assert (await service.get(planned.id)).status is Status.SCHEDULED
    now = NOW + timedelta(hours=25)
    async with Chore("schedule", schedule.work, 0.01), asyncio.timeout(5):
        while ("end nobody started it", planned.id) not in notes.told:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (await service.get(planned.id)).status is Status.CANCELLED
    assert (await service.get(planned.id)).end_reason == "nobody started it"
    assert (await service.get(later.id)).status is Status.SCHEDULED
    assert (await service.get(started.id)).status is Status.LIVE
    with pytest.raises(StreamError, match="was cancelled"):
        await service.start(planned.id)


async def test_a_reminder_comes_once_before_each_time(store: PostgresStore, database: Database) -> None:
    now = NOW
    service = StreamService(store, store, Notes(), min_followers=0, now=lambda: now)
    schedule = Schedule(service, store, lambda: now)
    planned = await service.create("a", {"title": "x", "scheduled_at": NOW + timedelta(hours=1)})
    await service.create("a", {"title": "not scheduled"})

    async def reminders() -> list[str]:
        await schedule.work()
        rows = await database.fetch(
            "SELECT data FROM outbox WHERE type = 'stream.reminder' ORDER BY event_id"
        )
        return [row["data"]["scheduled_at"] for row in rows]

    now = NOW + timedelta(minutes=44)
    assert await reminders() == []
    now = NOW + timedelta(minutes=45)
    first = ["2026-05-01T13:00:00Z"]
    assert await reminders() == first
    assert await reminders() == first
    await service.edit(planned.id, {"scheduled_at": NOW + timedelta(hours=2)})
    assert await reminders() == first
    now = NOW + timedelta(minutes=105)
    both = [*first, "2026-05-01T14:00:00Z"]
    assert await reminders() == both
    await service.start(planned.id)
    assert await reminders() == both


def test_an_expiry_concerns_nothing_else() -> None:
    planned = stream(status=Status.SCHEDULED, scheduled_at=NOW)
    assert lifecycle.expired(planned, NOW + timedelta(hours=23)) is planned
    assert (
        lifecycle.expired(replace(planned, scheduled_at=None, status=Status.CREATED), LATER).status
        == "created"
    )
