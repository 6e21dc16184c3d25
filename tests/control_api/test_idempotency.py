"""Requests that are sent again, and who looked at keys."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from control_api.idempotency import HEADER
from control_api.postgres.database import Database

from .conftest import House

STREAMS = "/api/v1/streams"


async def post(
    house: House, key: str, title: str = "a show", user: str = "demo"
) -> tuple[int, Any, str | None]:
    answer = await house.request("POST", STREAMS, user, json={"title": title}, headers={HEADER: key})
    return answer.status, await answer.json(), answer.headers.get("Idempotency-Replayed")


async def test_the_same_request_again_gets_the_same_answer(house: House, database: Database) -> None:
    status, first, replayed = await post(house, "one")
    assert (status, replayed) == (201, None)
    for _ in range(2):
        assert await post(house, "one") == (201, first, "true")
    assert (await post(house, "two"))[1]["id"] != first["id"]
    rows = await database.fetch("SELECT i::text FROM idempotency_keys i")
    assert first["stream_key"].encode().hex() not in " ".join(row[0] for row in rows)


async def test_requests_at_once_happen_once(house: House) -> None:
    answers = await asyncio.gather(*(post(house, "one") for _ in range(8)))
    assert {status for status, _, _ in answers} <= {201, 409}
    assert len({body["id"] for status, body, _ in answers if status == 201}) == 1
    page = await (await house.request("GET", STREAMS, "demo")).json()
    assert len(page["streams"]) == 1


async def test_a_key_is_for_one_request_of_one_user(house: House) -> None:
    await house.store._database.execute(
        "INSERT INTO followers SELECT 'fan', 'f-' || n FROM generate_series(1, 50) n"
    )
    first = (await post(house, "one"))[1]
    status, problem, _ = await post(house, "one", "another show")
    assert (status, problem["code"]) == (422, "key_reused")
    other = await post(house, "one", user="fan")
    assert (other[0], other[1]["id"] != first["id"]) == (201, True)


async def test_what_failed_may_be_tried_again(house: House) -> None:
    status, problem, _ = await post(house, "one", user="fan")
    assert (status, problem["code"]) == (403, "not_eligible")
    await house.store._database.execute(
        "INSERT INTO followers SELECT 'fan', 'f-' || n FROM generate_series(1, 50) n"
    )
    assert (await post(house, "one", user="fan"))[0] == 201


async def test_a_request_that_died_with_its_server_is_made_again(house: House, database: Database) -> None:
    await post(house, "one")
    await database.execute("UPDATE idempotency_keys SET status = NULL")
    status, problem, _ = await post(house, "one")
    assert (status, problem["code"]) == (409, "in_progress")
    await database.execute("UPDATE idempotency_keys SET created_at = now() - interval '2 minutes'")
    assert (await post(house, "one"))[0] == 201


@pytest.mark.parametrize("key", ["", "x" * 201, "a b", "é"])
async def test_keys_that_cannot_be(house: House, key: str) -> None:
    assert (await post(house, key))[0] == 422


async def test_who_looks_at_a_key_is_written_down(house: House, database: Database) -> None:
    stream = await house.create()
    for method, path in (
        ("GET", f"{STREAMS}/{stream['id']}/key"),
        ("POST", f"{STREAMS}/{stream['id']}/key"),
        ("GET", "/api/v1/users/me/key"),
        ("POST", "/api/v1/users/me/key"),
    ):
        assert (await house.request(method, path, "demo")).status == 200
    assert (await house.request("GET", f"{STREAMS}/{stream['id']}/key", "fan")).status == 403
    rows = await database.fetch("SELECT * FROM audit_log ORDER BY id")
    assert [(row["actor_id"], row["action"], row["subject"], row["address"]) for row in rows] == [
        ("demo", "stream_key.shown", stream["id"], "127.0.0.1"),
        ("demo", "stream_key.renewed", stream["id"], "127.0.0.1"),
        ("demo", "channel_key.shown", "demo", "127.0.0.1"),
        ("demo", "channel_key.renewed", "demo", "127.0.0.1"),
    ]
