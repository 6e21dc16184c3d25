"""A connection to one Redis, for everything: commands go out together, answers and messages come in one order.

It speaks RESP3, where a connection that listens to channels may ask as well. What was published before a command was
carried out comes before its answer, and that is what the bus counts on.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Any

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from control_api.realtime.slot_map import Address, SlotMap
from media.ending import end_task

CONNECT_S = 2.0
"""For connecting, and for each answer until it is connected."""

TICK_S = 0.25
MAX_SILENT_TICKS = 4
"""Redis answers within so many ticks, or it counts as lost. Ticks and not time: while this program itself is late, it
says nothing of Redis."""

Answer = Callable[[Any], None]
"""Takes the answer to a command."""

NO_CLUSTER = ("cluster support disabled", "unknown command")


class RedisLink:
    """A connection. Any error, also one that is the answer to a command, ends it: see `run`.

    Args:
        connection: that is open.
        on_push: is called with each message of a channel.
    """

    def __init__(self, connection: AbstractConnection, on_push: Callable[[list[Any]], None]) -> None:
        connection.socket_timeout = (
            None  # from here on it is watched, and reads wait for as long as it is quiet
        )
        self._connection = connection
        self._on_push = on_push
        self._out: list[tuple[Any, ...]] = []
        self._has_out = asyncio.Event()
        self._answers: deque[Answer] = deque()
        self._heard = 0

    def tell(self, *command: str | bytes | int) -> None:
        """Send a command that has no answer: (S)SUBSCRIBE and (S)UNSUBSCRIBE."""
        self._out.append(command)
        self._has_out.set()

    def ask(self, answer: Answer, *command: str | bytes | int) -> None:
        """Send a command; `answer` is called unless the connection ends before."""
        self._answers.append(answer)
        self.tell(*command)

    async def run(self) -> None:
        """Carry commands and answers.

        Raises:
            redis.exceptions.RedisError: the connection has ended, or Redis has refused a command.
            OSError: the same.
            TimeoutError: Redis is silent.
        """
        # No task group: it cancels once, and one cancellation may be lost.
        tasks = [asyncio.create_task(work()) for work in (self._read, self._write, self._watch)]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                await end_task(task)
                if not task.cancelled():
                    task.exception()  # is seen, although another one is told

    async def close(self) -> None:
        """Close the connection, at once."""
        await self._connection.disconnect(nowait=True)

    async def _read(self) -> None:
        while True:
            heard = await self._connection.read_response(
                timeout=math.inf, disconnect_on_error=False, push_request=True
            )
            self._heard += 1
            # Of the commands that are asked none is answered by a list that begins with a word.
            if isinstance(heard, list) and heard and isinstance(heard[0], bytes):
                self._on_push(heard)
            elif self._answers:
                self._answers.popleft()(heard)

    async def _write(self) -> None:
        while True:
            await self._has_out.wait()
            self._has_out.clear()
            out, self._out = self._out, []
            packed = self._connection.pack_commands(out)
            await self._connection.send_packed_command(packed, check_health=False)

    async def _watch(self) -> None:
        silent_ticks, heard = 0, self._heard
        while silent_ticks < MAX_SILENT_TICKS:
            if not self._answers:
                self.ask(lambda _: None, "PING")
            await asyncio.sleep(TICK_S)
            silent_ticks = silent_ticks + 1 if self._heard == heard else 0
            heard = self._heard
        raise TimeoutError(f"no answer for {MAX_SILENT_TICKS * TICK_S:g} s")


async def connect(url: str, address: Address | None = None) -> AbstractConnection:
    """Open a connection.

    Args:
        url: as of `redis.asyncio.Redis.from_url`.
        address: of another node of the same cluster.

    Raises:
        redis.exceptions.RedisError: it cannot be opened.
        OSError: the same.
    """
    options: dict[str, Any] = dict(parse_url(url))
    kind = options.pop("connection_class", Connection)
    if address is not None:
        options["host"], options["port"] = address
    options.update(
        protocol=3, socket_timeout=CONNECT_S, socket_connect_timeout=CONNECT_S, decode_responses=False
    )
    connection: AbstractConnection = kind(**options)
    try:
        await connection.connect()  # type: ignore[no-untyped-call]
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    return connection


async def slot_map(connection: AbstractConnection) -> SlotMap | None:
    """Ask which node holds what; None for a Redis that is no cluster.

    Raises:
        redis.exceptions.RedisError: it does not say.
        OSError: the same.
    """
    await connection.send_command("CLUSTER", "SLOTS", check_health=False)
    try:
        slots = await connection.read_response()
    except ResponseError as error:
        if any(words in str(error) for words in NO_CLUSTER):
            return None
        raise
    found = SlotMap(slots, (getattr(connection, "host", ""), getattr(connection, "port", 0)))
    if not found.is_whole:
        raise RedisConnectionError("the cluster does not serve all of its slots")
    return found
