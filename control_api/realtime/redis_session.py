"""What the bus says to Redis, from connecting until the connection is lost. One node, or all masters of a cluster."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError

from control_api.realtime.redis_link import RedisLink, connect, slot_map
from control_api.realtime.replay import logged_entries
from control_api.realtime.slot_map import Address, SlotMap

PREFIX = "mediaserver:bus:"
"""Of a topic's channel and of its log, which have one name: in a cluster they are in one place."""

KEPT = 2000
"""Messages of a topic in its log, a few more now and then."""

KEPT_S = 300
"""How long a log is there after its last message."""

PIECE = 500
"""Messages read at once."""

PUBLISH = """
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local logged = (newest and newest[1] or '0-0') .. ' ' .. ARGV[1]
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'e', logged)
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call(ARGV[2], KEYS[1], id .. ' ' .. logged)
return id
"""
READ = """
local found = {}
if ARGV[1] ~= '' then
    found = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
end
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
return {found, newest and newest[1] or '0-0'}
"""
"""As scripts, so that nothing comes between."""

Found = Sequence[tuple[bytes, bytes]]
OnMessage = Callable[[str, bytes], None]


class RedisSession:
    """Publishes, listens and reads logs while the connections last.

    Args:
        slots: which master holds what; None for a single Redis.
        on_message: is called with the topic and the message, as `replay.parse_published` reads it.
    """

    def __init__(self, slots: SlotMap | None, on_message: OnMessage) -> None:
        self._slots = slots
        self._on_message = on_message
        self._links: dict[Address | None, RedisLink] = {}
        self._muted: Counter[bytes] = Counter()
        self._abortion = asyncio.Event()
        self._verbs = ("SUBSCRIBE", "UNSUBSCRIBE", "PUBLISH")
        if slots is not None:
            self._verbs = ("SSUBSCRIBE", "SUNSUBSCRIBE", "SPUBLISH")

    def link(self, address: Address | None, connection: Any) -> None:
        """Take an open connection to a master, or to the single Redis."""
        self._links[address] = RedisLink(connection, self._take_push)

    def publish(self, topic: str, packed: bytes, on_stored: Callable[[], None]) -> None:
        """Publish a message and log it; `on_stored` is called when that is done."""
        key = PREFIX + topic
        command = ("EVAL", PUBLISH, 1, key, packed, self._verbs[2], KEPT, KEPT_S)
        self._link(key).ask(lambda _: on_stored(), *command)

    def listen(self, topic: str) -> None:
        """Receive what is published from now on."""
        self._link(PREFIX + topic).tell(self._verbs[0], PREFIX + topic)

    def mute(self, topic: str) -> None:
        """Receive nothing more, soon."""
        key = PREFIX + topic
        self._muted[key.encode()] += 1
        self._link(key).tell(self._verbs[1], key)

    def read(self, topic: str, last: bytes | None, on_read: Callable[[Found, bytes], None]) -> None:
        """Read a piece of a topic's log.

        Args:
            topic: whose.
            last: the id behind which it begins; None for no piece.
            on_read: is called with the piece and the newest id, before anything that was published later is received.
        """
        key = PREFIX + topic

        def answer(answer: Any) -> None:
            on_read(logged_entries(answer[0]), answer[1])

        self._link(key).ask(answer, "EVAL", READ, 1, key, last or b"", PIECE)

    async def probe(self) -> None:
        """Wait until every master has taken something; one without memory or rights to write ends the session."""
        loop = asyncio.get_running_loop()
        answers = []
        for address, link in self._links.items():
            name = PREFIX + "probe:"
            key = name if self._slots is None or address is None else self._slots.key_of(address, name)
            future: asyncio.Future[Any] = loop.create_future()
            link.ask(_resolve(future), "SET", key, 1, "EX", 60)
            answers.append(future)
        await asyncio.gather(*answers)

    async def run(self) -> None:
        """Carry everything to and fro until a connection is lost.

        Raises:
            ExceptionGroup: of what `RedisLink.run` raises.
        """
        async with asyncio.TaskGroup() as group:
            for link in self._links.values():
                group.create_task(link.run())
            await self._abortion.wait()
            raise RedisConnectionError("too many messages were not answered")

    def abort(self) -> None:
        """End it: too much was sent that Redis does not answer."""
        self._abortion.set()

    async def close(self) -> None:
        """Close all connections."""
        for link in self._links.values():
            await link.close()

    def _link(self, key: str) -> RedisLink:
        return self._links[None if self._slots is None else self._slots.address(key)]

    def _take_push(self, push: list[Any]) -> None:
        kind, channel = push[0], push[1]
        if kind in (b"message", b"smessage"):
            self._on_message(channel.decode().removeprefix(PREFIX), push[2])
        elif kind in (b"unsubscribe", b"sunsubscribe"):
            if self._muted[channel] <= 0:
                raise RedisConnectionError("a channel has moved to another node of the cluster")
            self._muted[channel] -= 1
            if not self._muted[channel]:
                del self._muted[channel]


def _resolve(future: asyncio.Future[Any]) -> Callable[[Any], None]:
    def resolve(answer: Any) -> None:
        if not future.done():
            future.set_result(answer)

    return resolve


@asynccontextmanager
async def redis_session(url: str, on_message: OnMessage) -> AsyncIterator[RedisSession]:
    """Connect to the Redis at an address, and to all masters when it is of a cluster.

    Raises:
        redis.exceptions.RedisError: it cannot be reached.
        OSError: the same.
    """
    async with AsyncExitStack() as stack:
        seed = await connect(url)
        stack.push_async_callback(seed.disconnect, nowait=True)
        slots = await slot_map(seed)
        session = RedisSession(slots, on_message)
        if slots is None:
            session.link(None, seed)
        else:
            for address in slots.addresses:
                connection = await connect(url, address)
                stack.push_async_callback(connection.disconnect, nowait=True)
                session.link(address, connection)
        yield session
