from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, make_mocked_request

from media.error import CapacityError, PeerError, StreamError
from webrtc import whip
from webrtc.http_answer import MAX_BODY
from webrtc.ice_server import IceServer
from webrtc.sdp.fragment import parse_fragment, write_fragment
from webrtc.sdp.reader import parse_answer, parse_offer
from webrtc.sdp.writer import write_answer
from webrtc.whip import STATUS, routes
from webrtc.whip_description import paths
from webrtc.whip_port import Established

from .sdp.offer import PUBLISHERS, RECEIVES, load

Client = TestClient[web.Request, web.Application]
ClientMaker = Callable[[web.Application], Awaitable[Client]]

OFFER = load("chromium-send")
UFRAG, PWD = parse_offer(OFFER).ice
KEY = {"Authorization": "Bearer good"}
SDP = KEY | {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}

TRICKLE = (
    f"a=ice-ufrag:{UFRAG}\r\na=ice-pwd:{PWD}\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n"
    "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n"
)
RESTART = TRICKLE.replace(UFRAG, "next")

SERVERS = (
    IceServer(("stun:stun.example.org:3478",)),
    IceServer(("turn:turn.example.org:3478?transport=udp",), "user", "secret"),
)


@dataclass
class Gate:
    """Publishers in memory, who get real answers."""

    keys: set[str] = field(default_factory=lambda: {"good"})
    refusal: Exception | None = None
    came: list[tuple[str, str, str]] = field(default_factory=list)
    sessions: dict[str, int] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)

    async def publish(self, stream_key: str, sdp: str, peer: str, encoder: str) -> Established:
        offer = parse_offer(sdp)
        if self.refusal is not None:
            raise self.refusal
        if stream_key not in self.keys:
            raise StreamError("unknown_key", "This stream key is not known.")
        if offer.section("video") is None:
            raise StreamError("not_acceptable", "There is no H.264.")
        self.came.append((stream_key, peer, encoder))
        name = secrets.token_urlsafe(24)
        self.sessions[name] = 0
        return Established(name, write_answer(offer, RECEIVES), "ice0")

    async def restart(self, session: str, fragment: str) -> tuple[str, str]:
        asked = parse_fragment(fragment)
        if asked.ice is not None and asked.ice.ufrag == "late":
            raise PeerError("the fragment cannot be used")
        self.sessions[session] += 1
        return write_fragment(asked, RECEIVES), f"ice{self.sessions[session]}"

    async def end(self, session: str) -> None:
        self.ended.append(session)
        self.sessions.pop(session, None)

    def has(self, session: str) -> bool:
        return session in self.sessions


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def client(aiohttp_client: ClientMaker, gate: Gate) -> Client:
    application = web.Application()
    application.add_routes(routes(gate, ice_servers=lambda: SERVERS, clock=lambda: 0.0))
    return await aiohttp_client(application)


async def publish(client: Client, offer: str = OFFER) -> ClientResponse:
    return await client.post("/whip", data=offer, headers=SDP)


async def problem(response: ClientResponse, status: int, code: str) -> dict[str, Any]:
    assert response.status == status, await response.text()
    assert response.content_type == "application/problem+json"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    body: dict[str, Any] = await response.json()
    assert (body["status"], body["code"]) == (status, code)
    return body


@pytest.mark.parametrize("name", PUBLISHERS)
async def test_an_offer_is_answered(client: Client, gate: Gate, name: str) -> None:
    headers = SDP | {"User-Agent": "OBS-Studio/30"}
    response = await client.post("/whip", data=load(name), headers=headers)
    assert response.status == 201
    assert response.headers["Content-Type"] == "application/sdp"
    assert response.headers["ETag"] == '"ice0"'
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    (session,) = gate.sessions
    assert response.headers["Location"] == f"/whip/session/{session}"
    for exposed in ("Location", "ETag", "Link", "Retry-After"):
        assert exposed in response.headers["Access-Control-Expose-Headers"]
    text = await response.text()
    kinds = [section.kind for section in parse_offer(load(name)).media]
    answer = parse_answer(text.replace("a=setup:passive", "a=setup:active"), kinds)
    assert {section.direction for section in answer.media if section.codec is not None} == {"recvonly"}
    ((key, peer, encoder),) = gate.came
    assert (key, encoder) == ("good", "OBS-Studio/30")
    assert re.fullmatch(r"127\.0\.0\.1:\d+", peer)


async def test_links(client: Client) -> None:
    assert (await publish(client)).headers.getall("Link") == [
        '<stun:stun.example.org:3478>; rel="ice-server"',
        '<turn:turn.example.org:3478?transport=udp>; rel="ice-server"; username="user"; '
        'credential="secret"; credential-type="password"',
    ]


REFUSED = [
    ("empty", "", SDP, (400, "bad_request")),
    ("malformed", "v=0\r\nhello", SDP, (400, "bad_request")),
    ("no-utf-8", OFFER.encode("utf-16"), SDP, (400, "bad_request")),
    ("json", OFFER, KEY | {"Content-Type": "application/json"}, (415, "unsupported_media_type")),
    ("long", OFFER + "a=" + "x" * MAX_BODY, SDP, (413, "too_large")),
    ("no-key", OFFER, {"Content-Type": "application/sdp"}, (401, "unauthorized")),
    ("empty-key", OFFER, SDP | {"Authorization": "Bearer "}, (401, "unauthorized")),
    ("basic", OFFER, SDP | {"Authorization": "Basic Z29vZA=="}, (401, "unauthorized")),
    ("wrong-key", OFFER, SDP | {"Authorization": "Bearer wrong"}, (401, "unknown_key")),
    ("no-h264", load("chromium-noh264"), SDP, (406, "not_acceptable")),
]


@pytest.mark.parametrize("case", [item[1:] for item in REFUSED], ids=[item[0] for item in REFUSED])
async def test_refusals(client: Client, case: Any) -> None:
    offer, headers, expected = case
    response = await client.post("/whip", data=offer, headers=headers)
    await problem(response, *expected)
    assert ("WWW-Authenticate" in response.headers) == (expected[0] == 401)


@pytest.mark.parametrize("code", [*sorted(STATUS), "not_eligible", "unknown_app"])
async def test_what_the_gate_says(client: Client, gate: Gate, code: str) -> None:
    gate.refusal = StreamError(code, "A sentence.")
    body = await problem(await publish(client), STATUS.get(code, 403), code)
    assert body["detail"] == "A sentence."


@pytest.mark.parametrize(
    ("refusal", "code", "retry_after"),
    [
        (StreamError("starting", "The server is starting."), "starting", "1"),
        (CapacityError("There is no room.", 4.2), "overloaded", "5"),
    ],
    ids=["starting", "full"],
)
async def test_not_now(client: Client, gate: Gate, refusal: Exception, code: str, retry_after: str) -> None:
    gate.refusal = refusal
    response = await publish(client)
    await problem(response, 503, code)
    assert response.headers["Retry-After"] == retry_after


async def test_keys_are_no_part_of_addresses(client: Client) -> None:
    response = await client.post("/whip/good", data=OFFER, headers={"Content-Type": "application/sdp"})
    assert response.status == 404


async def test_a_slash_too_many_is_redirected(client: Client) -> None:
    response = await client.post("/whip/", data=OFFER, headers=SDP, allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (307, "/whip")
    assert (await client.post("/whip/", data=OFFER, headers=SDP)).status == 201


async def test_candidates_are_taken(client: Client) -> None:
    path = (await publish(client)).headers["Location"]
    for tag in ('"ice0"', "*", '"*"', '"old", "ice0"'):
        response = await client.patch(path, data=TRICKLE, headers=FRAGMENT | {"If-Match": tag})
        assert response.status == 204
        assert "ETag" not in response.headers
        assert await response.read() == b""


async def test_a_restart_of_ice(client: Client) -> None:
    path = (await publish(client)).headers["Location"]
    response = await client.patch(path, data=RESTART, headers=FRAGMENT | {"If-Match": "*"})
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/trickle-ice-sdpfrag"
    assert response.headers["ETag"] == '"ice1"'
    assert parse_fragment(await response.text()).ice == RECEIVES.ice
    outdated = await client.patch(path, data=RESTART, headers=FRAGMENT | {"If-Match": '"ice0"'})
    await problem(outdated, 412, "precondition_failed")
    same = await client.patch(path, data=RESTART, headers=FRAGMENT | {"If-Match": '"ice1"'})
    assert same.status == 204


async def test_bad_changes(client: Client) -> None:
    path = (await publish(client)).headers["Location"]
    every = FRAGMENT | {"If-Match": "*"}
    await problem(await client.patch(path, data=RESTART, headers=FRAGMENT), 428, "precondition_required")
    await problem(await client.patch(path, data="nonsense", headers=every), 400, "bad_request")
    late = RESTART.replace("next", "late")
    await problem(await client.patch(path, data=late, headers=every), 400, "bad_request")
    response = await client.patch(path, data=OFFER, headers=SDP | {"If-Match": "*"})
    await problem(response, 415, "unsupported_media_type")
    assert response.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"


async def test_the_end(client: Client, gate: Gate) -> None:
    path = (await publish(client)).headers["Location"]
    response = await client.delete(path, headers={"If-Match": '"whatever"'})
    assert response.status == 200
    assert gate.ended == [path.rpartition("/")[2]]
    await problem(await client.delete(path), 404, "not_found")


async def test_a_session_that_ended_by_itself_is_gone(client: Client, gate: Gate) -> None:
    path = (await publish(client)).headers["Location"]
    assert (await client.get(path)).status == 200
    gate.sessions.clear()
    await problem(await client.get(path), 404, "not_found")
    await problem(await client.patch(path, data=TRICKLE, headers=FRAGMENT), 404, "not_found")
    assert (await publish(client)).status == 201


async def test_preflights(client: Client) -> None:
    response = await client.options("/whip")
    assert response.status == 200
    assert response.headers["Accept-Post"] == "application/sdp"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    assert not any("secret" in link for link in response.headers.getall("Link"))
    session = await client.options("/whip/session/x")
    assert session.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
    for method in ("PATCH", "DELETE"):
        assert method in session.headers["Access-Control-Allow-Methods"]
    assert (await client.options("/whip/")).headers["Accept-Post"] == "application/sdp"


@pytest.mark.parametrize("path", ["/whip", "/whip/session/x"])
async def test_other_methods(client: Client, path: str) -> None:
    await problem(await client.put(path), 405, "method_not_allowed")


async def test_nothing_is_shown(client: Client) -> None:
    response = await client.get("/whip")
    assert (response.status, await response.read()) == (200, b"")


async def test_too_many(aiohttp_client: ClientMaker, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webrtc.rate.RequestRate.take", lambda *_: 2.0)
    application = web.Application()
    application.add_routes(routes(gate))
    client = await aiohttp_client(application)
    response = await publish(client)
    await problem(response, 429, "rate_limited")
    assert response.headers["Retry-After"] == "2"


async def test_what_encoders_call_themselves_is_bounded(client: Client, gate: Gate) -> None:
    name = "x\tö" + "y" * 1000
    await client.post("/whip", data=OFFER, headers=SDP | {"User-Agent": name})
    (_, _, encoder) = gate.came[0]
    assert len(encoder) <= whip.MAX_ENCODER
    assert encoder.isprintable()


async def test_every_described_operation_has_a_route(gate: Gate) -> None:
    application = web.Application()
    application.add_routes(routes(gate))
    assert paths()
    for path, operations in paths().items():
        for method, operation in operations.items():
            request = make_mocked_request(method.upper(), re.sub(r"{\w+}", "1", path))
            route = (await application.router.resolve(request)).route
            assert route.resource is not None
            assert route.resource.canonical == path
            assert route.method == method.upper(), path
            named = {item["name"] for item in operation["parameters"] if item["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))
