"""The routes of streams and users, over real HTTP."""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import Any
from uuid import UUID

import jwt
import pytest

from control_api.stream.playback import PlaybackSigner

from .conftest import HEALTH, NOW, SECRET, House

STREAMS = "/api/v1/streams"
NOBODYS = f"{STREAMS}/01890000-0000-7000-8000-000000000000"
GOOD = {"title": "a show"}


async def problem_of(response: Any) -> dict[str, Any]:
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = await response.json()
    assert body["status"] == response.status
    assert body["detail"]
    return body


async def test_a_stream_from_creation_to_its_end(house: House) -> None:
    sent = {
        "title": "My First Stream!",
        "description": "Let's\nhang out",
        "quality": "720p",
        "category": "gaming",
        "tags": ["a", "b"],
        "record_stream": False,
    }
    response = await house.request("POST", STREAMS, "demo", json=sent)
    stream = await response.json()
    assert response.status == 201
    assert response.headers["Location"] == f"{STREAMS}/{stream['id']}"
    assert response.headers["Cache-Control"] == "no-store"
    assert sent.items() <= stream.items()
    assert UUID(stream["id"]).version == 7
    port = house.client.port
    expected = {
        "user_id": "demo",
        "status": "created",
        "is_private": False,
        "auto_start": False,
        "scheduled_at": None,
        "rtmp_url": f"rtmp://127.0.0.1:1935/live/{stream['stream_key']}",
        "hls_url": f"http://127.0.0.1:{port}/hls/{stream['id']}/master.m3u8",
        "webrtc_url": f"http://127.0.0.1:{port}/webrtc/{stream['id']}",
        "created_at": "2026-05-01T12:00:00Z",
        "started_at": None,
        "viewer_count": 0,
        "media": {"connected": False},
    }
    assert expected.items() <= stream.items()

    path = f"{STREAMS}/{stream['id']}"
    for _ in range(2):  # the second time changes nothing
        started = await house.request("POST", f"{path}/start", "demo")
        assert (started.status, (await started.json())["status"]) == (200, "live")
    live = await (await house.request("GET", f"{STREAMS}/live")).json()
    assert [entry["id"] for entry in live["streams"]] == [stream["id"]]
    for body in (b"", b"{}"):
        ended = await house.request("POST", f"{path}/end", "demo", data=body)
        assert (ended.status, (await ended.json())["status"]) == (200, "ended")
    assert house.notes.told == [("start", stream["id"]), ("end owner", stream["id"])]
    again = await house.request("POST", f"{path}/start", "demo")
    assert (again.status, (await problem_of(again))["code"]) == (409, "already_ended")


BODIES = [
    ("no body", b"", 400, "no_json", None),
    ("no JSON", b"{title", 400, "no_json", None),
    ("half UTF-8", b'{"title": "\xff"}', 400, "no_json", None),
    ("lone surrogate", b'{"title": "\\ud800"}', 400, "no_json", None),
    ("deep", b"[" * 100_000, 400, "no_json", None),
    ("large", b'{"title": "' + b"a" * 300_000 + b'"}', 413, "too_large", None),
    ("ten megabytes", b" " * 10_000_000, 413, "too_large", None),
    ("a list", b"[]", 422, "invalid", ""),
    ("null", b"null", 422, "invalid", ""),
    ("no title", {}, 422, "invalid", "title"),
    ("blank title", {"title": "  "}, 422, "invalid", "title"),
    ("long title", {"title": "a" * 201}, 422, "invalid", "title"),
    ("title is a number", {"title": 7}, 422, "invalid", "title"),
    ("control character", {"title": "a\0b"}, 422, "invalid", "title"),
    ("long description", GOOD | {"description": "a" * 5001}, 422, "invalid", "description"),
    ("unknown quality", GOOD | {"quality": "4K"}, 422, "invalid", "quality"),
    ("too many tags", GOOD | {"tags": ["a"] * 11}, 422, "invalid", "tags"),
    ("tag is a number", GOOD | {"tags": ["a", 1]}, 422, "invalid", "tags.1"),
    ("text for a switch", GOOD | {"is_private": "true"}, 422, "invalid", "is_private"),
    ("number for a switch", GOOD | {"record_stream": 1}, 422, "invalid", "record_stream"),
    ("unknown field", GOOD | {"titel": "x"}, 422, "invalid", "titel"),
    ("somebody else's field", GOOD | {"user_id": "eve"}, 422, "invalid", "user_id"),
    ("status is not for bodies", GOOD | {"status": "live"}, 422, "invalid", "status"),
    ("time without zone", GOOD | {"scheduled_at": "2026-06-01T12:00:00"}, 422, "invalid", "scheduled_at"),
    ("time is a number", GOOD | {"scheduled_at": 1800000000}, 422, "invalid", "scheduled_at"),
    (
        "time off the calendar",
        GOOD | {"scheduled_at": "9999-12-31T23:59:59-10:00"},
        422,
        "invalid",
        "scheduled_at",
    ),
    ("time has passed", GOOD | {"scheduled_at": "2026-05-01T11:00:00Z"}, 422, "invalid", None),
    ("huge number", b'{"title": "a", "quality": 1e999}', 422, "invalid", "quality"),
]


@pytest.mark.parametrize(
    ("body", "status", "code", "field"), [b[1:] for b in BODIES], ids=[b[0] for b in BODIES]
)
async def test_bodies_that_are_refused(
    house: House, body: object, status: int, code: str, field: str | None
) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = await house.request("POST", STREAMS, "demo", data=BytesIO(data))
    problem = await problem_of(response)
    assert (response.status, problem["code"]) == (status, code), problem
    if field is not None:
        assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "é" * 200, "description": "\U0001f525" * 5000},
        {"tags": ["t" * 50] * 10, "category": None},
        {"title": "'; DROP TABLE streams; --", "description": "../../etc/passwd\t%00"},
    ],
)
async def test_bodies_at_the_limits(house: House, fields: dict[str, Any]) -> None:
    assert fields.items() <= (await house.create(**fields)).items()


async def test_a_scheduled_stream(house: House) -> None:
    stream = await house.create(scheduled_at="2026-05-02T14:00:00+02:00")
    assert (stream["status"], stream["scheduled_at"]) == ("scheduled", "2026-05-02T12:00:00Z")
    path = f"{STREAMS}/{stream['id']}"
    unscheduled = await (await house.request("PUT", path, "demo", json={"scheduled_at": None})).json()
    assert (unscheduled["status"], unscheduled["scheduled_at"]) == ("created", None)


def token(claims: dict[str, object], secret: bytes = SECRET, algorithm: str | None = "HS256") -> str:
    good = {"sub": "demo", "exp": 9_999_999_999}
    return jwt.encode(good | claims, secret if algorithm else "", algorithm=algorithm)


TOKENS = [
    ("none", ""),
    ("another scheme", "Basic ZGVtbzpkZW1v"),
    ("empty", "Bearer "),
    ("garbage", "Bearer abc"),
    ("expired", f"Bearer {token({'exp': 1})}"),
    ("not yet", f"Bearer {token({'nbf': 9_999_999_999})}"),
    ("forged", f"Bearer {token({}, b'x' * 32)}"),
    ("alg none", f"Bearer {token({}, algorithm=None)}"),
    ("another algorithm", f"Bearer {token({}, SECRET * 2, 'HS512')}"),
    ("no user", f"Bearer {token({'sub': ''})}"),
    ("user is a number", f"Bearer {jwt.encode({'sub': 7}, SECRET)}"),
    ("endless", f"Bearer {token({'exp': float('inf')})}"),
    ("expiry is a word", f"Bearer {jwt.encode({'sub': 'demo', 'exp': 'soon'}, SECRET)}"),
    ("long user", f"Bearer {token({'sub': 'a' * 129})}"),
]


@pytest.mark.parametrize("header", [t[1] for t in TOKENS], ids=[t[0] for t in TOKENS])
async def test_tokens_that_are_refused(house: House, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    for method, path in (("POST", STREAMS), ("POST", f"{NOBODYS}/start"), ("GET", f"{STREAMS}/eligibility")):
        response = await house.request(method, path, headers=headers)
        assert (await problem_of(response))["code"] == "unauthorized"
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer ")


async def test_a_bad_token_is_not_taken_for_nobody(house: House) -> None:
    response = await house.request("GET", f"{STREAMS}/live", headers={"Authorization": "Bearer abc"})
    assert response.status == 401


@pytest.mark.parametrize(
    ("action", "body"),
    [
        (("POST", "/start"), None),
        (("POST", "/end"), None),
        (("PUT", ""), {"title": "mine"}),
        (("DELETE", ""), None),
        (("GET", "/health"), None),
        (("GET", "/key"), None),
        (("POST", "/key"), None),
    ],
)
async def test_streams_of_others(house: House, action: tuple[str, str], body: object) -> None:
    method, suffix = action
    public, private = await house.create(), await house.create(is_private=True)
    for stream, admin, status, code in (
        (public, False, 403, "forbidden"),
        (private, False, 404, "not_found"),
        (private, True, 403, "forbidden"),
    ):
        response = await house.request(
            method, f"{STREAMS}/{stream['id']}{suffix}", "eve", admin=admin, json=body
        )
        assert (response.status, (await problem_of(response))["code"]) == (status, code)
    anonymous = await house.request(method, f"{STREAMS}/{public['id']}{suffix}", json=body)
    assert anonymous.status == 401
    for path in (NOBODYS, f"{STREAMS}/7", f"{STREAMS}/%2e%2e", f"{STREAMS}/{public['id']}0"):
        missing = await house.request(method, f"{path}{suffix}", "demo", json=body)
        assert (missing.status, (await problem_of(missing))["code"]) == (404, "not_found")


async def test_the_key_is_shown_where_that_is_written_down_only(house: House) -> None:
    stream = await house.create()
    path = f"{STREAMS}/{stream['id']}"
    own = await house.request("GET", path.upper().replace("/API/V1/STREAMS", STREAMS), "demo")
    assert (await own.json())["id"] == stream["id"]
    assert own.headers["Cache-Control"] == "no-store"
    for user, admin in (("demo", False), (None, False), ("eve", False), ("root", True)):
        response = await house.request("GET", path, user, admin=admin)
        assert response.status == 200
        assert stream["stream_key"] not in await response.text()
        assert "rtmp_url" not in await response.json()
    for listing in (STREAMS, f"{STREAMS}/live"):
        assert stream["stream_key"] not in await (await house.request("GET", listing, "demo")).text()


@pytest.mark.parametrize("scheduled", [True, False])
async def test_the_owner_and_admins_are_told_where_the_preview_is(house: House, scheduled: bool) -> None:
    later = {"scheduled_at": "2026-05-01T13:00:00Z"} if scheduled else {}
    created = await (await house.request("POST", STREAMS, "demo", json=GOOD | later)).json()
    path = f"{STREAMS}/{created['id']}"
    stored = await house.store.get(created["id"])
    assert stored is not None
    for user, admin, may in (
        ("demo", False, True),
        ("root", True, True),
        ("eve", False, False),
        (None, False, False),
    ):
        shown = await (await house.request("GET", path, user, admin=admin)).json()
        assert ("preview_url" in shown) is may
        if may:
            found = re.fullmatch(
                rf".*/hls/{created['id']}/~([^/]+)/preview/master\.m3u8", shown["preview_url"]
            )
            assert found is not None
            holder = PlaybackSigner(SECRET).holder(
                created["id"], stored.playback_salt, found[1], NOW.timestamp()
            )
            assert holder == (user, admin)
    assert "preview_url" not in await (await house.request("GET", STREAMS, "demo")).text()
    for action, method in (("/start", "POST"), ("/end", "POST"), ("", "GET")):
        response = await house.request(method, f"{path}{action}", "demo")
        assert (await response.json())["preview_url"] is None


async def test_a_new_key_replaces_the_old(house: House) -> None:
    stream = await house.create()
    path = f"{STREAMS}/{stream['id']}/key"
    shown = await house.request("GET", path, "demo")
    assert (await shown.json())["stream_key"] == stream["stream_key"]
    assert shown.headers["Cache-Control"] == "no-store"
    new = (await (await house.request("POST", path, "demo")).json())["stream_key"]
    assert (await house.store.get_by_key(new)) is not None
    assert (await house.store.get_by_key(stream["stream_key"])) is None


async def test_private_streams_are_for_owner_followers_and_admins(house: House) -> None:
    stream = await house.create(is_private=True)
    path = f"{STREAMS}/{stream['id']}"
    assert "/~" in stream["hls_url"]
    await house.request("PUT", "/api/v1/users/demo/follow", "fan")
    for user, admin, status in (
        (None, False, 404),
        ("eve", False, 404),
        ("fan", False, 200),
        ("x", True, 200),
    ):
        assert (await house.request("GET", path, user, admin=admin)).status == status
        listed = await (await house.request("GET", STREAMS, user, admin=admin)).json()
        assert len(listed["streams"]) == (status == 200)
    await house.request("DELETE", "/api/v1/users/demo/follow", "fan")
    assert (await house.request("GET", path, "fan")).status == 404


async def test_who_may_go_live(house: House) -> None:
    eligible = await house.request("GET", f"{STREAMS}/eligibility", "demo")
    assert await eligible.json() == {"eligible": True, "follower_count": 50, "required": 50}
    words = "Need 50 friends to go live (you have 0)"
    refusal = {"eligible": False, "reason": words, "follower_count": 0, "required": 50}
    assert await (await house.request("GET", f"{STREAMS}/eligibility", "new")).json() == refusal
    response = await house.request("POST", STREAMS, "new", json=GOOD)
    problem = await problem_of(response)
    assert (response.status, problem["code"]) == (403, "not_eligible")
    assert refusal.items() <= problem.items()


async def test_eligibility_is_checked_again_on_start(house: House) -> None:
    stream = await house.create()
    await house.request("DELETE", "/api/v1/users/demo/follow", "demo-friend-07")
    response = await house.request("POST", f"{STREAMS}/{stream['id']}/start", "demo")
    assert (response.status, (await problem_of(response))["follower_count"]) == (403, 49)
    after = await (await house.request("GET", f"{STREAMS}/{stream['id']}")).json()
    assert after["status"] == "created"
    assert house.notes.told == []


EDITS = [
    ("created", {"title": " b ", "tags": ["x"], "category": None}, 200, {"title": "b", "tags": ["x"]}),
    ("created", {}, 200, {"title": "a show"}),
    ("created", {"quality": "144p", "is_private": True}, 200, {"quality": "144p", "is_private": True}),
    ("created", {"scheduled_at": "2026-05-03T00:00:00Z"}, 200, {"status": "scheduled"}),
    ("created", {"title": None}, 422, None),
    ("created", {"id": "x"}, 422, None),
    ("created", {"scheduled_at": "2025-05-03T00:00:00Z"}, 422, None),
    ("live", {"title": "b"}, 200, {"title": "b", "status": "live"}),
    ("live", {"quality": "1080p"}, 200, {"quality": "1080p"}),
    ("live", {"quality": "144p"}, 409, None),
    ("live", {"scheduled_at": "2026-05-03T00:00:00Z"}, 409, None),
    ("ended", {"title": "b"}, 200, {"title": "b", "status": "ended"}),
    ("cancelled", {"title": "b"}, 409, None),
]


@pytest.mark.parametrize(("state", "changes", "status", "expected"), EDITS)
async def test_edits(
    house: House, state: str, changes: dict[str, object], status: int, expected: dict[str, object] | None
) -> None:
    stream = await stream_in(house, state)
    response = await house.request("PUT", f"{STREAMS}/{stream['id']}", "demo", json=changes)
    assert response.status == status, await response.text()
    if expected is not None:
        assert expected.items() <= (await response.json()).items()


STATES = [
    ("created", "start", 200, "live"),
    ("created", "end", 409, "not_live"),
    ("created", "cancel", 200, "cancelled"),
    ("scheduled", "start", 200, "live"),
    ("scheduled", "end", 409, "not_live"),
    ("scheduled", "cancel", 200, "cancelled"),
    ("live", "start", 200, "live"),
    ("live", "end", 200, "ended"),
    ("live", "cancel", 409, "already_live"),
    ("ended", "start", 409, "already_ended"),
    ("ended", "end", 200, "ended"),
    ("ended", "cancel", 409, "already_ended"),
    ("cancelled", "start", 409, "cancelled"),
    ("cancelled", "end", 409, "cancelled"),
    ("cancelled", "cancel", 200, "cancelled"),
]


async def stream_in(house: House, state: str) -> dict[str, Any]:
    fields = {"scheduled_at": "2026-05-02T12:00:00Z"} if state == "scheduled" else {}
    stream = await house.create(**fields)
    path = f"{STREAMS}/{stream['id']}"
    steps = {
        "live": [("POST", "/start")],
        "ended": [("POST", "/start"), ("POST", "/end")],
        "cancelled": [("DELETE", "")],
    }
    for method, suffix in steps.get(state, []):
        assert (await house.request(method, path + suffix, "demo")).status == 200
    return stream


@pytest.mark.parametrize(("state", "event", "status", "result"), STATES)
async def test_the_state_table(house: House, state: str, event: str, status: int, result: str) -> None:
    stream = await stream_in(house, state)
    path = f"{STREAMS}/{stream['id']}"
    method, suffix = ("DELETE", "") if event == "cancel" else ("POST", f"/{event}")
    response = await house.request(method, path + suffix, "demo")
    assert response.status == status
    if status == 200:
        assert (await response.json())["status"] == result
    else:
        assert (await problem_of(response))["code"] == result
        after = await (await house.request("GET", path)).json()
        assert after["status"] == state


async def test_start_and_end_take_no_fields(house: House) -> None:
    stream = await house.create()
    for body, status in ((b'{"now": true}', 422), (b"[]", 422), (b"{", 400)):
        response = await house.request("POST", f"{STREAMS}/{stream['id']}/start", "demo", data=body)
        assert response.status == status


async def test_lists_are_paged_and_filtered(house: House) -> None:
    for number in range(5):
        await house.create(
            title=f"Show {number}", category="music" if number % 2 else "gaming", tags=[f"t{number}"]
        )
    titles: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = await (await house.request("GET", STREAMS, params=query)).json()
        titles += [stream["title"] for stream in page["streams"]]
        cursor = page["next_cursor"]
    assert titles == [f"Show {n}" for n in (4, 3, 2, 1, 0)]
    for filters, count in (
        ({"category": "music"}, 2),
        ({"tag": "t3"}, 1),
        ({"q": "SHOW 4"}, 1),
        ({"user_id": "demo", "status": "created"}, 5),
        ({"status": "live"}, 0),
        ({"user_id": "eve"}, 0),
    ):
        page = await (await house.request("GET", STREAMS, params=filters)).json()
        assert len(page["streams"]) == count, filters


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "cursor=%00",
        "cursor=W10",
        "cursor=" + "a" * 300,
        "status=on",
        "page=2",
    ],
)
async def test_queries_that_are_refused(house: House, query: str) -> None:
    response = await house.request("GET", f"{STREAMS}?{query}")
    assert (response.status, (await problem_of(response))["code"]) == (422, "invalid")


async def test_if_match(house: House) -> None:
    stream = await house.create()
    path = f"{STREAMS}/{stream['id']}"
    etag = (await house.request("GET", path, "demo")).headers["ETag"]
    for header, title, status in ((etag, "b", 200), (etag, "c", 412), ("*", "d", 200), ("w", "e", 412)):
        response = await house.request(
            "PUT", path, "demo", json={"title": title}, headers={"If-Match": header}
        )
        assert response.status == status


async def test_follows_and_channel_keys(house: House) -> None:
    follow = "/api/v1/users/{}/follow"
    for method, user_id, status in (
        ("PUT", "star", 204),
        ("PUT", "star", 204),
        ("PUT", "a%20b%2Fc", 204),
        ("PUT", "fan", 422),
        ("PUT", "me", 422),
        ("PUT", "x" * 129, 422),
        ("DELETE", "star", 204),
        ("DELETE", "nobody", 204),
    ):
        assert (await house.request(method, follow.format(user_id), "fan")).status == status, user_id
    assert await house.store.follower_count("a b/c") == 1
    key = await (await house.request("GET", "/api/v1/users/me/key", "fan")).json()
    assert await (await house.request("GET", "/api/v1/users/me/key", "fan")).json() == key
    new = await (await house.request("POST", "/api/v1/users/me/key", "fan")).json()
    assert new["rtmp_url"].endswith(f"/live/{new['stream_key']}")
    assert await house.store.user_by_channel_key(new["stream_key"]) == "fan"
    assert await house.store.user_by_channel_key(key["stream_key"]) is None


async def test_addresses_that_do_not_exist(house: House) -> None:
    for method, path, status, code in (
        ("GET", "/nothing", 404, "not_found"),
        ("GET", f"{STREAMS}/", 404, "not_found"),
        ("PATCH", STREAMS, 405, "method_not_allowed"),
        ("DELETE", f"{STREAMS}/live", 405, "method_not_allowed"),
        ("PUT", f"{STREAMS}/eligibility", 405, "method_not_allowed"),
    ):
        response = await house.request(method, path)
        assert (response.status, (await problem_of(response))["code"]) == (status, code)
    assert (await house.request("PATCH", STREAMS)).headers["Allow"] == "GET,HEAD,POST"
    assert (await house.request("DELETE", f"{STREAMS}/live")).headers["Allow"] == "GET,HEAD"
    assert (await house.request("HEAD", f"{STREAMS}/live")).status == 200


async def test_health_and_readiness(house: House) -> None:
    assert (await house.request("GET", "/healthz")).status == 200
    ready = await house.request("GET", "/readyz")
    assert (ready.status, await ready.json()) == (
        200,
        {"ready": True, "checks": {"http": "ok", "rtmp": "ok"}},
    )
    house.faults["rtmp"] = "not listening"
    response = await house.request("GET", "/readyz")
    assert (response.status, response.headers["Retry-After"]) == (503, "1")
    assert (await problem_of(response))["checks"] == {"http": "ok", "rtmp": "not listening"}


async def test_media_is_told(house: House) -> None:
    stream = await house.create()
    house.notes.connected.add(stream["id"])
    response = await house.request("POST", f"{STREAMS}/{stream['id']}/start", "demo")
    body = await response.json()
    assert (body["media"], body["started_at"]) == (
        {"connected": True},
        NOW.isoformat().replace("+00:00", "Z"),
    )


async def test_the_owner_is_told_how_the_signal_arrives(house: House) -> None:
    stream = await house.create()
    path = f"{STREAMS}/{stream['id']}/health"
    response = await house.request("GET", path, "demo")
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    absent = await response.json()
    assert absent["connected"] is False
    assert (absent["video"], absent["fps"], absent["warnings"], absent["rungs"]) == (None, None, [], [])
    assert absent["transcode"] == {
        "speed": None,
        "lag_s": None,
        "cost": None,
        "restarts": 0,
        "skipped_gops": 0,
        "encoders_failed": [],
    }

    house.notes.connected.add(stream["id"])
    present = await (await house.request("GET", path, "demo")).json()
    noon = "2026-05-01T12:00:00Z"
    told = HEALTH | {"since": noon, "last_error": {"at": noon, "message": "the encoder was lost"}}
    assert present == told


async def test_only_the_owner_is_told_the_last_error(house: House) -> None:
    stream = await house.create()
    path = f"{STREAMS}/{stream['id']}"
    assert (await (await house.request("GET", path, "demo")).json())["last_error"] is None
    house.notes.refused[stream["id"]] = "video codec VVC is not supported"
    own = await (await house.request("GET", path, "demo")).json()
    assert own["last_error"] == "video codec VVC is not supported"
    assert own["media"] == {"connected": False}
    for user in (None, "eve"):
        assert "VVC" not in await (await house.request("GET", path, user)).text()
    assert "VVC" not in await (await house.request("GET", STREAMS, "demo")).text()


async def test_a_list_for_everybody_is_made_once_and_never_behind(house: House) -> None:
    """What this server changes is in the next answer; addresses are those of the host that was asked."""
    first, second = await house.create(), await house.create()
    for stream in (first, second):
        await house.request("POST", f"{STREAMS}/{stream['id']}/start", "demo")
        assert stream["id"] in await listed(house)
    await house.store._database.execute("UPDATE live_streams SET title = 'other'")  # another node does
    assert "other" not in await titles(house)
    await house.request("PUT", f"{STREAMS}/{first['id']}", "demo", json={"title": "mine"})
    assert sorted(await titles(house)) == ["mine", "other"]
    await house.request("PUT", f"{STREAMS}/{first['id']}", "demo", json={"is_private": True})
    assert first["id"] not in await listed(house)
    own = await (await house.request("GET", f"{STREAMS}/live", "demo")).json()
    assert {one["id"] for one in own["streams"]} == {first["id"], second["id"]}
    answers = [
        await (await house.request("GET", f"{STREAMS}/live", headers={"Host": f"127.0.0.{n}"})).json()
        for n in (1, 2)
    ]
    assert [answer["streams"][0]["webrtc_url"].split("/")[2] for answer in answers] == [
        "127.0.0.1",
        "127.0.0.2",
    ]


async def test_a_stream_for_everybody_is_shown_once_and_never_behind(house: House) -> None:
    stream = await house.create()
    path = f"{STREAMS}/{stream['id']}"

    async def seen() -> tuple[str, str]:
        response = await house.request("GET", path)
        return response.headers["ETag"], (await response.json())["title"]

    assert await seen() == ('"r1"', "a show")
    await house.store._database.execute("UPDATE live_streams SET title = 'other'")  # another node does
    assert await seen() == ('"r1"', "a show")
    await house.request("PUT", path, "demo", json={"title": "mine"})
    assert await seen() == ('"r2"', "mine")
    await house.request("PUT", path, "demo", json={"is_private": True})
    assert (await house.request("GET", path)).status == 404


async def listed(house: House) -> list[str]:
    page = await (await house.request("GET", f"{STREAMS}/live")).json()
    return [one["id"] for one in page["streams"]]


async def titles(house: House) -> list[str]:
    page = await (await house.request("GET", f"{STREAMS}/live")).json()
    return [one["title"] for one in page["streams"]]
