"""Viewers over HTTP: who is let in, what they get, and what everybody sees of them."""

from __future__ import annotations

from typing import Any

import pytest

from control_api.stream.playback import PlaybackSigner
from control_api.viewer.presence import EXPIRY_S

from ..conftest import SECRET, House

STREAMS = "/api/v1/streams"


async def go_live(house: House, **fields: Any) -> dict[str, Any]:
    stream = await house.create(**fields)
    response = await house.request("POST", f"{STREAMS}/{stream['id']}/start", "demo")
    assert response.status == 200
    return stream


async def post(house: House, stream: dict[str, Any], what: str, user: str | None = None, **body: Any) -> Any:
    response = await house.request("POST", f"{STREAMS}/{stream['id']}/{what}", user, json=body)
    assert response.status == 200, await response.text()
    return await response.json()


async def figures(house: House, stream: dict[str, Any]) -> tuple[int, int, int]:
    response = await house.request("GET", f"{STREAMS}/{stream['id']}/viewers")
    assert response.status == 200
    answer = await response.json()
    assert answer.keys() == {"viewer_count", "peak_viewers", "unique_viewers"}
    return answer["viewer_count"], answer["peak_viewers"], answer["unique_viewers"]


async def refusal(house: House, method: str, path: str, user: str | None = None, **options: Any) -> Any:
    response = await house.request(method, f"{STREAMS}/{path}", user, **options)
    assert response.content_type == "application/problem+json"
    return response.status, (await response.json())["code"]


async def test_join_and_leave(house: House) -> None:
    stream = await go_live(house)
    joined = await house.request("POST", f"{STREAMS}/{stream['id']}/join", "alice")
    assert joined.status == 200
    assert joined.headers["Cache-Control"] == "no-store"
    answer = await joined.json()
    assert (answer["viewer_id"], answer["viewer_count"]) == ("alice", 1)
    assert await figures(house, stream) == (1, 1, 1)
    guest = await post(house, stream, "join")
    assert guest["viewer_id"].startswith("anon-")
    assert guest["viewer_count"] == 2
    assert await figures(house, stream) == (2, 2, 2)
    again = await post(house, stream, "join", viewer_id=guest["viewer_id"])
    assert (again["viewer_id"], again["viewer_count"]) == (guest["viewer_id"], 2)
    assert await post(house, stream, "leave", viewer_id=guest["viewer_id"]) == {"viewer_count": 1}
    assert await post(house, stream, "leave", viewer_id=guest["viewer_id"]) == {"viewer_count": 1}
    assert await post(house, stream, "leave", "alice", viewer_id="alice") == {"viewer_count": 0}
    assert await post(house, stream, "leave", "alice") == {"viewer_count": 0}
    assert await figures(house, stream) == (0, 2, 2)


async def test_playback_names_the_viewer(house: House) -> None:
    stream = await go_live(house)
    salt = (await house.service.get(stream["id"])).playback_salt
    for user in (None, "alice"):
        answer = await post(house, stream, "join", user)
        playback = answer["playback"]
        base = str(house.client.make_url("")).rstrip("/")
        token = playback["token"]
        assert playback == {
            "hls_url": f"{base}/hls/{stream['id']}/~{token}/master.m3u8",
            "webrtc_url": f"{base}/webrtc/{stream['id']}/~{token}",
            "token": token,
        }
        named = PlaybackSigner(SECRET).verify(stream["id"], salt, token, house.clock.now)
        assert named == answer["viewer_id"]
        house.clock.now += 3600
        renewed = (await post(house, stream, "join", user, viewer_id=answer["viewer_id"]))["playback"][
            "token"
        ]
        assert renewed != token


async def test_heartbeats_keep_a_viewer_present(house: House) -> None:
    stream = await go_live(house)
    guest = await post(house, stream, "join")
    await post(house, stream, "join", "alice")
    for _ in range(3):
        house.clock.now += EXPIRY_S - 1
        await post(house, stream, "join", viewer_id=guest["viewer_id"])
    assert await figures(house, stream) == (1, 2, 2)


async def test_a_forged_id_is_not_taken(house: House) -> None:
    stream = await go_live(house)
    guest = await post(house, stream, "join")
    for forged in ("anon-made-up", "alice", guest["viewer_id"][:-1] + "!"):
        answer = await post(house, stream, "join", viewer_id=forged)
        assert answer["viewer_id"] not in (forged, guest["viewer_id"])
    assert await figures(house, stream) == (4, 4, 4)


async def test_nobody_makes_another_leave(house: House) -> None:
    stream = await go_live(house)
    await post(house, stream, "join", "alice")
    path = f"{stream['id']}/leave"
    assert await refusal(house, "POST", path, "bob", json={"viewer_id": "alice"}) == (403, "forbidden")
    assert await refusal(house, "POST", path, json={"viewer_id": "alice"}) == (403, "forbidden")
    assert await refusal(house, "POST", path, json={"viewer_id": "user:alice"}) == (403, "forbidden")
    assert await refusal(house, "POST", path) == (401, "unauthorized")
    assert await post(house, stream, "leave", "bob") == {"viewer_count": 1}


async def test_the_owner_does_not_count(house: House) -> None:
    stream = await go_live(house)
    answer = await post(house, stream, "join", "demo")
    assert (answer["viewer_id"], answer["viewer_count"]) == ("demo", 0)
    assert await figures(house, stream) == (0, 0, 0)


async def test_only_live_streams_are_joined(house: House) -> None:
    stream = await house.create()
    path = f"{stream['id']}/join"
    assert await refusal(house, "POST", path, "alice") == (409, "not_live")
    assert await figures(house, stream) == (0, 0, 0)
    await house.request("POST", f"{STREAMS}/{stream['id']}/start", "demo")
    await post(house, stream, "join", "alice")
    await house.request("POST", f"{STREAMS}/{stream['id']}/end", "demo")
    assert await refusal(house, "POST", path, "alice") == (409, "already_ended")
    assert await post(house, stream, "leave", "alice") == {"viewer_count": 0}
    assert await figures(house, stream) == (0, 1, 1)


@pytest.mark.parametrize(("method", "what"), [("POST", "join"), ("POST", "leave"), ("GET", "viewers")])
async def test_private_streams_are_for_those_who_may_see_them(house: House, method: str, what: str) -> None:
    stream = await go_live(house, is_private=True)
    path = f"{stream['id']}/{what}"
    body: dict[str, Any] = {} if what == "viewers" else {"json": {"viewer_id": "x"}}
    assert await refusal(house, method, path, "stranger", **body) == (404, "not_found")
    assert await refusal(house, method, path, **body) == (404, "not_found")
    assert (await house.request("PUT", "/api/v1/users/demo/follow", "fan")).status == 204
    for user, is_admin in (("fan", False), ("root", True), ("demo", False)):
        response = await house.request(method, f"{STREAMS}/{path}", user, admin=is_admin)
        assert response.status == 200, user


@pytest.mark.parametrize("what", ["join", "leave"])
async def test_bodies(house: House, what: str) -> None:
    stream = await go_live(house)
    path = f"{stream['id']}/{what}"
    bad: list[Any] = [{"viewer_id": 7}, {"viewer_id": ""}, {"viewer_id": "x" * 161}, {"user_id": "bob"}, []]
    for body in bad:
        assert await refusal(house, "POST", path, "alice", json=body) == (422, "invalid"), body
    assert await refusal(house, "POST", path, "alice", data=b"{") == (400, "no_json")
    for nowhere in ("nonsense", "01890000-0000-7000-8000-000000000100"):
        assert await refusal(house, "POST", f"{nowhere}/{what}", "alice") == (404, "not_found")


async def test_a_stream_shows_who_watches_now(house: House) -> None:
    stream = await go_live(house)
    await post(house, stream, "join", "alice")
    shown = await (await house.request("GET", f"{STREAMS}/{stream['id']}")).json()
    assert (shown["viewer_count"], shown["peak_viewers"], shown["unique_viewers"]) == (1, 1, 1)
    ended = await (await house.request("POST", f"{STREAMS}/{stream['id']}/end", "demo")).json()
    assert (ended["viewer_count"], ended["peak_viewers"], ended["unique_viewers"]) == (0, 1, 1)


async def test_the_most_watched_come_first(house: House) -> None:
    first, second = await go_live(house), await go_live(house)
    await post(house, first, "join", "alice")
    await house.attendance.viewers.store_all()
    listed = await (await house.request("GET", f"{STREAMS}/live", "alice")).json()
    found = [(stream["id"], stream["viewer_count"]) for stream in listed["streams"]]
    assert found == [(first["id"], 1), (second["id"], 0)]
