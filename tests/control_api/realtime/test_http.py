"""The WebSocket of a stream over a real connection, with a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uuid_utils
from aiohttp import ClientWebSocketResponse, WSMsgType

from control_api.chat.store import NewComment
from control_api.postgres.comment_table import CommentTable
from control_api.realtime.conversation import MAX_MESSAGES
from control_api.realtime.happening import Happening
from control_api.token.access import LEEWAY_S
from media.error import CapacityError

from ..conftest import House

NOBODY = "00000000-0000-7000-8000-000000000000"


class Page:
    """A client that has been welcomed."""

    def __init__(self, socket: ClientWebSocketResponse, welcome: dict[str, Any]) -> None:
        self.socket = socket
        self.hello = welcome

    async def next(self, *kinds: str) -> Any:
        """Wait for a message of one of some types, past others; gives its data."""
        async with asyncio.timeout(5):
            while True:
                message = await self.socket.receive_json()
                if message["type"] in kinds:
                    return message["data"]

    async def closed(self) -> int | None:
        """Wait until the server hangs up; gives the close code."""
        async with asyncio.timeout(10):
            while (message := await self.socket.receive()).type is WSMsgType.TEXT:
                pass
        code: int | None = message.data if message.type is WSMsgType.CLOSE else None
        return code

    async def say(self, kind: str, data: object = None, ref: object = "r") -> Any:
        """Say something and give the data of the answer."""
        await self.socket.send_json({"type": kind, "data": data, "ref": ref})
        return await self.next("ack", "error")


@asynccontextmanager
async def page(house: House, stream_id: str, user: str | None = None, **query: str) -> AsyncIterator[Page]:
    if user is not None:
        query["token"] = house.signer.issue(user)
    async with house.client.ws_connect(f"/ws/stream/{stream_id}", params=query) as socket:
        first = await socket.receive_json()
        assert first["type"] == "welcome"
        yield Page(socket, first["data"])


async def closed_with(house: House, path: str, **options: Any) -> int | None:
    async with house.client.ws_connect(path, **options) as socket:
        message = await socket.receive()
        assert message.type is WSMsgType.CLOSE
        code: int = message.data
        return code


@pytest.fixture
async def stream_id(house: House) -> str:
    stream = await house.create()
    await house.request("POST", f"/api/v1/streams/{stream['id']}/start", "demo")
    return str(stream["id"])


async def test_comment_is_acknowledged_and_seen_by_all(house: House, stream_id: str) -> None:
    async with page(house, stream_id, "ann") as ann, page(house, stream_id) as bob:
        await ann.socket.send_json({"type": "comment", "data": {"content": "hello"}, "ref": 7})
        answer = await ann.next("ack")
        seen = await bob.next("comment")
        assert answer == {"ref": 7, "id": seen["id"]}
        assert (seen["content"], seen["user_id"], seen["seq"]) == ("hello", "ann", 1)
        assert set(seen) == {
            "id", "seq", "user_id", "display_name", "content", "created_at", "is_pinned"
        }  # fmt: skip


async def test_both_twins_lead_to_the_same(house: House, stream_id: str) -> None:
    """What is said and done over HTTP reaches sockets, and what is said over sockets is in the list."""
    comments = f"/api/v1/streams/{stream_id}/comments"
    async with page(house, stream_id, "ann") as ann:
        said = await (await house.request("POST", comments, "bob", json={"content": "by HTTP"})).json()
        assert (await ann.next("comment"))["id"] == said["id"]
        mine = (await ann.say("comment", {"content": "by socket"}))["id"]
        await house.request("POST", f"{comments}/{mine}/pin", "demo")
        assert await ann.next("comment_pinned") == {"id": mine, "seq": 4}
        await house.request("POST", f"{comments}/{said['id']}/pin", "demo")
        assert await ann.next("comment_unpinned", "comment_pinned") == {"id": mine, "seq": 5}
        assert await ann.next("comment_pinned") == {"id": said["id"], "seq": 6}
        await house.request("DELETE", f"{comments}/{said['id']}", "demo")
        assert (await ann.next("comment_deleted"))["id"] == said["id"]
        listed = await (await house.request("GET", comments)).json()
        assert [one["id"] for one in listed["comments"]] == [mine]
        await house.request("POST", f"/api/v1/streams/{stream_id}/reactions", "bob", json={"type": "wow"})
        assert await ann.next("reaction") == {"type": "wow", "count": 1, "user_id": "bob"}


async def test_who_comes_is_welcomed_with_what_there_is(house: House, stream_id: str) -> None:
    async with page(house, stream_id, "ann") as ann:
        for text in ("one", "two"):
            last = await ann.say("comment", {"content": text})
    await house.request("POST", f"/api/v1/streams/{stream_id}/comments/{last['id']}/pin", "demo")
    async with page(house, stream_id) as bob:
        assert [one["content"] for one in bob.hello["comments"]] == ["one", "two"]
        assert [one["is_pinned"] for one in bob.hello["comments"]] == [False, True]
        assert bob.hello["pinned"]["id"] == last["id"]
        assert (bob.hello["status"], bob.hello["gap"]) == ("live", False)


async def test_who_comes_back_misses_nothing_and_sees_nothing_twice(house: House, stream_id: str) -> None:
    async with page(house, stream_id, "ann") as ann:
        first = (await ann.say("comment", {"content": "one"}))["id"]
        async with page(house, stream_id) as bob:
            seen = bob.hello["seq"]
        await ann.say("comment", {"content": "two"})
        await house.request("DELETE", f"/api/v1/streams/{stream_id}/comments/{first}", "demo")
        await ann.next("comment_deleted")
        async with page(house, stream_id, since=str(seen)) as bob:
            assert [one["content"] for one in bob.hello["comments"]] == ["two"]
            assert bob.hello["gap"] is False
            assert (await bob.next("comment_deleted"))["id"] == first
        async with page(house, stream_id, since="3") as bob:
            assert bob.hello["comments"] == []


async def test_who_comes_back_to_a_room_that_was_closed_is_told_what_is_stored(
    house: House, stream_id: str
) -> None:
    async with page(house, stream_id, "ann") as ann:
        said = [(await ann.say("comment", {"content": str(number)}))["id"] for number in range(4)]
    comments = f"/api/v1/streams/{stream_id}/comments"
    await house.request("DELETE", f"{comments}/{said[0]}", "demo")
    await house.request("DELETE", f"{comments}/{said[2]}", "demo")
    await house.request("POST", f"{comments}/{said[3]}/pin", "demo")
    async with page(house, stream_id, since="1") as bob:
        assert [one["content"] for one in bob.hello["comments"]] == ["1", "3"]
        assert bob.hello["gap"] is False
        assert (await bob.next("comment_deleted"))["id"] == said[0]
        assert (await bob.next("comment_pinned"))["id"] == said[3]
    async with page(house, stream_id, since="999") as bob:
        assert bob.hello["gap"] is True, "nobody has seen that"


async def test_what_the_bus_has_lost_is_read_from_the_database(house: House, stream_id: str) -> None:
    async with page(house, stream_id, "ann") as ann:
        await ann.say("comment", {"content": "before"})
        lost = NewComment(
            id=str(uuid_utils.uuid7()), stream_id=stream_id, user_id="bob", display_name="bob", content="lost"
        )
        await CommentTable(house.plane.database).add([lost])
        assert house.plane.hub._bus.on_gap is not None
        house.plane.hub._bus.on_gap(f"stream:{stream_id}")
        assert (await ann.next("comment"))["content"] == "before"
        assert (await ann.next("comment"))["content"] == "lost"
        await ann.say("comment", {"content": "after"})
        assert (await ann.next("comment"))["content"] == "after"


async def test_the_end_is_told_and_nothing_can_be_said_afterwards(house: House, stream_id: str) -> None:
    async with page(house, stream_id, "ann") as ann:
        await house.request("POST", f"/api/v1/streams/{stream_id}/end", "demo")
        assert await ann.next("stream_status") == {"status": "ended"}
        assert (await ann.say("comment", {"content": "late"}))["code"] == "not_live"
    async with page(house, stream_id) as bob:
        assert bob.hello["status"] == "ended"


async def test_before_the_start_the_socket_waits_for_it(house: House) -> None:
    stream = await house.create()
    async with page(house, stream["id"]) as ann:
        assert ann.hello["status"] == "created"
        await house.request("POST", f"/api/v1/streams/{stream['id']}/start", "demo")
        assert await ann.next("stream_status") == {"status": "live"}


async def test_viewers_are_counted_by_their_sockets(house: House, stream_id: str) -> None:
    async with page(house, stream_id, "ann") as ann:
        assert ann.hello["viewer_count"] == 1
        assert ann.hello["viewer_id"] == "ann"
        async with page(house, stream_id) as bob, page(house, stream_id, "ann"):
            assert await ann.next("viewer_update") == {"viewer_count": 2}
            assert bob.hello["viewer_id"].startswith("anon-")
            async with page(house, stream_id, viewer_id=bob.hello["viewer_id"]) as again:
                assert again.hello["viewer_count"] == 2, "tabs of one viewer"
        assert await ann.next("viewer_update") == {"viewer_count": 1}
        async with page(house, stream_id, "demo") as owner:
            assert owner.hello["viewer_count"] == 1, "the owner is not counted"


async def test_viewers_over_http_are_told_to_sockets(house: House, stream_id: str) -> None:
    async with page(house, stream_id, "ann") as ann:
        await house.request("POST", f"/api/v1/streams/{stream_id}/join", "bob")
        assert await ann.next("viewer_update") == {"viewer_count": 2}
        await house.request("POST", f"/api/v1/streams/{stream_id}/leave", "bob")
        assert await ann.next("viewer_update") == {"viewer_count": 1}


async def test_the_owner_sees_how_it_goes(house: House, stream_id: str) -> None:
    async with page(house, stream_id, "demo") as owner, page(house, stream_id, "ann") as ann:
        house.clock.now += 10
        await house.attendance.analytics.take_snapshots()
        point = await owner.next("analytics")
        assert point["viewer_count"] == 1
        await ann.socket.send_str('{"type":"ping"}')
        assert await ann.next("analytics", "ack") == {"ref": None, "id": None}, "it is not for everybody"


async def test_errors_are_told_and_the_socket_stays(house: House, stream_id: str) -> None:
    house.rules.banned.add(("demo", "eve"))
    house.rules.refused["spam"] = CapacityError("Comments cannot be stored at the moment.")  # type: ignore[assignment]
    async with page(house, stream_id, "ann") as ann, page(house, stream_id) as nobody:
        assert (await nobody.say("comment", {"content": "hi"}))["code"] == "unauthorized"
        assert (await nobody.say("reaction", {"type": "fire"}))["code"] == "unauthorized"
        assert (await ann.say("poem"))["code"] == "invalid"
        assert (await ann.say("comment", {"content": "x" * 501}))["code"] == "invalid"
        assert await ann.say("comment", {"content": "spam"}, "s") == {
            "ref": "s",
            "code": "unavailable",
            "message": "The chat is read-only at the moment. Comments cannot be stored at the moment.",
        }  # fmt: skip
        await ann.socket.send_bytes(b"\0")
        assert (await ann.next("error"))["code"] == "bad_request"
        await ann.socket.send_str("{")
        assert (await ann.next("error"))["code"] == "bad_request"
        assert await ann.say("ping", ref=1) == {"ref": 1, "id": None}
        for _ in range(5):
            await ann.say("comment", {"content": "again"})
        limited = await ann.say("comment", {"content": "again"})
        assert limited["code"] == "rate_limited"
        assert limited["retry_after_s"] > 0
    async with page(house, stream_id, "eve") as eve:
        assert (await eve.say("reaction", {"type": "fire"}))["code"] == "banned"


@pytest.mark.parametrize(
    ("path", "options", "code"),
    [
        (f"/ws/stream/{NOBODY}", {}, 4404),
        ("/ws/stream/nonsense", {}, 4404),
        (f"/ws/stream/{NOBODY}", {"params": {"token": "forged"}}, 4401),
        (f"/ws/stream/{NOBODY}", {"headers": {"Authorization": "Bearer forged"}}, 4401),
    ],
    ids=["no stream", "no id", "bad token in the query", "bad token in the header"],
)
async def test_refused(house: House, path: str, options: dict[str, Any], code: int) -> None:
    assert await closed_with(house, path, **options) == code


async def test_private_stream_is_for_its_followers(house: House) -> None:
    stream = await house.create(is_private=True)
    path = f"/ws/stream/{stream['id']}"
    assert await closed_with(house, path) == 4404
    assert await closed_with(house, path, params={"token": house.signer.issue("eve")}) == 4404
    async with page(house, stream["id"], "demo") as owner:
        assert owner.hello["status"] == "created"
    await house.request("PUT", "/api/v1/users/demo/follow", "fan")
    async with page(house, stream["id"], "fan") as fan:
        assert fan.hello["comments"] == []


async def test_who_may_not_see_it_any_more_is_hung_up_on(house: House, stream_id: str) -> None:
    await house.request("PUT", "/api/v1/users/demo/follow", "fan")
    async with page(house, stream_id) as ann, page(house, stream_id, "fan") as fan:
        await house.request("PUT", f"/api/v1/streams/{stream_id}", "demo", json={"is_private": True})
        assert await ann.closed() == 4403
        assert (await fan.say("comment", {"content": "still here"}))["id"]


async def test_socket_ends_with_its_token(house: House, stream_id: str) -> None:
    token = house.signer.issue("ann", ttl_s=2 - LEEWAY_S)
    async with house.client.ws_connect(f"/ws/stream/{stream_id}", params={"token": token}) as socket:
        assert (await socket.receive_json())["type"] == "welcome"
        assert await Page(socket, {}).closed() == 4401


async def test_no_websocket_is_a_bad_request(house: House, stream_id: str) -> None:
    response = await house.request("GET", f"/ws/stream/{stream_id}")
    assert response.status == 400


async def test_too_much_is_closed_with_1009(house: House, stream_id: str) -> None:
    async with page(house, stream_id, "ann") as ann:
        await ann.socket.send_str("x" * 1_000_000)
        assert await ann.closed() == 1009


async def test_flood_of_one_is_read_slowly_and_hurts_nobody(house: House, stream_id: str) -> None:
    async with page(house, stream_id, "ann") as ann, page(house, stream_id, "bob") as bob:
        for _ in range(2 * MAX_MESSAGES):
            await ann.socket.send_str('{"type":"ping"}')
        for _ in range(MAX_MESSAGES):
            await ann.next("ack")
        assert (await ann.next("error"))["code"] == "rate_limited"
        assert (await bob.say("comment", {"content": "hi"}))["id"]
        assert await ann.closed() == 1013, "whoever goes on is hung up on"


async def test_who_does_not_read_is_hung_up_on_and_the_others_hear_everything(
    house: House, stream_id: str
) -> None:
    async with page(house, stream_id) as ann, page(house, stream_id) as slow:
        connection = slow.socket._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.pause_reading()
        bus, topic = house.plane.hub._bus, f"stream:{stream_id}"
        traffic = house.plane.hub.traffic
        for seq in range(1, 10_000):
            data = {"id": str(seq), "seq": seq, "content": "x" * 500}
            bus.publish(topic, Happening("comment", data).serialize())
            if seq % 50 == 0:
                while (await ann.next("comment"))["seq"] < seq:
                    pass
            if traffic.slow:
                break
        assert traffic.slow == 1
        connection.transport.resume_reading()
        assert await slow.closed() == 1013


async def test_a_fault_of_the_server_closes_the_socket_with_1011(
    house: House, stream_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    async with page(house, stream_id, "ann") as ann:
        monkeypatch.setattr(house.chat, "comment", fail)
        await ann.socket.send_json({"type": "comment", "data": {"content": "x"}})
        assert await ann.closed() == 1011


async def test_server_that_stops_says_so(house: House, stream_id: str) -> None:
    async with page(house, stream_id) as ann:
        house.plane.hub.close()
        assert await ann.closed() == 1001
    assert await closed_with(house, f"/ws/stream/{stream_id}") == 1013


async def test_nothing_is_left_of_streams_that_nobody_watches(house: House, stream_id: str) -> None:
    async with page(house, stream_id):
        assert house.plane.hub.traffic.sockets == 1
    async with page(house, (await house.create())["id"]):
        assert house.plane.hub.traffic.sockets == 1
        assert stream_id not in house.plane.hub._channels
