"""What happens, in Redis streams, for other programs to read: consumer groups make sure that each does so once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.typing import EncodableT, FieldT

from control_api.event.record import Event
from media.error import CapacityError

EVENTS = "mediaserver:events"
"""One entry for each event."""

NOTICES = "mediaserver:notices"
"""One entry for each event and user who is to hear of it."""

KEPT = 1_000_000
"""Entries of a stream, some 300 bytes each; older ones are dropped, a little later than they could be."""

TIMEOUT_S = 5.0


class RedisStreams:
    """Writes events to Redis.

    Args:
        redis: a client.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def ping(self) -> None:
        """Try whether it answers.

        Raises:
            CapacityError: it does not.
        """
        with _watching():
            await self._redis.xlen(EVENTS)

    async def announce(self, event: Event) -> None:
        """Add an event.

        Raises:
            CapacityError: Redis does not take it at the moment.
        """
        with _watching():
            await self._redis.xadd(EVENTS, _entry(event), maxlen=KEPT)

    async def tell(self, user_ids: Sequence[str], event: Event) -> None:
        """Add a notice for each user: all of them, or nobody knows how many.

        Raises:
            CapacityError: Redis does not take them at the moment.
        """
        entry = _entry(event)
        with _watching():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for user_id in user_ids:
                    pipeline.xadd(NOTICES, {"user_id": user_id, **entry}, maxlen=KEPT)
                await pipeline.execute()


@asynccontextmanager
async def redis_streams(url: str) -> AsyncIterator[RedisStreams]:
    """Connect when there is something to write."""
    redis = Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
    try:
        yield RedisStreams(redis)
    finally:
        await redis.aclose()


def _entry(event: Event) -> dict[FieldT, EncodableT]:
    message = event.message()
    data = json.dumps(message["data"], ensure_ascii=False, separators=(",", ":"))
    return {"event_id": event.id, "type": message["type"], "timestamp": message["timestamp"], "data": data}


@contextmanager
def _watching() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise CapacityError(f"Redis does not take events at the moment: {type(error).__name__}.") from error
