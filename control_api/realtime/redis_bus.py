"""The bus of several nodes, over Redis. Without Redis each node goes on alone, and they tell each other afterwards.

A message is published and written to its topic's log in one step, and everybody receives it from there, whoever
published it too: that is the one order. While Redis is away what a node publishes is received on it at once and kept;
on return it reads each log behind the last message that it knows, and publishes what it has kept.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count

import structlog
from redis.exceptions import RedisError

from control_api.realtime.backlog import Backlog, Posting
from control_api.realtime.bus import OnGap, OpenSubscription, Receive
from control_api.realtime.flight import Flight
from control_api.realtime.redis_session import Found, RedisSession, redis_session
from control_api.realtime.replay import Entry, Follow, pack, parse_published
from control_api.realtime.topic import Topic
from media.ending import end_task

FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 2.0
"""Between two attempts to connect: the first, and the longest."""

START_S = 2.0
"""How long a server that starts waits for Redis before it goes on without."""

MAX_READ_AT_ONCE = 32
"""Logs, so that what they hold is never in memory as a whole."""

logger = structlog.get_logger(__name__)


class RedisBus:
    """Implements `control_api.realtime.bus.Bus`. Made by `redis_bus`.

    Args:
        url: of Redis.
        node_id: of this node, for whoever reads the logs.
    """

    def __init__(self, url: str, node_id: str) -> None:
        self.on_gap: OnGap | None = None
        self._url = url
        # Each start is a source of its own: numbers begin anew.
        self._source = f"{node_id.replace(' ', '-')}:{secrets.token_hex(6)}".encode()
        self._numbers = count(1)
        self._topics: dict[str, Topic] = {}
        self._session: RedisSession | None = None
        self._flight = Flight()
        self._backlog = Backlog()
        self._due: deque[Posting] = deque()
        self._pause_s = FIRST_PAUSE_S
        self._is_connected = False
        self._was_told = False
        self.first_attempt = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        """Tell whether other nodes are reached: everything that was missed has been read."""
        return self._is_connected

    def publish(self, topic: str, message: bytes) -> None:
        """Deliver a message to all who listen to a topic, here and on other nodes."""
        posting = Posting(topic, next(self._numbers), message)
        if self._session is None:
            self._keep(posting)
            return
        self._send(self._session, posting)
        if self._flight.is_full:
            self._session.abort()
            self._fall_back()

    async def subscribe(self, topic: str, receive: Receive) -> OpenSubscription:
        """Listen to a topic: what is published after this has returned is received."""
        subscription = OpenSubscription(self, topic)
        listened = self._topics.get(topic)
        if listened is None:
            listened = self._topics[topic] = Topic(topic)
            if self._session is not None:
                self._session.listen(topic)
                self._read(self._session, listened, is_new=True)
        listened.receivers[subscription] = receive
        if self._session is not None:
            try:
                await listened.settled.wait()
            except asyncio.CancelledError:
                self.drop(topic, subscription)
                raise
        return subscription

    def drop(self, topic: str, subscription: object) -> None:
        """Forget a subscription."""
        listened = self._topics.get(topic)
        if listened is None or listened.receivers.pop(subscription, None) is None:
            return
        if not listened.receivers:
            del self._topics[topic]
            listened.settled.set()
            self._flight.settle(topic)
            if self._session is not None:
                self._session.mute(topic)

    async def run(self) -> None:
        """Stay connected as well as possible; never returns."""
        while True:
            try:
                async with redis_session(self._url, self._take) as session:
                    await self._live(session)
            except Exception as error:  # whatever it was: the next attempt is a new connection
                self._lose(error)
            self.first_attempt.set()
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(self._pause_s * 2, MAX_PAUSE_S)

    async def _live(self, session: RedisSession) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(session.run())
            await session.probe()
            self._session = session
            for topic in self._topics.values():
                topic.place.fall_behind()
                topic.settled.clear()
                session.listen(topic.name)
            for posting in self._backlog.take_all():
                self._send(session, posting)
            await self._read_all(session)
            self._pause_s = FIRST_PAUSE_S
            self._is_connected = True
            if self._was_told:
                logger.info("bus_is_back", topics=len(self._topics))
                self._was_told = False
            self.first_attempt.set()

    async def _read_all(self, session: RedisSession) -> None:
        """Bring every topic up to date, some at a time."""
        topics = list(self._topics.values())
        for start in range(0, len(topics), MAX_READ_AT_ONCE):
            some = topics[start : start + MAX_READ_AT_ONCE]
            for topic in some:
                self._read(session, topic)
            for topic in some:
                await topic.settled.wait()

    def _read(self, session: RedisSession, topic: Topic, *, is_new: bool = False) -> None:
        """Read a topic's log up to its end; of one that is new the end is all that counts."""

        def take(found: Found, newest: bytes) -> None:
            if session is not self._session or self._topics.get(topic.name) is not topic:
                return
            replay = topic.place.begin(newest) if is_new else topic.place.replay(found, newest)
            if replay.is_gap:
                self._tell_gap(topic)
            for entry in replay.entries:
                self._deliver(topic, entry)
            if replay.is_done:
                self._settle(topic)
            else:
                self._read(session, topic)

        session.read(topic.name, topic.place.last, take)

    def _settle(self, topic: Topic) -> None:
        """Follow a topic from here on. What was stored before has been read, or lies before its beginning."""
        topic.settled.set()
        self._flight.settle(topic.name)

    def _take(self, name: str, published: bytes) -> None:
        """Take what comes from Redis."""
        entry = parse_published(published)
        if entry is None or self._session is None:
            return
        topic = self._topics.get(name)
        if topic is None:
            return
        follow = topic.place.follow(entry)
        if follow is Follow.DELIVER:
            self._deliver(topic, entry)
        elif follow is Follow.READ:
            topic.settled.clear()
            self._read(self._session, topic)

    def _deliver(self, topic: Topic, entry: Entry) -> None:
        if entry.source == self._source:
            self._flight.receive(topic.name, entry.number)
        if entry.is_gap:
            self._tell_gap(topic)
        else:
            topic.hand_out(entry.message)

    def _tell_gap(self, topic: Topic) -> None:
        if self.on_gap is not None:
            self.on_gap(topic.name)

    def _send(self, session: RedisSession, posting: Posting) -> None:
        self._flight.start(posting)

        def stored() -> None:
            if session is self._session:
                self._flight.note_stored(posting, is_awaited=posting.topic in self._topics)

        packed = pack(self._source, posting.number, posting.message, is_gap=posting.is_gap)
        session.publish(posting.topic, packed, stored)

    def _lose(self, error: Exception) -> None:
        """Go on alone, and say so once."""
        cause: BaseException = error
        while isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if not self._was_told:
            trace = None if isinstance(cause, RedisError | OSError) else error  # else it is a bug
            logger.warning("bus_is_away", reason=f"{type(cause).__name__}: {cause}", exc_info=trace)
            self._was_told = True
        self._fall_back()

    def _fall_back(self) -> None:
        """Deliver here what was on its way, and keep it for the others."""
        self._session = None
        self._is_connected = False
        for topic in self._topics.values():
            topic.settled.set()
        self._keep(*self._flight.take_all())

    def _keep(self, *postings: Posting) -> None:
        for posting in postings:
            self._backlog.add(posting)
        # What receivers publish in turn comes behind.
        is_first = not self._due
        self._due.extend(postings)
        while is_first and self._due:
            posting = self._due[0]
            topic = self._topics.get(posting.topic)
            if topic is not None and not posting.is_gap and topic.place.take(self._source, posting.number):
                topic.hand_out(posting.message)
            self._due.popleft()


@asynccontextmanager
async def redis_bus(url: str, node_id: str) -> AsyncIterator[RedisBus]:
    """Run the bus. It connects by itself, now and whenever Redis is back; without Redis it starts as well.

    Args:
        url: of Redis, or of any node of a cluster: as of `redis.asyncio.Redis.from_url`.
        node_id: of this node, for whoever reads the logs.
    """
    bus = RedisBus(url, node_id)
    task = asyncio.create_task(bus.run())
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(bus.first_attempt.wait(), START_S)
        yield bus
    finally:
        await end_task(task)
