"""`kill -9` of the server and its database while many comment and react: what was acknowledged is there, once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from control_api.token.access import TokenSigner
from tests.websocket.client import raw_socket

from .server import Server, running_server
from .test_database_away import database_processes

STREAMS = 3
SOCKETS = 6
"""Of each owner, whom no rate limits."""
MESSAGES = 190
"""Of each socket: fewer than a socket may say."""
REACTORS = 40
"""Users who react over HTTP, each once."""
EARLIEST_S, LATEST_S = 0.3, 1.5
SEEDS = [1, 2, *map(int, os.environ.get("SEEDS", "").split())]
"""Two moments of a fixed choice, and any of one's own."""


@dataclass
class Said:
    """What clients know of one stream."""

    stream_id: str
    owner: str
    ids: dict[str, str] = field(default_factory=dict)
    """Of the comments that were acknowledged, by content."""
    heard: dict[str, int] = field(default_factory=dict)
    """`seq` of the comments that a listener was told, by content."""
    doubles: list[str] = field(default_factory=list)
    reactors: set[str] = field(default_factory=set)
    """Whose reaction was acknowledged."""

    def hear(self, comment: dict[str, Any]) -> None:
        if comment["content"] in self.heard:
            self.doubles.append(comment["content"])
        self.heard[comment["content"]] = comment["seq"]


class Party:
    """Everybody, as long as the server lives."""

    def __init__(self, server: Server, signer: TokenSigner) -> None:
        self._server = server
        self._signer = signer

    def address(self, said: Said, user: str = "", query: str = "") -> str:
        token = f"token={self._signer.issue(user)}&" if user else ""
        return f"{self._server.http_url}/ws/stream/{said.stream_id}?{token}{query}"

    async def begin(self, owner: str) -> Said:
        """Have an owner go live."""
        path, token = "/api/v1/streams", self._signer.issue(owner)
        made = await self._server.request(path, method="POST", token=token, body={"title": "a show"})
        assert made.status == 201, made.text
        stream_id = made.json()["id"]
        started = await self._server.request(f"{path}/{stream_id}/start", method="POST", token=token)
        assert started.status == 200
        return Said(stream_id, owner)

    async def comment(self, said: Said, number: int) -> None:
        """Comment on a socket, one after the other."""
        with suppress(OSError, EOFError):
            async with raw_socket(self.address(said, said.owner)) as socket:
                for index in range(MESSAGES):
                    content = f"{number}.{index}"
                    socket.say("comment", content, content=content)
                    answer = await socket.answer(content)
                    assert answer["type"] == "ack", answer
                    said.ids[content] = answer["data"]["id"]

    async def comment_over_http(self, said: Said) -> None:
        headers = {"Authorization": f"Bearer {self._signer.issue(said.owner)}"}
        url = f"{self._server.http_url}/api/v1/streams/{said.stream_id}/comments"
        with suppress(OSError, aiohttp.ClientError):
            async with aiohttp.ClientSession(headers=headers) as session:
                for index in range(10_000):
                    async with session.post(url, json={"content": f"http.{index}"}) as response:
                        assert response.status == 201
                        said.ids[f"http.{index}"] = (await response.json())["id"]

    async def react(self, said: Said) -> None:
        url = f"{self._server.http_url}/api/v1/streams/{said.stream_id}/reactions"
        with suppress(OSError, aiohttp.ClientError):
            async with aiohttp.ClientSession() as session:
                for number in range(REACTORS):
                    headers = {"Authorization": f"Bearer {self._signer.issue(f'fan{number}')}"}
                    async with session.post(url, json={"type": "love"}, headers=headers) as response:
                        assert response.status == 200
                        said.reactors.add(f"fan{number}")

    async def listen(self, said: Said, until: asyncio.Event | None = None) -> None:
        """Keep what a listener is told."""
        with suppress(OSError, EOFError):
            async with raw_socket(self.address(said)) as socket:
                while True:
                    message = await socket.message("welcome", "comment")
                    if message["type"] == "comment":
                        said.hear(message["data"])
                    elif until is not None:
                        until.set()

    async def comments(self, said: Said) -> list[dict[str, Any]]:
        """Read all comments over HTTP, the oldest first."""
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = f"?limit=100&cursor={cursor}" if cursor else "?limit=100"
            answer = await self._server.request(f"/api/v1/streams/{said.stream_id}/comments{page}")
            assert answer.status == 200, answer.text
            found = [*answer.json()["comments"], *found]
            cursor = answer.json()["next_cursor"]
        return found

    async def reactions(self, said: Said, user: str) -> int:
        """React as somebody new and tell how many have."""
        answer = await self._server.request(
            f"/api/v1/streams/{said.stream_id}/reactions",
            method="POST",
            token=self._signer.issue(user),
            body={"type": "clap"},
        )
        assert answer.status == 200
        count: int = answer.json()["reactions_count"]
        return count


async def talk_until_killed(
    server: Server, party: Party, streams: Sequence[Said], data_dir: Path, seed: int
) -> None:
    ready = [asyncio.Event() for _ in streams]
    listening = [asyncio.create_task(party.listen(*pair)) for pair in zip(streams, ready, strict=True)]
    await asyncio.gather(*(event.wait() for event in ready))
    talking = [
        asyncio.create_task(work)
        for said in streams
        for work in (
            *(party.comment(said, number) for number in range(SOCKETS)),
            party.comment_over_http(said),
            party.react(said),
        )
    ]
    await asyncio.sleep(random.Random(seed).uniform(EARLIEST_S, LATEST_S))  # noqa: S311 no secret
    databases = database_processes(data_dir)
    server.kill()
    for pid in databases:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await server.process.wait()
    await asyncio.gather(*talking, *listening)


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_was_acknowledged_is_there_once(tmp_path: Path, seed: int) -> None:
    async with running_server(tmp_path) as server:
        signer = TokenSigner((tmp_path / "jwt_secret").read_bytes().strip())
        party = Party(server, signer)
        streams = [await party.begin(f"owner{number}") for number in range(STREAMS)]
        await talk_until_killed(server, party, streams, tmp_path, seed)
    assert all(said.ids and said.heard for said in streams), "it was killed too early to tell"
    async with running_server(tmp_path) as server:
        party = Party(server, signer)
        for said in streams:
            await check(party, said)
            await come_back(party, said)
    assert "Traceback" not in (tmp_path / "server.log").read_text()


async def check(party: Party, said: Said) -> None:
    stored = await party.comments(said)
    assert max(Counter(comment["content"] for comment in stored).values()) == 1
    assert [comment["seq"] for comment in stored] == sorted({comment["seq"] for comment in stored})
    ids = {comment["content"]: comment["id"] for comment in stored}
    assert {content: ids.get(content) for content in said.ids} == said.ids
    # What anybody was told is stored as well, with the place that they were told.
    places = {comment["content"]: comment["seq"] for comment in stored}
    assert {content: places.get(content) for content in said.heard} == said.heard
    assert not said.doubles
    assert len(said.reactors) + 1 <= await party.reactions(said, "somebody new") <= REACTORS + 1


async def come_back(party: Party, said: Said) -> None:
    """Come back to what was heard last: what was missed comes once, or a gap is told and history has it."""
    last = sorted(said.heard.values())[-1]
    async with raw_socket(party.address(said, query=f"since={last}")) as socket:
        welcome = (await socket.message("welcome"))["data"]
        if welcome["gap"]:
            said.heard.clear()
            newest = welcome["comments"]
            older = [one for one in await party.comments(said) if not newest or one["seq"] < newest[0]["seq"]]
            for comment in (*older, *newest):
                said.hear(comment)
        else:
            for comment in welcome["comments"]:
                said.hear(comment)
        async with raw_socket(party.address(said, said.owner)) as other:
            other.say("comment", "last", content="after the kill")
            assert (await other.answer("last"))["type"] == "ack"
        said.hear((await socket.message("comment"))["data"])
    assert not said.doubles
    stored = await party.comments(said)
    assert said.heard == {comment["content"]: comment["seq"] for comment in stored}
