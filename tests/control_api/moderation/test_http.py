"""The routes of moderation, over real HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from control_api.id_page import encode_id
from control_api.problem import answer_to
from control_api.wait import TooEarlyError
from media.error import StreamError

from ..conftest import House
from ..test_http import NOBODYS, STREAMS, problem_of

MODERATORS = "/api/v1/users/me/moderators"
NOON = "2026-05-01T12:00:00Z"
OPEN = {"slow_mode_s": 0, "followers_only": False, "links_allowed": True}


async def path_of(house: House, *, is_private: bool = False) -> str:
    return f"{STREAMS}/{(await house.create(is_private=is_private))['id']}"


async def body_of(house: House, path: str, user: str | None = "demo", **options: Any) -> Any:
    response = await house.request("GET", path, user, **options)
    assert response.status == 200, await response.text()
    return await response.json()


async def test_moderators_from_appointment_to_dismissal(house: House) -> None:
    path = await path_of(house)
    for _ in range(2):
        response = await house.request("PUT", f"{MODERATORS}/a%20b%2Fc", "demo")
        assert (response.status, await response.read()) == (204, b"")
    [moderator] = (await body_of(house, MODERATORS))["moderators"]
    assert moderator["user_id"] == "a b/c"
    assert await body_of(house, MODERATORS, "a b/c") == {"moderators": []}
    assert (await house.request("POST", f"{path}/bans/eve", "a b/c")).status == 200
    for _ in range(2):
        assert (await house.request("DELETE", f"{MODERATORS}/a%20b%2Fc", "demo")).status == 204
    assert (await house.request("DELETE", f"{path}/bans/eve", "a b/c")).status == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("user_id", ["demo", "me", "x" * 129, "%00", "a%0Ab"])
async def test_who_can_be_no_moderator(house: House, method: str, user_id: str) -> None:
    response = await house.request(method, f"{MODERATORS}/{user_id}", "demo")
    assert (response.status, (await problem_of(response))["code"]) == (422, "invalid")


async def test_a_ban_from_beginning_to_end(house: House) -> None:
    path = await path_of(house)
    timed = await house.request(
        "POST", f"{path}/bans/eve", "demo", json={"reason": " spam\nagain ", "duration_s": 60}
    )
    expected = {
        "user_id": "eve",
        "banned_by": "demo",
        "reason": "spam\nagain",
        "created_at": NOON,
        "ends_at": "2026-05-01T12:01:00Z",
    }
    assert (timed.status, await timed.json()) == (200, expected)
    for body in (b"", b"{}"):  # for good, in place of the other
        whole = await house.request("POST", f"{path}/bans/eve", "demo", data=body)
        assert (whole.status, await whole.json()) == (200, expected | {"reason": "", "ends_at": None})
    assert (await body_of(house, f"{path}/bans"))["bans"] == [await whole.json()]
    for _ in range(2):
        assert (await house.request("DELETE", f"{path}/bans/eve", "demo")).status == 204
    assert await body_of(house, f"{path}/bans") == {"bans": [], "next_cursor": None}


@pytest.mark.parametrize(
    "user_id", ["anon-" + "x" * 155, "a%20b%2Fc", "%F0%9F%94%A5", "'; DROP TABLE bans; --"]
)
async def test_who_can_be_banned(house: House, user_id: str) -> None:
    path = await path_of(house)
    response = await house.request("POST", f"{path}/bans/{user_id}", "demo")
    assert response.status == 200
    assert [ban["user_id"] for ban in (await body_of(house, f"{path}/bans"))["bans"]] == [
        (await response.json())["user_id"]
    ]


TARGETS = [
    ("demo", "me", 422),
    ("demo", "demo", 422),
    ("helper", "demo", 403),
    ("helper", "mate", 403),
    ("helper", "me", 422),
    ("eve", "adam", 403),
    ("demo", "mate", 200),
    ("demo", "x" * 161, 422),
    ("demo", "%00", 422),
]


@pytest.mark.parametrize(("user", "target", "status"), TARGETS)
async def test_who_may_ban_whom(house: House, user: str, target: str, status: int) -> None:
    path = await path_of(house)
    for name in ("helper", "mate"):
        await house.request("PUT", f"{MODERATORS}/{name}", "demo")
    response = await house.request("POST", f"{path}/bans/{target}", user)
    assert response.status == status, await response.text()
    if status != 200:
        assert (await problem_of(response))["code"] == {403: "forbidden", 422: "invalid"}[status]


BAN_BODIES = [
    (b"{", 400, "no_json", None),
    (b'{"reason": "\\ud800"}', 400, "no_json", None),
    (b"[]", 422, "invalid", ""),
    ({"duration_s": 0}, 422, "invalid", "duration_s"),
    ({"duration_s": 1_209_601}, 422, "invalid", "duration_s"),
    ({"duration_s": "60"}, 422, "invalid", "duration_s"),
    ({"duration_s": 1.5}, 422, "invalid", "duration_s"),
    ({"duration_s": True}, 422, "invalid", "duration_s"),
    ({"reason": 7}, 422, "invalid", "reason"),
    ({"reason": None}, 422, "invalid", "reason"),
    ({"reason": "x" * 501}, 422, "invalid", "reason"),
    ({"reason": "a\0b"}, 422, "invalid", "reason"),
    ({"duration": 60}, 422, "invalid", "duration"),
    ({"user_id": "adam"}, 422, "invalid", "user_id"),
]


@pytest.mark.parametrize(("body", "status", "code", "field"), BAN_BODIES)
async def test_bans_that_are_refused(
    house: House, body: object, status: int, code: str, field: str | None
) -> None:
    path = await path_of(house)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = await house.request("POST", f"{path}/bans/eve", "demo", data=data)
    problem = await problem_of(response)
    assert (response.status, problem["code"]) == (status, code), problem
    assert field is None or [error["field"] for error in problem["errors"]] == [field]
    assert (await body_of(house, f"{path}/bans"))["bans"] == []


async def test_lists_are_paged(house: House) -> None:
    path = await path_of(house)
    for number in range(5):
        body = {"reason": "é" * 500, "duration_s": 1_209_600}
        assert (await house.request("POST", f"{path}/bans/u{number}", "demo", json=body)).status == 200
    for suffix, key, name in (("bans", "bans", "user_id"), ("moderation-log", "entries", "subject")):
        found: list[str] = []
        sizes: list[int] = []
        query: dict[str, str] = {"limit": "2"}
        while True:
            page = await body_of(house, f"{path}/{suffix}", params=query)
            found += [entry[name] for entry in page[key]]
            sizes.append(len(page[key]))
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert (found, sizes) == (["u4", "u3", "u2", "u1", "u0"], [2, 2, 1])


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "cursor=", "cursor=%00", "cursor=W10", "cursor=" + "A" * 11,
     "cursor=" + "_" * 11, "cursor=" + "é" * 11, "cursor=" + "a" * 300, "page=2"],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["bans", "moderation-log"])
async def test_queries_that_are_refused(house: House, suffix: str, query: str) -> None:
    path = await path_of(house)
    response = await house.request("GET", f"{path}/{suffix}?{query}", "demo")
    assert (response.status, (await problem_of(response))["code"]) == (422, "invalid")
    assert (
        await house.request("GET", f"{path}/{suffix}?cursor={encode_id(2**63 - 1)}", "demo")
    ).status == 200


async def test_settings_are_changed_one_by_one(house: House) -> None:
    path = f"{await path_of(house)}/chat-settings"
    assert await body_of(house, path) == OPEN | {"blocked_words": []}
    whole: dict[str, object] = OPEN | {"blocked_words": []}
    for change, becomes in (
        ({}, {}),
        ({"slow_mode_s": 3600.0}, {"slow_mode_s": 3600}),
        ({"followers_only": True, "links_allowed": False}, {"followers_only": True, "links_allowed": False}),
        ({"blocked_words": [" Bad ", "bad", "Bad", "b4d*"]}, {"blocked_words": ["Bad", "bad", "b4d*"]}),
        ({"slow_mode_s": 0}, {"slow_mode_s": 0}),
        ({"blocked_words": ["x" * 99 + str(n) for n in range(10)] * 50}, None),
        ({"blocked_words": []}, {"blocked_words": []}),
    ):
        response = await house.request("PUT", path, "demo", json=change)
        assert response.status == 200, await response.text()
        if becomes is None:
            assert len((await response.json())["blocked_words"]) == 10
            continue
        whole |= becomes
        assert await response.json() == whole
        assert await body_of(house, path) == whole


async def test_only_moderators_know_the_blocked_words(house: House) -> None:
    path = f"{await path_of(house)}/chat-settings"
    await house.request("PUT", f"{MODERATORS}/helper", "demo")
    await house.request("PUT", path, "demo", json={"blocked_words": ["secret"], "slow_mode_s": 5})
    public = OPEN | {"slow_mode_s": 5}
    for user, admin, expected in (
        (None, False, public),
        ("eve", False, public),
        ("helper", False, public | {"blocked_words": ["secret"]}),
        ("root", True, public | {"blocked_words": ["secret"]}),
    ):
        assert await body_of(house, path, user, admin=admin) == expected


SETTINGS = [
    (b"", 400, "no_json", None),
    (b"{", 400, "no_json", None),
    (b"[]", 422, "invalid", ""),
    ({"slow_mode_s": -1}, 422, "invalid", "slow_mode_s"),
    ({"slow_mode_s": 3601}, 422, "invalid", "slow_mode_s"),
    ({"slow_mode_s": "5"}, 422, "invalid", "slow_mode_s"),
    ({"slow_mode_s": 5.5}, 422, "invalid", "slow_mode_s"),
    (b'{"slow_mode_s": 1e999}', 422, "invalid", "slow_mode_s"),
    ({"slow_mode_s": 1e300}, 422, "invalid", "slow_mode_s"),
    ({"slow_mode_s": True}, 422, "invalid", "slow_mode_s"),
    ({"slow_mode_s": None}, 422, "invalid", "slow_mode_s"),
    ({"followers_only": 1}, 422, "invalid", "followers_only"),
    ({"links_allowed": "no"}, 422, "invalid", "links_allowed"),
    ({"links_allowed": None}, 422, "invalid", "links_allowed"),
    ({"blocked_words": "bad"}, 422, "invalid", "blocked_words"),
    ({"blocked_words": None}, 422, "invalid", "blocked_words"),
    ({"blocked_words": ["x"] * 501}, 422, "invalid", "blocked_words"),
    ({"blocked_words": ["a", 1]}, 422, "invalid", "blocked_words.1"),
    ({"blocked_words": ["x" * 101]}, 422, "invalid", "blocked_words.0"),
    ({"blocked_words": [" "]}, 422, "invalid", "blocked_words.0"),
    ({"blocked_words": ["a\nb"]}, 422, "invalid", "blocked_words.0"),
    ({"blocked_words": ["\u200b"]}, 422, "invalid", "blocked_words.0"),
    ({"blocked_words": ["***"]}, 422, "invalid", "blocked_words.0"),
    ({"blocked_words": ["*"]}, 422, "invalid", "blocked_words.0"),
    ({"blocked_words": ["a*b"]}, 422, "invalid", "blocked_words.0"),
    ({"slowmode": 5}, 422, "invalid", "slowmode"),
    ({"stream_id": "x"}, 422, "invalid", "stream_id"),
]


@pytest.mark.parametrize(("body", "status", "code", "field"), SETTINGS)
async def test_settings_that_are_refused(
    house: House, body: object, status: int, code: str, field: str | None
) -> None:
    path = f"{await path_of(house)}/chat-settings"
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = await house.request("PUT", path, "demo", data=data)
    problem = await problem_of(response)
    assert (response.status, problem["code"]) == (status, code), problem
    assert field is None or [error["field"] for error in problem["errors"]] == [field]
    assert await body_of(house, path) == OPEN | {"blocked_words": []}


@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("GET", "/bans", None),
        ("POST", "/bans/adam", {}),
        ("DELETE", "/bans/adam", None),
        ("PUT", "/chat-settings", {"slow_mode_s": 1}),
        ("GET", "/moderation-log", None),
    ],
)
async def test_who_may_not_moderate(house: House, method: str, suffix: str, body: object) -> None:
    public, private = await path_of(house), await path_of(house, is_private=True)
    for path, user, admin, status in (
        (public, "eve", False, 403),
        (private, "eve", False, 404),
        (public, None, False, 401),
        (private, None, False, 401),
        (NOBODYS, "demo", False, 404),
        (f"{STREAMS}/7", "demo", False, 404),
    ):
        response = await house.request(method, f"{path}{suffix}", user, admin=admin, json=body)
        assert response.status == status, (path, user)
    await house.request("PUT", f"{MODERATORS}/helper", "demo")
    for user, admin in (("demo", False), ("helper", False), ("root", True)):
        response = await house.request(method, f"{public}{suffix}", user, admin=admin, json=body)
        assert response.status in (200, 204), (user, await response.text())


async def test_settings_of_private_streams_are_private(house: House) -> None:
    path = f"{await path_of(house, is_private=True)}/chat-settings"
    await house.request("PUT", "/api/v1/users/demo/follow", "fan")
    for user, status in ((None, 404), ("eve", 404), ("fan", 200), ("demo", 200)):
        assert (await house.request("GET", path, user)).status == status


@pytest.mark.parametrize("path", [MODERATORS, f"{MODERATORS}/x"])
async def test_moderators_need_a_token(house: House, path: str) -> None:
    response = await house.request("GET" if path == MODERATORS else "PUT", path)
    assert (response.status, (await problem_of(response))["code"]) == (401, "unauthorized")


async def test_the_log_tells_who_did_what_and_admins_from_where(house: House) -> None:
    stream = await house.create()
    path = f"{STREAMS}/{stream['id']}"
    await house.request("GET", f"{path}/key", "demo")  # is written down too, and is no moderation
    await house.request("PUT", f"{MODERATORS}/helper", "demo")
    await house.request("POST", f"{path}/bans/eve", "helper", json={"reason": "spam"})
    await house.request("PUT", f"{path}/chat-settings", "demo", json={"slow_mode_s": 5})
    entries = (await body_of(house, f"{path}/moderation-log", "helper"))["entries"]
    assert all(entry.pop("at").endswith("Z") for entry in entries)
    ban = {"stream_id": stream["id"], "reason": "spam", "ends_at": None}
    expected = [
        ("demo", "chat_settings.changed", stream["id"], {"slow_mode_s": 5}),
        ("helper", "ban.set", "eve", ban),
        ("demo", "moderator.appointed", "helper", {}),
    ]
    names = ("actor_id", "action", "subject", "details", "address")
    assert entries == [dict(zip(names, (*entry, None), strict=True)) for entry in expected]
    assert "127.0.0.1" not in await (await house.request("GET", f"{path}/moderation-log", "demo")).text()
    shown = (await body_of(house, f"{path}/moderation-log", "root", admin=True))["entries"]
    assert {entry["address"] for entry in shown} == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (StreamError("banned", "You are banned."), 403, None),
        (StreamError("followers_only", "Only followers."), 403, None),
        (StreamError("blocked_word", "A word."), 422, None),
        (StreamError("no_links", "No links."), 422, None),
        (TooEarlyError("slow_mode", "Wait.", 9.2), 429, "10"),
        (TooEarlyError("slow_mode", "Wait.", 0.01), 429, "1"),
    ],
)
def test_refused_comments_as_answers(error: StreamError, status: int, retry_after: str | None) -> None:
    answer = answer_to(error)
    assert isinstance(answer, web.Response)
    assert (answer.status, answer.headers.get("Retry-After")) == (status, retry_after)
    assert json.loads(answer.text or "")["code"] == error.code
