from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient

from webrtc import whep_resource
from webrtc.http_answer import MAX_BODY
from webrtc.ice_server import IceServer
from webrtc.sdp.fragment import parse_fragment
from webrtc.sdp.reader import parse_offer
from webrtc.whep import routes
from webrtc.whep_session import MAX_CHANNELS, MAX_READERS

from .sdp.offer import ICE, load
from .whep_house import House, MemoryGateway

Client = TestClient[web.Request, web.Application]
ClientMaker = Callable[[web.Application], Awaitable[Client]]

OFFER = load("chromium-recv")
UFRAG, PWD = parse_offer(OFFER).ice
SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
ANSWER = load("firefox-recv").replace("a=setup:actpass", "a=setup:active")

TRICKLE = (
    f"a=ice-ufrag:{UFRAG}\r\na=ice-pwd:{PWD}\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n"
    "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n"
)
RESTART = TRICKLE.replace(UFRAG, "next")

SERVERS = (
    IceServer(("stun:stun.example.org:3478",)),
    IceServer(("turn:turn.example.org:3478?transport=udp",), 'a"user', "secret"),
)


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def gateway() -> MemoryGateway:
    return MemoryGateway()


@pytest.fixture
async def client(aiohttp_client: ClientMaker, house: House, gateway: MemoryGateway) -> Client:
    application = web.Application()
    application.add_routes(routes(gateway, house, house, ice_servers=lambda: SERVERS, clock=lambda: 0.0))
    return await aiohttp_client(application)


async def watch(client: Client, stream_id: str = "live", offer: str = OFFER) -> ClientResponse:
    return await client.post(f"/webrtc/{stream_id}", data=offer, headers=SDP)


async def problem(response: ClientResponse, status: int, code: str) -> dict[str, Any]:
    assert response.status == status, await response.text()
    assert response.content_type == "application/problem+json"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    body: dict[str, Any] = await response.json()
    assert (body["status"], body["code"]) == (status, code)
    return body


async def test_an_offer_is_answered(client: Client, house: House) -> None:
    response = await watch(client)
    assert response.status == 201
    assert response.headers["Content-Type"] == "application/sdp"
    assert response.headers["ETag"] == '"ice0"'
    assert response.headers["Location"].startswith("/webrtc/live/session/")
    assert len(response.headers["Location"].rpartition("/")[2]) >= 32
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    for name in ("Location", "ETag", "Link", "Retry-After"):
        assert name in response.headers["Access-Control-Expose-Headers"]
    assert "a=sendonly" in await response.text()
    assert house.present == [None]


async def test_links(client: Client) -> None:
    response = await watch(client)
    path = response.headers["Location"]
    assert response.headers.getall("Link") == [
        '<stun:stun.example.org:3478>; rel="ice-server"',
        '<turn:turn.example.org:3478?transport=udp>; rel="ice-server"; username="a\\"user"; '
        'credential="secret"; credential-type="password"',
        f'<{path}/layer>; rel="urn:ietf:params:whep:ext:core:layer"',
        f'<{path}/events>; rel="urn:ietf:params:whep:ext:core:server-sent-events"; '
        'events="active,inactive,layers"',
    ]


REFUSED = [
    ("empty", "live", "", SDP, (400, "bad_request")),
    ("malformed", "live", "v=0\r\nhello", SDP, (400, "bad_request")),
    ("no-utf-8", "live", OFFER.encode("utf-16"), SDP, (400, "bad_request")),
    ("json", "live", OFFER, {"Content-Type": "application/json"}, (415, "unsupported_media_type")),
    ("text", "live", OFFER, {"Content-Type": "text/plain"}, (415, "unsupported_media_type")),
    ("long", "live", OFFER + "a=" + "x" * MAX_BODY, SDP, (413, "too_large")),
    ("unknown", "unknown", OFFER, SDP, (404, "not_found")),
    ("private", "private", OFFER, SDP, (404, "not_found")),
    ("bad-bearer", "private", OFFER, SDP | {"Authorization": "Bearer wrong"}, (404, "not_found")),
    ("bad-token", "private/~wrong", OFFER, SDP, (404, "not_found")),
    ("anonymous", "members", OFFER, SDP, (401, "unauthorized")),
    ("not-live", "created", OFFER, SDP, (409, "not_live")),
    ("malformed-first", "created", "nonsense", SDP, (400, "bad_request")),
]


@pytest.mark.parametrize("case", [item[1:] for item in REFUSED], ids=[item[0] for item in REFUSED])
async def test_refusals(client: Client, case: Any) -> None:
    stream_id, offer, headers, expected = case
    await problem(await client.post(f"/webrtc/{stream_id}", data=offer, headers=headers), *expected)


async def test_not_live_says_when_to_come_back(client: Client) -> None:
    assert (await watch(client, "created")).headers["Retry-After"] == "2"


async def test_a_full_house_says_when_to_come_back(client: Client, gateway: MemoryGateway) -> None:
    gateway.is_full = True
    response = await watch(client)
    await problem(response, 503, "overloaded")
    assert response.headers["Retry-After"] == "4"


@pytest.mark.parametrize("way", ["path", "header"])
async def test_private_streams(client: Client, house: House, way: str) -> None:
    path = "/webrtc/private/~secret" if way == "path" else "/webrtc/private"
    headers = SDP if way == "path" else SDP | {"Authorization": "bearer secret"}
    response = await client.post(path, data=OFFER, headers=headers)
    assert response.status == 201
    assert "secret" not in response.headers["Location"]
    assert house.present == ["secret"]


async def test_a_slash_too_many_is_redirected(client: Client) -> None:
    response = await client.post("/webrtc/live/?x=1", data=OFFER, headers=SDP, allow_redirects=False)
    assert response.status == 307
    assert response.headers["Location"] == "/webrtc/live?x=1"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert (await client.post("/webrtc/live/", data=OFFER, headers=SDP)).status == 201
    assert (await client.options("/webrtc/live/", allow_redirects=False)).status == 200


async def test_preflight(client: Client) -> None:
    response = await client.options("/webrtc/live")
    assert response.status == 200
    assert response.headers["Accept-Post"] == "application/sdp"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    assert "If-Match" in response.headers["Access-Control-Allow-Headers"]
    assert response.headers.getall("Link")[0] == '<stun:stun.example.org:3478>; rel="ice-server"'
    assert "secret" not in str(response.headers)
    response = await client.options("/webrtc/live/session/any")
    assert response.status == 200
    assert "application/trickle-ice-sdpfrag" in response.headers["Accept-Patch"]
    assert (await client.options("/webrtc/any/thing/else/here")).status == 200


async def test_get_and_head_show_nothing(client: Client) -> None:
    session = (await watch(client)).headers["Location"]
    for path in ("/webrtc/live", session):
        for method in ("GET", "HEAD"):
            response = await client.request(method, path)
            assert response.status == 200
            assert response.headers["Content-Type"] == "application/sdp"
            assert await response.read() == b""
    await problem(await client.get("/webrtc/unknown"), 404, "not_found")
    await problem(await client.get("/webrtc/live/session/unknown"), 404, "not_found")


async def test_other_methods_and_addresses(client: Client) -> None:
    response = await client.put("/webrtc/live", data=OFFER, headers=SDP)
    await problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "OPTIONS, GET, HEAD, POST"
    await problem(await client.get("/webrtc/live/what/is/this"), 404, "not_found")


async def test_a_session_ends(client: Client, house: House, gateway: MemoryGateway) -> None:
    session = (await watch(client)).headers["Location"]
    await problem(await client.delete(session.replace("/live/", "/private/")), 404, "not_found")
    response = await client.delete(session, headers={"If-Match": '"old"'})
    assert response.status == 200
    assert not gateway.sessions
    assert not house.present
    await problem(await client.delete(session), 404, "not_found")


async def test_a_session_that_ended_by_itself_is_gone(
    client: Client, house: House, gateway: MemoryGateway
) -> None:
    session = (await watch(client)).headers["Location"]
    gateway.lose(next(iter(gateway.sessions)))
    assert not house.present
    await problem(await client.get(session), 404, "not_found")


async def test_who_cannot_be_counted_gets_no_session(
    client: Client, house: House, gateway: MemoryGateway
) -> None:
    house.is_closing = True
    await problem(await watch(client), 503, "overloaded")
    assert not gateway.sessions


async def test_a_session_that_ends_at_once_leaves_nobody_present(
    client: Client, house: House, gateway: MemoryGateway
) -> None:
    house.on_attend = lambda: gateway.lose(next(iter(gateway.sessions)))
    response = await watch(client)
    assert not house.present
    await problem(await client.get(response.headers["Location"]), 404, "not_found")


@pytest.mark.parametrize("tag", ['"ice0"', "*", '"*"', '"other", "ice0"'])
async def test_candidates_are_taken(client: Client, tag: str) -> None:
    session = (await watch(client)).headers["Location"]
    response = await client.patch(session, data=TRICKLE, headers=FRAGMENT | {"If-Match": tag})
    assert response.status == 204
    assert "ETag" not in response.headers
    assert await response.read() == b""


@pytest.mark.parametrize("tag", ['"ice0"', "*", '"*"'])
async def test_ice_is_restarted(client: Client, tag: str) -> None:
    session = (await watch(client)).headers["Location"]
    response = await client.patch(session, data=RESTART, headers=FRAGMENT | {"If-Match": tag})
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/trickle-ice-sdpfrag"
    assert response.headers["ETag"] == '"ice1"'
    assert parse_fragment(await response.text()).ice == ICE
    # What follows belongs to the new ICE session; the old tag is outdated, and so are the old credentials.
    for text, old, status in ((RESTART, '"ice1"', 204), (RESTART, '"ice0"', 412), (TRICKLE, '"ice0"', 412)):
        response = await client.patch(session, data=text, headers=FRAGMENT | {"If-Match": old})
        assert response.status == status


async def test_a_restart_that_fails_changes_nothing(client: Client) -> None:
    session = (await watch(client)).headers["Location"]
    text = TRICKLE.replace(UFRAG, "late")
    response = await client.patch(session, data=text, headers=FRAGMENT | {"If-Match": "*"})
    await problem(response, 400, "bad_request")
    response = await client.patch(session, data=TRICKLE, headers=FRAGMENT | {"If-Match": '"ice0"'})
    assert response.status == 204


@pytest.mark.parametrize(
    ("text", "headers", "status", "code"),
    [
        (TRICKLE, FRAGMENT, 428, "precondition_required"),
        (RESTART, FRAGMENT, 428, "precondition_required"),
        (TRICKLE, FRAGMENT | {"If-Match": '"ice9"'}, 412, "precondition_failed"),
        (RESTART, FRAGMENT | {"If-Match": 'W/"ice0"'}, 412, "precondition_failed"),
        ("hello", FRAGMENT | {"If-Match": "*"}, 400, "bad_request"),
        (TRICKLE, {"Content-Type": "text/plain", "If-Match": "*"}, 415, "unsupported_media_type"),
        (ANSWER, SDP, 409, "wrong_state"),
    ],
    ids=["none", "none-restart", "wrong", "weak", "malformed", "type", "answer"],
)
async def test_patches_that_are_refused(
    client: Client, text: str, headers: dict[str, str], status: int, code: str
) -> None:
    session = (await watch(client)).headers["Location"]
    await problem(await client.patch(session, data=text, headers=headers), status, code)


async def counter_offer(client: Client) -> str:
    response = await watch(client, offer=load("chromium-noh264"))
    assert response.status == 406
    assert response.headers["Content-Type"] == "application/sdp"
    assert parse_offer(await response.text()).setup == "actpass"
    return response.headers["Location"]


async def test_a_counter_offer_is_answered(client: Client, house: House) -> None:
    session = await counter_offer(client)
    assert not house.present
    await problem(await client.patch(session, data=TRICKLE, headers=FRAGMENT), 409, "wrong_state")
    await problem(await client.patch(session, data=OFFER, headers=SDP), 400, "bad_request")
    response = await client.patch(session, data=ANSWER, headers=SDP)
    assert response.status == 204
    assert house.present == [None]
    await problem(await client.patch(session, data=ANSWER, headers=SDP), 409, "wrong_state")
    tag = {"If-Match": response.headers["ETag"]}
    trickle = f"a=ice-ufrag:{parse_offer(load('firefox-recv')).ice.ufrag}\n"
    trickle += f"a=ice-pwd:{parse_offer(load('firefox-recv')).ice.pwd}\n"
    assert (await client.patch(session, data=trickle, headers=FRAGMENT | tag)).status == 204


async def test_a_counter_offer_expires(
    client: Client, gateway: MemoryGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whep_resource, "COUNTER_OFFER_S", 0)
    session = await counter_offer(client)
    await asyncio.sleep(0)  # the timer is due by now
    await problem(await client.patch(session, data=ANSWER, headers=SDP), 404, "not_found")
    assert not gateway.sessions


async def test_layers(client: Client, gateway: MemoryGateway) -> None:
    path = (await watch(client)).headers["Location"] + "/layer"
    shown = await (await client.get(path)).json()
    assert (shown["active"], shown["chosen"]) == (None, None)
    assert [(layer["encodingId"], layer["height"], layer["bitrate"]) for layer in shown["layers"]] == [
        ("720p", 720, 2_500_000),
        ("360p", 360, 0),
    ]
    for body, chosen in (
        ({"encodingId": "360p"}, "360p"),
        ({"mediaId": "0", "rid": "720p"}, "720p"),
        ({"encodingId": None}, None),
        ({"rid": "360p"}, "360p"),
        ({"mediaId": "0"}, None),
    ):
        response = await client.post(path, json=body)
        assert response.status == 200
        assert (await response.json())["chosen"] == chosen
    await client.post(path, json={"encodingId": "360p"})
    assert (await (await client.delete(path)).json())["chosen"] is None


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ('{"encodingId": "999p"}', 404, "not_found"),
        ('{"encodingId": 5}', 422, "invalid"),
        ('{"maxHeight": 5}', 422, "invalid"),
        ("[]", 422, "invalid"),
        ("", 422, "invalid"),
        ("{", 400, "no_json"),
        ("[" * 60_000, 400, "no_json"),
    ],
    ids=["unknown", "number", "unsupported", "list", "none", "broken", "deep"],
)
async def test_layers_that_cannot_be_chosen(client: Client, body: str, status: int, code: str) -> None:
    path = (await watch(client)).headers["Location"] + "/layer"
    response = await client.post(path, data=body, headers={"Content-Type": "application/json"})
    await problem(response, status, code)


async def next_event(response: ClientResponse) -> tuple[str, Any]:
    """Read until an event comes; comments are passed over."""
    name = ""
    while line := (await response.content.readline()).decode().rstrip("\n"):
        if line.startswith("event: "):
            name = line[7:]
        if line.startswith("data: "):
            await response.content.readline()
            return name, json.loads(line[6:])
    return "", None


async def test_events(client: Client, house: House, gateway: MemoryGateway) -> None:
    session = (await watch(client)).headers["Location"]
    response = await client.get(f"{session}/events")
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert await next_event(response) == ("active", {})
    name, data = await next_event(response)
    assert name == "layers"
    assert [layer["rid"] for layer in data["0"]] == ["720p", "360p"]
    assert (data["active"], data["chosen"]) == (None, None)
    await client.post(f"{session}/layer", json={"encodingId": "360p"})
    name, data = await next_event(response)
    assert (name, data["active"], data["chosen"]) == ("layers", "360p", "360p")
    house.is_live = False
    next(iter(gateway.sessions.values())).on_change()
    assert await next_event(response) == ("inactive", {})
    gateway.lose(next(iter(gateway.sessions)))
    assert await response.read() == b""


async def test_the_index_of_the_pictures_is_that_of_their_section(client: Client) -> None:
    session = (await watch(client, offer=load("safari-recv"))).headers["Location"]
    response = await client.get(f"{session}/events")
    await next_event(response)
    assert "1" in (await next_event(response))[1]


@pytest.mark.parametrize("body", [["layers"], {"events": ["layers", "viewercount"]}], ids=["draft", "object"])
async def test_event_streams_are_made_and_ended(client: Client, body: Any) -> None:
    session = (await watch(client)).headers["Location"]
    made = await client.post(f"{session}/events", json=body)
    assert made.status == 201
    stream = made.headers["Location"]
    response = await client.get(stream)
    assert (await next_event(response))[0] == "layers"
    assert (await client.delete(stream)).status == 200
    assert await response.read() == b""
    await problem(await client.get(stream), 404, "not_found")
    await problem(await client.delete(stream), 404, "not_found")


async def test_event_streams_are_bounded(client: Client) -> None:
    session = (await watch(client)).headers["Location"]
    for _ in range(MAX_CHANNELS):
        assert (await client.post(f"{session}/events")).status == 201
    await problem(await client.post(f"{session}/events"), 409, "too_many")
    await problem(await client.post(f"{session}/events", json="x"), 422, "invalid")
    readers = [await client.get(f"{session}/events") for _ in range(MAX_READERS + 1)]
    await next_event(readers[0])
    await next_event(readers[0])
    assert await readers[0].content.read() == b""  # the oldest had to go
    assert (await next_event(readers[-1]))[0] == "active"
    head = await client.head(f"{session}/events")
    assert head.status == 200
    await client.delete(session)


async def test_too_many_requests(aiohttp_client: ClientMaker, house: House, gateway: MemoryGateway) -> None:
    @web.middleware
    async def from_afar(request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse = await handler(request.clone(remote="8.8.8.8"))
        return response

    application = web.Application(middlewares=[from_afar])
    application.add_routes(routes(gateway, house, house, clock=lambda: 0.0))
    client = await aiohttp_client(application)
    for _ in range(whep_resource.REQUESTS_AT_ONCE):
        assert (await client.delete("/webrtc/live/session/x")).status == 404
    response = await watch(client)
    await problem(response, 429, "rate_limited")
    assert response.headers["Retry-After"] == "1"
    assert (await client.get("/webrtc/live")).status == 200
