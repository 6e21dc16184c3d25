"""The scenes of `benchmarks/audience.py`. Each opens its own server and gives what it measured."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.audience_crowd import Crowd, Marks, frame
from benchmarks.audience_house import (
    LOAD_CORE,
    PAUSE_S,
    REST_S,
    SERVER_CORE,
    House,
    Talk,
    evenly,
    open_house,
    quantiles,
    usage,
)
from benchmarks.control import ask
from tests.database import embedded_binaries, running_postgres
from tests.redis_server import RedisServer

COMMENTERS, REACTORS = 100, 300
"""Users: so many that none of them comes near the rate that one user may have."""
COMMENTS_PER_S, REACTIONS_PER_S = 10, 100
SLOW_BUFFER = 4096
LONG_WORDS = "ü" * 480
"""A comment of nearly 1 KB, so that slow sockets are behind within seconds, and not minutes."""
MAX_NUMBER = 100_000


def gather(
    crowd: Crowd, house: House, stream_id: str, marks: Marks, sockets: int
) -> tuple[list[int], list[int]]:
    """Open sockets: some of users who comment or react, the rest anonymous. Returns commenters and reactors."""
    commenters = crowd.open([house.url(stream_id, f"commenter{n}") for n in range(COMMENTERS)], marks)
    reactors = crowd.open([house.url(stream_id, f"reactor{n}") for n in range(REACTORS)], marks)
    crowd.open([house.url(stream_id)] * (sockets - COMMENTERS - REACTORS), marks)
    return commenters, reactors


async def fanout(sockets: int, seconds: float) -> dict[str, Any]:
    """Everybody on one broadcast: comment sent until the last socket has it."""
    async with open_house() as house:
        [stream_id] = house.live_streams(["owner"])
        before, marks = house.memory_bytes, Marks(MAX_NUMBER)
        with Crowd().closing() as crowd:
            began = time.perf_counter()
            commenters, reactors = gather(crowd, house, stream_id, marks, sockets)
            opening_s = time.perf_counter() - began
            crowd.run(time.perf_counter() + PAUSE_S)
            memory = (house.memory_bytes - before) / sockets
            talk = Talk(crowd, [marks], commenters, reactors)
            with usage([house]) as used:
                talk.run(seconds, comments=COMMENTS_PER_S, reactions=REACTIONS_PER_S)
            found = talk.report([sockets])
            with usage([house]) as idle:
                crowd.run(time.perf_counter() + 3)
    return {
        "sockets": sockets,
        **found,
        **used,
        "idle_server_cores": idle["server_cores"],
        "memory_per_socket_kib": round(memory / 1024, 1),
        "handshakes_per_s": round(sockets / opening_s),
    }


async def viewers(sockets: int, seconds: float) -> dict[str, Any]:
    """Viewers come and go, five changes a second: until the last socket has the new count."""
    delays, missed = [], 0
    async with open_house() as house:
        [stream_id] = house.live_streams(["owner"])
        with Crowd().closing() as crowd:
            crowd.open([house.url(stream_id)] * sockets, Marks(1))
            crowd.run(time.perf_counter() + PAUSE_S)
            connection, joined = house.connect(), ""
            for when in evenly(5, seconds, time.perf_counter() + 0.1, 3):
                crowd.run(when)
                crowd.viewers.clear()
                asked = time.perf_counter()
                count, joined = _come_or_go(house, connection, stream_id, joined)
                crowd.run(asked + 0.12)
                missed += max(0, sockets - crowd.viewers[count])
                if crowd.viewers[count]:
                    delays.append(crowd.viewers_at[count] - asked)
    return {"sockets": sockets, "changes": len(delays), "change_to_last_socket": quantiles(delays),
            "frames_missed": missed}  # fmt: skip


def _come_or_go(house: House, connection: HTTPConnection, stream_id: str, joined: str) -> tuple[int, str]:
    """Join as a new viewer, or leave when there is one; returns the count that answers, and who has joined."""
    if joined:
        answer = house.post(connection, f"/streams/{stream_id}/leave", "", {"viewer_id": joined})
        return answer["viewer_count"], ""
    answer = house.post(connection, f"/streams/{stream_id}/join", "")
    return answer["viewer_count"], answer["viewer_id"]


async def slow(sockets: int, lazy: int, seconds: float) -> dict[str, Any]:
    """Have some stop reading: what the others notice, and what becomes of those."""
    found: dict[str, Any] = {"sockets": sockets, "slow": lazy}
    async with open_house() as house:
        [stream_id] = house.live_streams(["owner"])
        marks = Marks(MAX_NUMBER)
        with Crowd().closing() as crowd:
            commenters, reactors = gather(crowd, house, stream_id, marks, sockets - lazy)
            sleepers = crowd.open([house.url(stream_id)] * lazy, marks, receive_bytes=SLOW_BUFFER)
            crowd.run(time.perf_counter() + PAUSE_S)
            talk, before = Talk(crowd, [marks], commenters, reactors), house.memory_bytes
            rates: dict[str, Any] = {
                "comments": COMMENTS_PER_S,
                "reactions": REACTIONS_PER_S,
                "words": LONG_WORDS,
            }
            talk.run(seconds, **rates)
            found["all_read"] = talk.report([sockets])
            crowd.stop_reading(sleepers)
            first, memory = len(talk.sent), [house.memory_bytes]
            for _ in range(3):
                talk.run(seconds, **rates)
                memory.append(house.memory_bytes)
            found["some_stopped"] = talk.report([sockets - lazy], first)
            found["slow_ended"] = dict(Counter(crowd.how_ended(number) for number in sleepers))
            found["memory_growth_mib"] = [round((size - before) / (1 << 20), 1) for size in memory]
    return found


@asynccontextmanager
async def two_houses() -> AsyncIterator[tuple[House, House]]:
    """Run two servers on one PostgreSQL and one Redis, all on the servers' core."""
    os.sched_setaffinity(0, SERVER_CORE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        redis = RedisServer(folder)
        redis.start()
        try:
            with running_postgres(embedded_binaries(folder / "binaries"), 18) as postgres:
                async with postgres.database() as dsn:
                    shared = {
                        "DATABASE_URL": dsn,
                        "REDIS_URL": redis.url,
                        "JWT_SECRET": "s" * 40,
                        "KEY_SECRET": "k" * 40,
                    }
                    async with open_house(**shared) as one, open_house(**shared) as other:
                        yield one, other
                    os.sched_setaffinity(0, SERVER_CORE | LOAD_CORE)
        finally:
            redis.stop()


async def nodes(sockets: int, seconds: float) -> dict[str, Any]:
    """Comments on one node until the last socket of the other has them; `sockets` on each."""
    async with two_houses() as (one, other):
        [stream_id] = one.live_streams(["owner"])
        here, there = Marks(MAX_NUMBER), Marks(MAX_NUMBER)
        with Crowd().closing() as crowd:
            commenters, reactors = gather(crowd, one, stream_id, here, sockets)
            crowd.open([other.url(stream_id)] * sockets, there)
            crowd.run(time.perf_counter() + PAUSE_S)
            with usage([one, other]) as used:
                talk = Talk(crowd, [here, there], commenters, reactors)
                talk.run(seconds, comments=COMMENTS_PER_S, reactions=REACTIONS_PER_S)
            found = talk.report([sockets, sockets])
    return {"sockets_each": sockets, **found, **used}


async def writes(streams: int, rates: Sequence[int], seconds: float) -> dict[str, Any]:
    """Owners comment on their own streams, which no rate limits: until a comment is acknowledged, which is durable."""
    found: dict[str, Any] = {"users": streams}
    async with open_house() as house:
        owners = [f"owner{n}" for n in range(streams)]
        urls = [
            house.url(stream, owner) for stream, owner in zip(house.live_streams(owners), owners, strict=True)
        ]
        marks = Marks(1_000_000)
        with Crowd().closing() as crowd:
            senders = crowd.open(urls, marks)
            crowd.run(time.perf_counter() + PAUSE_S)
            talk = Talk(crowd, [marks], senders, [])
            for rate in rates:
                first = len(talk.sent)
                with usage([house]) as used:
                    talk.run(seconds, comments=rate, reactions=0)
                found[f"at_{rate}_per_s"] = {**talk.report([1], first), **used}
            found["flat_out"] = _flat_out(crowd, house, senders, len(talk.sent), seconds)
    return found


def _flat_out(
    crowd: Crowd, house: House, senders: Sequence[int], first: int, seconds: float
) -> dict[str, Any]:
    """Have each socket send its next comment when the one before is acknowledged."""
    sent: dict[int, float] = {}
    crowd.acked.clear()
    end = time.perf_counter() + seconds

    def send(number: int, _: int = 0) -> None:
        index = first + len(sent)
        sent[index] = time.perf_counter()
        if sent[index] < end:
            crowd.send(number, frame("comment", index, content=f"@{index:06}@ hello"))

    crowd.on_ack = send
    for number in senders:
        send(number)
    with usage([house]) as used:
        crowd.run(end)
    acked = dict(crowd.acked)
    crowd.run(end + REST_S)
    delays = [when - sent[index] for index, when in acked.items()]
    return {"comments_per_s": round(len(acked) / seconds), "comment_to_ack": quantiles(delays), **used}


async def storm(joins: int, seconds: float) -> dict[str, Any]:
    """Anonymous viewers join, and the count is exact."""
    async with open_house() as house:
        [stream_id] = house.live_streams(["owner"])
        path = f"/api/v1/streams/{stream_id}"
        request = ("POST", f"{path}/join", "")
        found = await ask(house.server, [request], rate=joins / seconds, seconds=seconds)
        answer = await house.server.request(f"{path}/viewers")
    counted = answer.json()["viewer_count"]
    return {"joins": found["requests"], **found, "counted": counted}
