"""The routes of comments and reactions, over real HTTP."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import jwt
import pytest

from media.error import StreamError

from ..conftest import SECRET, House
from ..test_http import NOBODYS, STREAMS, problem_of, stream_in

NO_COMMENT = "01890000-0000-7000-8000-000000000000"


async def live(house: House, **fields: Any) -> str:
    stream = await house.create(**fields)
    path = f"{STREAMS}/{stream['id']}"
    assert (await house.request("POST", f"{path}/start", "demo")).status == 200
    return path


async def write(house: House, path: str, content: str = "hi", user: str = "eve", **options: Any) -> Any:
    response = await house.request("POST", f"{path}/comments", user, json={"content": content}, **options)
    assert response.status == 201, await response.text()
    return await response.json()


async def read(house: House, path: str, user: str | None = None, **query: str) -> Any:
    response = await house.request("GET", f"{path}/comments", user, params=query)
    assert response.status == 200, await response.text()
    return await response.json()


async def test_a_comment_as_the_contract_has_it(house: House) -> None:
    path = await live(house)
    response = await house.request("POST", f"{path}/comments", "eve", json={"content": " Great\nstream! "})
    comment = await response.json()
    assert response.status == 201
    assert UUID(comment["id"]).version == 7
    assert list(comment) == [
        "id", "seq", "user_id", "display_name", "content", "created_at", "is_pinned",
    ]  # fmt: skip
    assert (comment["user_id"], comment["display_name"]) == ("eve", "eve")
    assert (comment["content"], comment["is_pinned"]) == ("Great stream!", False)
    assert comment["created_at"].endswith("Z")
    assert await read(house, path) == {"comments": [comment], "pinned": None, "next_cursor": None}
    assert (await (await house.request("GET", path)).json())["comments_count"] == 1


@pytest.mark.parametrize(
    ("claim", "shown"),
    [("Eve \u202e Adams ", "Eve  Adams"), ("\u200b", "eve"), (7, "eve"), ("e" * 129, "eve")],
)
async def test_the_name_of_the_token_is_shown(house: House, claim: object, shown: str) -> None:
    path = await live(house)
    token = jwt.encode({"sub": "eve", "name": claim}, SECRET)
    response = await house.request(
        "POST", f"{path}/comments", headers={"Authorization": f"Bearer {token}"}, json={"content": "hi"}
    )
    assert (await response.json())["display_name"] == shown


CONTENTS = [
    ("no body", b"", 400, "no_json", None),
    ("no JSON", b"hello", 400, "no_json", None),
    ("lone surrogate", b'{"content": "\\ud83d"}', 400, "no_json", None),
    ("too large", b'{"content": "' + b"a" * 300_000 + b'"}', 413, "too_large", None),
    ("a list", b"[]", 422, "invalid", ""),
    ("nothing", {}, 422, "invalid", "content"),
    ("null", {"content": None}, 422, "invalid", "content"),
    ("a number", {"content": 7}, 422, "invalid", "content"),
    ("a list of texts", {"content": ["hi"]}, 422, "invalid", "content"),
    ("empty", {"content": ""}, 422, "invalid", "content"),
    ("blank", {"content": " \t\r\n\u3000"}, 422, "invalid", "content"),
    ("only what cannot be seen", {"content": "\u200b\u2060\u202e\0\ufeff"}, 422, "invalid", "content"),
    ("501 letters", {"content": "a" * 501}, 422, "invalid", "content"),
    ("501 emoji", {"content": "\U0001f525" * 501}, 422, "invalid", "content"),
    ("40,000 marks", {"content": "a" + "\u0301\u0316" * 20_000}, 422, "invalid", "content"),
    ("unknown field", {"content": "hi", "colour": "red"}, 422, "invalid", "colour"),
    ("somebody else", {"content": "hi", "user_id": "demo"}, 422, "invalid", "user_id"),
]


@pytest.mark.parametrize(
    ("body", "status", "code", "field"), [c[1:] for c in CONTENTS], ids=[c[0] for c in CONTENTS]
)
async def test_comments_that_are_refused(
    house: House, body: object, status: int, code: str, field: str | None
) -> None:
    path = await live(house)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = await house.request("POST", f"{path}/comments", "eve", data=data)
    problem = await problem_of(response)
    assert (response.status, problem["code"]) == (status, code), problem
    if field is not None:
        assert [error["field"] for error in problem["errors"]] == [field]
    assert (await read(house, path))["comments"] == []


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("\U0001f525" * 500, "\U0001f525" * 500),
        ("  " + "é" * 500 + "\n", "é" * 500),
        ("e\u0301" * 500, "é" * 500),
        ("a\0b\x1b[31m", "ab[31m"),
        ("abc\u202egnp.exe", "abcgnp.exe"),
        ("'); DROP TABLE stream_comments; --", "'); DROP TABLE stream_comments; --"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("%s {0} $1 \\", "%s {0} $1 \\"),
    ],
)
async def test_comments_that_are_taken(house: House, sent: str, stored: str) -> None:
    path = await live(house)
    assert (await write(house, path, sent))["content"] == stored
    assert [one["content"] for one in (await read(house, path))["comments"]] == [stored]


@pytest.mark.parametrize("state", ["created", "scheduled", "ended", "cancelled"])
async def test_only_live_streams_have_an_open_chat(house: House, state: str) -> None:
    path = f"{STREAMS}/{(await stream_in(house, state))['id']}"
    for suffix, body in (("comments", {"content": "hi"}), ("reactions", {"type": "like"})):
        for user in ("eve", "demo"):
            response = await house.request("POST", f"{path}/{suffix}", user, json=body)
            assert (response.status, (await problem_of(response))["code"]) == (409, "not_live")
    refused = await house.request("POST", f"{path}/comments", "eve", json={"content": ""})
    assert refused.status == 422


async def test_comments_stay_after_the_end_and_can_be_moderated(house: House) -> None:
    path = await live(house)
    comments = [await write(house, path, content) for content in "abc"]
    await house.request("POST", f"{path}/end", "demo")
    assert (await read(house, path))["comments"] == comments
    assert (await house.request("POST", f"{path}/comments/{comments[0]['id']}/pin", "demo")).status == 200
    assert (await house.request("DELETE", f"{path}/comments/{comments[1]['id']}", "demo")).status == 204
    after = await read(house, path)
    assert [one["content"] for one in after["comments"]] == ["a", "c"]
    assert after["pinned"]["content"] == "a"


async def test_pages_go_back_from_the_newest(house: House) -> None:
    path = await live(house)
    for number in range(7):
        await write(house, path, f"{number}", "demo")
    gone = (await read(house, path))["comments"][3]
    await house.request("DELETE", f"{path}/comments/{gone['id']}", "demo")
    pages: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await read(house, path, limit="2", **({"cursor": cursor} if cursor else {}))
        pages.append([one["content"] for one in page["comments"]])
        cursor = page["next_cursor"]
        await write(house, path, "meanwhile", "demo")  # newer than every page to come
    assert pages == [["5", "6"], ["2", "4"], ["0", "1"]]
    assert len((await read(house, path, limit="100"))["comments"]) == 9


async def test_queries_that_are_refused(house: House) -> None:
    path, other = await live(house), await live(house)
    for content in "ab":
        await write(house, other, content)
    foreign = (await read(house, other, limit="1"))["next_cursor"]
    assert foreign is not None
    for query in ("limit=0", "limit=101", "limit=x", "cursor=W10", "before=1", f"cursor={foreign}"):
        response = await house.request("GET", f"{path}/comments?{query}")
        assert (response.status, (await problem_of(response))["code"]) == (422, "invalid"), query


async def test_a_pin_replaces_the_one_before(house: House) -> None:
    path = await live(house)
    first, second = await write(house, path, "first"), await write(house, path, "second")
    for comment in (first, first, second):
        response = await house.request("POST", f"{path}/comments/{comment['id']}/pin", "demo")
        assert (response.status, await response.json()) == (200, comment | {"is_pinned": True})
    page = await read(house, path)
    assert page["pinned"] == second | {"is_pinned": True}
    assert page["comments"] == [first, second | {"is_pinned": True}]
    for comment in (first, second, second):  # whether it is pinned or not
        response = await house.request("DELETE", f"{path}/comments/{comment['id']}/pin", "demo")
        assert response.status == 204
    assert (await read(house, path))["pinned"] is None


async def test_deleting_the_pinned_comment_unpins_it(house: House) -> None:
    path = await live(house)
    comment = await write(house, path)
    await house.request("POST", f"{path}/comments/{comment['id']}/pin", "demo")
    assert (await house.request("DELETE", f"{path}/comments/{comment['id']}", "demo")).status == 204
    assert await read(house, path) == {"comments": [], "pinned": None, "next_cursor": None}
    assert (await (await house.request("GET", path)).json())["comments_count"] == 0
    for method, suffix in (("DELETE", ""), ("POST", "/pin"), ("DELETE", "/pin")):
        again = await house.request(method, f"{path}/comments/{comment['id']}{suffix}", "demo")
        assert (again.status, (await problem_of(again))["code"]) == (404, "not_found")


async def test_who_may_moderate(house: House) -> None:
    house.rules.moderators.add(("demo", "mod"))
    path = await live(house)
    own = await write(house, path, "mine", "ann")
    for user, status in ((None, 401), ("ann", 403), ("eve", 403), ("mod", 200), ("demo", 200)):
        response = await house.request("POST", f"{path}/comments/{own['id']}/pin", user)
        assert response.status == status, user
    for user, status in ((None, 401), ("ann", 403), ("mod", 204)):
        response = await house.request("DELETE", f"{path}/comments/{own['id']}/pin", user)
        assert response.status == status, user
    for user, status in ((None, 401), ("eve", 403), ("ann", 204)):
        response = await house.request("DELETE", f"{path}/comments/{own['id']}", user)
        assert response.status == status, user
    for user in ("mod", "demo"):
        comment = await write(house, path, "bad", "ann")
        response = await house.request("DELETE", f"{path}/comments/{comment['id']}", user)
        assert response.status == 204, user


async def test_comments_that_are_not_there(house: House) -> None:
    path, other = await live(house), await live(house)
    foreign = (await write(house, other))["id"]
    ids = [NO_COMMENT, foreign, "7", "%2e%2e", "..%2f..%2fetc", "%00", foreign + "0", "'%20OR%201=1"]
    for comment_id in ids:
        for method, suffix in (("POST", "/pin"), ("DELETE", "/pin"), ("DELETE", "")):
            response = await house.request(method, f"{path}/comments/{comment_id}{suffix}", "demo")
            assert (response.status, (await problem_of(response))["code"]) == (404, "not_found"), comment_id
    assert len((await read(house, other))["comments"]) == 1


async def test_ids_are_the_same_in_capital_letters(house: House) -> None:
    path = await live(house)
    comment_id = (await write(house, path))["id"].upper()
    assert (await house.request("DELETE", f"{path}/comments/{comment_id}", "demo")).status == 204


ACTIONS = [
    ("POST", "/comments", {"content": "hi"}),
    ("POST", f"/comments/{NO_COMMENT}/pin", None),
    ("DELETE", f"/comments/{NO_COMMENT}/pin", None),
    ("DELETE", f"/comments/{NO_COMMENT}", None),
    ("POST", "/reactions", {"type": "like"}),
]


@pytest.mark.parametrize(("method", "suffix", "body"), ACTIONS)
async def test_private_streams_do_not_exist_for_strangers(
    house: House, method: str, suffix: str, body: object
) -> None:
    path = await live(house, is_private=True)
    assert (await house.request(method, path + suffix, json=body)).status == 401
    stranger = await house.request(method, path + suffix, "eve", json=body)
    assert (stranger.status, (await problem_of(stranger))["code"]) == (404, "not_found")
    for missing in (NOBODYS, f"{STREAMS}/7", f"{STREAMS}/%2e%2e"):
        response = await house.request(method, missing + suffix, "demo", json=body)
        assert response.status == 404


async def test_followers_talk_on_private_streams(house: House) -> None:
    path = await live(house, is_private=True)
    await house.request("PUT", "/api/v1/users/demo/follow", "fan")
    await write(house, path, user="fan")
    for user, status in ((None, 404), ("eve", 404), ("fan", 200), ("demo", 200)):
        assert (await house.request("GET", f"{path}/comments", user)).status == status


async def test_the_rate_of_comments(house: House) -> None:
    path, other = await live(house), await live(house)
    for number in range(5):
        await house.request("POST", f"{path}/comments", "eve", json={"content": ""})  # does not count
        await write(house, path, f"{number}")
        house.chat_clock.now += 1
    response = await house.request("POST", f"{path}/comments", "eve", json={"content": "one more"})
    assert (response.status, response.headers["Retry-After"]) == (429, "5")
    assert (await problem_of(response))["code"] == "rate_limited"
    invalid = await house.request("POST", f"{path}/comments", "eve", json={"content": ""})
    assert invalid.status == 422  # before the rate is looked at
    await write(house, other)
    await write(house, path, user="ann")
    house.chat_clock.now += 5
    await write(house, path, "later")
    assert (await house.request("POST", f"{path}/comments", "eve", json={"content": "x"})).status == 429


async def test_owner_and_moderators_are_exempt_from_the_rate(house: House) -> None:
    house.rules.moderators.add(("demo", "mod"))
    path = await live(house)
    for user in ("demo", "mod"):
        for _ in range(12):
            await write(house, path, user=user)


async def test_what_the_rules_refuse(house: House) -> None:
    house.rules.refused["spam"] = StreamError("not_live", "Not here.")
    path = await live(house)
    for _ in range(6):  # refusals do not count
        response = await house.request("POST", f"{path}/comments", "eve", json={"content": " spam "})
        assert (await problem_of(response))["detail"] == "Not here."
    await write(house, path, "spam", "demo")
    for _ in range(5):
        await write(house, path)


async def test_the_same_request_again_writes_nothing_twice(house: House) -> None:
    path = await live(house)
    first, second = [await write(house, path, headers={"Idempotency-Key": "key"}) for _ in range(2)]
    assert first == second
    assert len((await read(house, path))["comments"]) == 1


async def test_reactions(house: House) -> None:
    path = await live(house)
    counts = dict.fromkeys(("like", "love", "fire", "clap", "wow"), 0)
    for user, kind, expected in (
        ("ann", "like", {"like": 1}),
        ("ann", "like", {"like": 1}),
        ("eve", "like", {"like": 2}),
        ("ann", "wow", {"like": 1, "wow": 1}),
        ("demo", "fire", {"like": 1, "wow": 1, "fire": 1}),
    ):
        response = await house.request("POST", f"{path}/reactions", user, json={"type": kind})
        assert response.status == 200
        assert await response.json() == {
            "type": kind,
            "counts": counts | expected,
            "reactions_count": sum(expected.values()),
        }
    assert (await (await house.request("GET", path)).json())["reactions_count"] == 3


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"{}", 422, "type"),
        (b'{"type": "hate"}', 422, "type"),
        (b'{"type": "LIKE"}', 422, "type"),
        (b'{"type": 1}', 422, "type"),
        (b'{"type": null}', 422, "type"),
        (b'{"type": ["like"]}', 422, "type"),
        (b'{"type": "like", "count": 100}', 422, "count"),
    ],
)
async def test_reactions_that_are_refused(house: House, body: bytes, status: int, field: str | None) -> None:
    path = await live(house)
    response = await house.request("POST", f"{path}/reactions", "eve", data=body)
    problem = await problem_of(response)
    assert response.status == status
    if field is not None:
        assert [error["field"] for error in problem["errors"]] == [field]


async def test_the_rate_of_reactions(house: House) -> None:
    path = await live(house)
    for _ in range(10):
        response = await house.request("POST", f"{path}/reactions", "eve", json={"type": "like"})
        assert response.status == 200
    response = await house.request("POST", f"{path}/reactions", "eve", json={"type": "like"})
    assert (response.status, response.headers["Retry-After"]) == (429, "10")
    await write(house, path)  # comments have a rate of their own
