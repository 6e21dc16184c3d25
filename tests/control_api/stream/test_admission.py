"""Which stream an encoder gets, by its key."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import uuid_utils

from control_api.postgres.store import PostgresStore
from control_api.stream.admission import admit
from control_api.stream.record import Status, Stream
from control_api.stream.service import StreamService
from media.error import StreamError

from ..conftest import NOW, Notes

CHANNEL_KEY = "ck_of_alice"


async def add(store: PostgresStore, name: str, status: Status, scheduled_at: datetime | None = None) -> None:
    was_live = status in (Status.LIVE, Status.ENDED)
    stream = Stream(
        id=str(uuid_utils.uuid7()),
        user_id="alice",
        stream_key=f"sk_{name}",
        title=name,
        created_at=NOW,
        status=status,
        is_private=True,
        scheduled_at=NOW if scheduled_at is None and status is Status.SCHEDULED else scheduled_at,
        started_at=NOW if was_live else None,
        ended_at=NOW if status is Status.ENDED else None,
        end_reason="owner" if status is Status.ENDED else None,
    )
    await store.add(stream)


@pytest.mark.parametrize(
    ("app", "key", "result"),
    [
        ("live", "sk_created", "created"),
        ("live/", "sk_live", "live"),
        ("live/sk_live", "sk_live", "live"),
        ("live", "sk_ended", "already_ended"),
        ("live", "sk_cancelled", "cancelled"),
        ("live", "sk_unknown", "unknown_key"),
        ("live", "", "unknown_key"),
        ("live", "\ud800\0", "unknown_key"),
        ("vod", "sk_live", "unknown_app"),
        ("", "sk_live", "unknown_app"),
    ],
)
async def test_stream_keys(store: PostgresStore, app: str, key: str, result: str) -> None:
    for status in Status:
        await add(store, status.value, status)
    try:
        found = (await admit(store, app, key, NOW)).title
    except StreamError as error:
        found = error.code if error.detail.endswith(".") else "no sentence"
    assert found == result


SOON, LATER = NOW + timedelta(minutes=29), NOW + timedelta(minutes=31)


@pytest.mark.parametrize(
    ("streams", "result"),
    [
        ([("1", Status.LIVE, None), ("2", Status.CREATED, None)], "1"),
        ([("1", Status.CREATED, None), ("2", Status.CREATED, None), ("3", Status.SCHEDULED, SOON)], "2"),
        ([("1", Status.SCHEDULED, SOON), ("2", Status.SCHEDULED, LATER), ("3", Status.ENDED, None)], "1"),
        ([("1", Status.SCHEDULED, LATER), ("2", Status.CANCELLED, None)], "no_stream"),
        ([], "no_stream"),
    ],
)
async def test_channel_keys(
    store: PostgresStore, streams: list[tuple[str, Status, datetime | None]], result: str
) -> None:
    await store.set_channel_key("alice", CHANNEL_KEY)
    for name, status, scheduled_at in streams:
        await add(store, name, status, scheduled_at)
    try:
        found = (await admit(store, "live", CHANNEL_KEY, NOW)).title
    except StreamError as error:
        found = error.code
    assert found == result


async def test_the_service_asks_the_same(store: PostgresStore) -> None:
    await add(store, "x", Status.CREATED)
    service = StreamService(store, store, Notes(), min_followers=0, now=lambda: NOW)
    assert (await service.authorize_publish("live", "sk_x")).title == "x"
