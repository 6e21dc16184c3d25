"""Bad input over the WebSocket of the real server: it is answered in words, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio

from control_api.token.access import TokenSigner
from tests.websocket.client import RawSocket, raw_socket
from tests.websocket.frame import BINARY, TEXT, Frame, text

from .server import Server, running_server

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOBODYS = "01890000-0000-7000-8000-000000000000"
_numbers = count()


@dataclass
class Place:
    """A server with a live stream of alice's and a private one."""

    server: Server
    signer: TokenSigner
    folder: Path
    stream_id: str
    private_id: str

    def url(self, user: str = "", *, token: str = "", stream_id: str = "") -> str:
        token = token or (self.signer.issue(user) if user else "")
        query = f"?token={token}" if token else ""
        return f"{self.server.http_url}/ws/stream/{stream_id or self.stream_id}{query}"

    @asynccontextmanager
    async def neighbour(self) -> AsyncIterator[RawSocket]:
        """Listen on the same stream; afterwards a comment of somebody else arrives, and before it nothing but talk."""
        async with raw_socket(self.url()) as socket:
            await socket.message("welcome")
            yield socket
            writer = f"writer{next(_numbers)}"
            async with raw_socket(self.url(writer)) as other:
                other.say("comment", "r", content=f"from {writer}")
                assert (await other.answer("r"))["type"] == "ack"
            while (said := await socket.message())["data"].get("user_id") != writer:
                assert said["type"] in ("viewer_update", "reaction", "comment"), said


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    folder = tmp_path_factory.mktemp("input")
    async with running_server(folder) as server:
        stream = await server.create_stream()
        private = await server.create_stream(is_private=True)
        signer = TokenSigner((folder / "jwt_secret").read_bytes().strip())
        yield Place(server, signer, folder, stream["id"], private["id"])
        log = (folder / "server.log").read_text()
        assert "Traceback" not in log
        assert '"level": "error"' not in log


COMMENT = {"type": "comment", "data": {"content": "hello"}}
DEEP = '{"type":"ping","data":' + '{"a":' * 2000 + "1" + "}" * 2001
MESSAGES: list[tuple[str, str]] = [
    ("nothing", ""),
    ("blanks", "   "),
    ("no JSON", "hello"),
    ("half of it", '{"type": "comm'),
    ("two", '{"type":"ping"}{"type":"ping"}'),
    ("a number", "1"),
    ("null", "null"),
    ("a list", '[{"type": "ping"}]'),
    ("an empty object", "{}"),
    ("unknown type", '{"type": "subscribe", "data": {}}'),
    ("type of the server", '{"type": "welcome", "data": {}}'),
    ("type is a number", '{"type": 1, "data": {}}'),
    ("type is a list", '{"type": ["comment"], "data": {}}'),
    ("type is null", '{"type": null}'),
    ("comment without data", '{"type": "comment"}'),
    ("comment without content", '{"type": "comment", "data": {}}'),
    ("data is a text", '{"type": "comment", "data": "hello"}'),
    ("data is a list", '{"type": "reaction", "data": ["like"]}'),
    ("content is a number", '{"type": "comment", "data": {"content": 5}}'),
    ("content is empty", '{"type": "comment", "data": {"content": ""}}'),
    ("content is blank", '{"type": "comment", "data": {"content": " \\u200b\\n "}}'),
    ("content is too long", json.dumps({"type": "comment", "data": {"content": "x" * 501}})),
    ("half a character", '{"type": "comment", "data": {"content": "\\ud83d"}}'),
    ("unknown field", json.dumps({**COMMENT, "admin": True})),
    ("unknown field in data", '{"type": "comment", "data": {"content": "x", "user_id": "alice"}}'),
    ("unknown reaction", '{"type": "reaction", "data": {"type": "hate"}}'),
    ("reaction without type", '{"type": "reaction", "data": {}}'),
    ("ref is a list", json.dumps({**COMMENT, "ref": [1]})),
    ("ref is too long", json.dumps({**COMMENT, "ref": "r" * 10_000})),
    ("NaN", '{"type": "ping", "data": {"x": NaN}, "ref": NaN}'),
    ("a huge number", '{"type": "comment", "data": {"content": ' + "9" * 5000 + "}}"),
    ("deep", DEEP),
    ("NUL", '{"type": "ping"}\0'),
]


@pytest.mark.parametrize(("name", "message"), MESSAGES, ids=[name for name, _ in MESSAGES])
async def test_a_message_that_is_none(place: Place, name: str, message: str) -> None:
    async with place.neighbour(), raw_socket(place.url("reader")) as socket:
        socket.send(text(message))
        error = (await socket.message("ack", "error"))["data"]
        assert error["code"] in ("bad_request", "invalid"), name
        assert error["message"]
        assert set(error) == {"ref", "code", "message"}
        socket.say("ping", "still here")
        assert (await socket.answer("still here"))["type"] == "ack"


async def test_a_fault_tells_which_message_had_it(place: Place) -> None:
    async with raw_socket(place.url("reader")) as socket:
        socket.say("reaction", "mine", type="hate")
        assert (await socket.answer("mine"))["data"]["code"] == "invalid"


@pytest.mark.parametrize("opcode", [TEXT, BINARY], ids=["text", "binary"])
async def test_a_megabyte(place: Place, opcode: int) -> None:
    async with place.neighbour(), raw_socket(place.url("reader")) as socket:
        socket.send(Frame(opcode, b"x" * (1 << 20)))
        assert await socket.ended() in (1009, None)  # reset, as there is more than anybody will read


TOKENS: list[tuple[str, dict[str, Any], str, str]] = [
    ("forged", {"sub": "alice"}, "another secret that is long enough", "HS256"),
    ("unsigned", {"sub": "alice"}, "", "none"),
    ("expired", {"sub": "alice", "exp": 1_000_000_000}, "ours", "HS256"),
    ("for nobody", {"name": "alice"}, "ours", "HS256"),
]


@pytest.mark.parametrize(("name", "claims", "secret", "algorithm"), TOKENS, ids=[name for name, *_ in TOKENS])
async def test_a_bad_token(
    place: Place, name: str, claims: dict[str, Any], secret: str, algorithm: str
) -> None:
    ours = (place.folder / "jwt_secret").read_bytes().strip()
    key: Any = ours if secret == "ours" else secret.encode() or None
    token = jwt.encode(claims, key, algorithm=algorithm)
    async with place.neighbour():
        for bad in (token, "nonsense", f"{token[:-4]}AAAA"):
            async with raw_socket(place.url(token=bad)) as socket:
                assert await socket.ended() == 4401, name


@pytest.mark.parametrize(
    "stream_id", [NOBODYS, "1", "%00", "a" * 4000], ids=["no such", "no UUID", "NUL", "long"]
)
async def test_an_unknown_stream(place: Place, stream_id: str) -> None:
    async with raw_socket(place.url("reader", stream_id=stream_id)) as socket:
        assert await socket.ended() == 4404


async def test_a_private_stream(place: Place) -> None:
    for user in ("", "a stranger"):
        async with raw_socket(place.url(user.replace(" ", ""), stream_id=place.private_id)) as socket:
            assert await socket.ended() in (4403, 4404)
    async with raw_socket(place.url("alice", stream_id=place.private_id)) as socket:
        assert (await socket.message("welcome"))["data"]["status"] == "live"


@pytest.mark.parametrize("since", ["-1", "x", "1e9", "9" * 400, "", "٣"])
async def test_a_since_that_is_none(place: Place, since: str) -> None:
    escaped = "".join(f"%{byte:02X}" for byte in since.encode())
    async with raw_socket(f"{place.url('reader')}&since={escaped}") as socket:
        assert (await socket.message())["type"] == "welcome"


async def test_somebody_anonymous_only_reads(place: Place) -> None:
    async with place.neighbour(), raw_socket(place.url()) as socket:
        for ref, (kind, data) in enumerate((("comment", {"content": "x"}), ("reaction", {"type": "like"}))):
            socket.say(kind, str(ref), **data)
            assert (await socket.answer(str(ref)))["data"]["code"] == "unauthorized"


async def test_somebody_banned(place: Place) -> None:
    async with place.neighbour(), raw_socket(place.url("troll")) as socket:
        socket.say("comment", "before", content="soon banned")
        assert (await socket.answer("before"))["type"] == "ack"
        path = f"/api/v1/streams/{place.stream_id}/bans/troll"
        banned = await place.server.request(path, method="POST", token=place.server.token, body={})
        assert banned.status in (200, 201), banned.text
        for ref, (kind, data) in enumerate((("comment", {"content": "x"}), ("reaction", {"type": "like"}))):
            socket.say(kind, str(ref), **data)
            error = (await socket.answer(str(ref)))["data"]
            assert (error["code"], set(error) & {"message"}) == ("banned", {"message"})
    async with raw_socket(place.url()) as reader:
        told = (await reader.message("welcome"))["data"]["comments"]
        assert [one["content"] for one in told if one["user_id"] == "troll"] == ["soon banned"]


@pytest.mark.parametrize(
    ("kind", "data", "allowed"), [("comment", {"content": "spam"}, 5), ("reaction", {"type": "wow"}, 10)]
)
async def test_a_flood_of_one_user(place: Place, kind: str, data: dict[str, Any], allowed: int) -> None:
    """The rate is the user's, however many sockets there are."""
    user = f"flood{next(_numbers)}"
    async with (
        place.neighbour() as neighbour,
        raw_socket(place.url(user)) as one,
        raw_socket(place.url(user)) as two,
    ):
        for ref in range(20):
            (one if ref % 2 else two).say(kind, str(ref), **data)
        answers = [await (one if ref % 2 else two).answer(str(ref)) for ref in range(20)]
        refused = [answer["data"] for answer in answers if answer["type"] == "error"]
        assert len(answers) - len(refused) == allowed
        assert {error["code"] for error in refused} == {"rate_limited"}
        assert all(0 < error["retry_after_s"] <= 10 for error in refused)
        if kind == "comment":
            for _ in range(allowed):
                assert (await neighbour.message("comment"))["data"]["user_id"] == user


async def test_a_flood_of_nonsense(place: Place) -> None:
    """Many messages in one write: so many are answered, then it is read slowly, and at last hung up on."""
    async with raw_socket(place.url("noise")) as socket:
        await socket.message("welcome")
        socket.send(*[text("nonsense")] * 5000)
        async with place.neighbour():
            pass
        codes: Counter[str] = Counter()
        while (found := await socket.frame(30)) is not None:
            codes[found.message()["data"].get("code", "") if found.opcode == TEXT else ""] += 1
        assert socket.close_code == 1013
        del codes[""]
        assert set(codes) == {"bad_request", "rate_limited"}
        assert codes.total() < 300


async def test_it_is_counted(place: Place) -> None:
    async with raw_socket(place.url("reader")) as socket:
        socket.send(text("nonsense"))
        await socket.message("error")
    metrics = (await place.server.request("/metrics")).text
    assert 'websocket_errors_total{code="bad_request"}' in metrics


async def test_those_who_leave_without_a_word_are_forgotten(place: Place) -> None:
    for _ in range(50):
        async with raw_socket(place.url("reader")) as socket:
            socket.say("ping")
    async with asyncio.timeout(10):
        while " 0\n" not in (await open_sockets(place)):  # noqa: ASYNC110 nothing tells
            await asyncio.sleep(0.05)


async def open_sockets(place: Place) -> str:
    metrics = (await place.server.request("/metrics")).text
    return next(
        f"{line}\n"
        for line in metrics.splitlines()
        if "websocket_connections" in line and not line.startswith("#")
    )
