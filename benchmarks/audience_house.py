"""The server of `benchmarks/audience.py`: on a core of its own with its database, and what it takes of the machine."""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.audience_crowd import Crowd, Marks, frame
from benchmarks.hls_latency import percentile
from control_api.token.access import TokenSigner
from tests.integration.server import Server, running_server

SERVER_CORE, LOAD_CORE = {0}, {1}
TOKEN_S = 3600.0
PAUSE_S = 2.0
"""After the last socket is open and before anything is measured."""
REST_S = 2.0
"""So long after the last message what is late is waited for."""


@dataclass
class House:
    """A running server."""

    server: Server
    signer: TokenSigner
    folder: Path

    def token(self, user: str) -> str:
        return self.signer.issue(user, ttl_s=TOKEN_S)

    def url(self, stream_id: str, user: str = "") -> str:
        """Give the address of a stream's socket; anonymous without a user."""
        query = f"?token={self.token(user)}" if user else ""
        return f"{self.server.http_url}/ws/stream/{stream_id}{query}"

    def post(self, connection: HTTPConnection, path: str, user: str, body: object = None) -> dict[str, Any]:
        """Make a request of the API over a connection that stays open."""
        headers = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        data = b"" if body is None else json.dumps(body).encode()
        connection.request("POST", f"/api/v1{path}", data, headers | {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            raise SystemExit(f"POST {path}: {answer.status} {text!r}")
        found: dict[str, Any] = json.loads(text)
        return found

    def connect(self) -> HTTPConnection:
        parts = urlsplit(self.server.http_url)
        return HTTPConnection(parts.hostname or "", parts.port or 80, timeout=30)

    def live_streams(self, users: Sequence[str]) -> list[str]:
        """Start a stream for each user and return their ids."""
        connection, found = self.connect(), []
        for user in users:
            stream_id = self.post(connection, "/streams", user, {"title": "a show"})["id"]
            self.post(connection, f"/streams/{stream_id}/start", user)
            found.append(stream_id)
        connection.close()
        return found

    @property
    def memory_bytes(self) -> int:
        return int(psutil.Process(self.server.process.pid).memory_info().rss)

    @property
    def cpu_s(self) -> float:
        times = psutil.Process(self.server.process.pid).cpu_times()
        return float(times.user + times.system)

    @property
    def database_cpu_s(self) -> float:
        """Of the database's processes, with those that have ended."""
        found = 0.0
        for child in psutil.Process(self.server.process.pid).children(recursive=True):
            times = child.cpu_times()
            found += times.user + times.system
        return found


@asynccontextmanager
async def open_house(**env: str) -> AsyncIterator[House]:
    """Run a server on its core; whoever asks goes to the other one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        os.sched_setaffinity(0, SERVER_CORE)  # the server and its children inherit it
        async with running_server(folder, **env) as server:
            os.sched_setaffinity(0, LOAD_CORE)
            secret = env.get("JWT_SECRET", "").encode() or (folder / "jwt_secret").read_bytes().strip()
            yield House(server, TokenSigner(secret), folder)
            if "Traceback" in (log := (folder / "server.log").read_text()):
                raise SystemExit(log[log.index("Traceback") :][:4000])


def quantiles(delays_s: Sequence[float]) -> dict[str, float]:
    """Give the usual ones in milliseconds."""
    if not delays_s:
        return {}
    shares = (("p50_ms", 0.5), ("p99_ms", 0.99), ("max_ms", 1.0))
    return {name: round(1000 * percentile(list(delays_s), share), 1) for name, share in shares}


def evenly(rate: float, seconds: float, begin: float, seed: int) -> Iterator[float]:
    """Give the times of what happens at a rate: one in each interval, anywhere in it."""
    chance = random.Random(seed)  # noqa: S311 no secret
    for number in range(int(rate * seconds)):
        yield begin + (number + chance.random()) / rate


@contextmanager
def usage(houses: Sequence[House]) -> Iterator[dict[str, float]]:
    """Fill in the cores that servers, databases and this process use while the block runs."""
    found: dict[str, float] = {}
    before = [(house.cpu_s, house.database_cpu_s) for house in houses]
    own, began = time.process_time(), time.perf_counter()
    yield found
    took = time.perf_counter() - began
    for number, (house, (server, database)) in enumerate(zip(houses, before, strict=True)):
        suffix = f"_{number + 1}" if len(houses) > 1 else ""
        found[f"server_cores{suffix}"] = round((house.cpu_s - server) / took, 2)
        found[f"database_cores{suffix}"] = round((house.database_cpu_s - database) / took, 2)
    found["load_cores"] = round((time.process_time() - own) / took, 2)


class Talk:
    """Comments and reactions at a rate, each from the next of many users, and how soon everybody had the comments.

    Args:
        crowd: has the sockets.
        marks: of the groups of sockets that shall see the comments.
        commenters: sockets of users who comment.
        reactors: sockets of users who react.
    """

    def __init__(
        self, crowd: Crowd, marks: Sequence[Marks], commenters: Sequence[int], reactors: Sequence[int]
    ) -> None:
        self._crowd = crowd
        self._marks = marks
        self._commenters = commenters
        self._reactors = reactors
        self.sent: list[float] = []

    def run(self, seconds: float, *, comments: float, reactions: float, words: str = "hello") -> None:
        """Talk for some time, and wait for what is late."""
        begin = time.perf_counter() + 0.1
        first = len(self.sent)
        self.sent += [0.0] * int(comments * seconds)
        for index, when in enumerate(evenly(comments, seconds, begin, 1), first):
            self._crowd.at(when, self._comment(index, words))
        kinds = ("like", "love", "fire", "clap", "wow")
        for number, when in enumerate(evenly(reactions, seconds, begin, 2) if reactions else ()):
            kind = kinds[number // len(self._reactors) % len(kinds)]
            sender = self._reactors[number % len(self._reactors)]
            self._crowd.at(when, partial(self._crowd.send, sender, frame("reaction", type=kind)))
        self._crowd.run(begin + seconds + REST_S)

    def report(self, expected: Sequence[int], first: int = 0) -> dict[str, Any]:
        """Tell how soon the last socket had each comment.

        Args:
            expected: sockets of each group that have to see every comment.
            first: number of the first comment that counts.
        """
        delays, missed = [], 0
        for index in range(first, len(self.sent)):
            seen = [marks.seen[index] for marks in self._marks]
            missed += sum(max(0, wanted - got) for wanted, got in zip(expected, seen, strict=True))
            if index in self._crowd.acked and all(seen):
                delays.append(max(marks.last[index] for marks in self._marks) - self.sent[index])
        acks = [
            self._crowd.acked[n] - self.sent[n]
            for n in range(first, len(self.sent))
            if n in self._crowd.acked
        ]
        return {
            "comments": len(self.sent) - first,
            "acknowledged": len(acks),
            "comment_to_last_socket": quantiles(delays),
            "comment_to_ack": quantiles(acks),
            "frames_missed": missed,
            "refused": dict(self._crowd.refused),
            "endings": dict(self._crowd.endings),
        }

    def _comment(self, index: int, words: str) -> Callable[[], None]:
        sender = self._commenters[index % len(self._commenters)]
        data = frame("comment", index, content=f"@{index:06}@ {words}")

        def send() -> None:
            self.sent[index] = time.perf_counter()
            self._crowd.send(sender, data)

        return send
