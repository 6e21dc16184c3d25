"""The follower graph of the network, asked over gRPC. What it promises to callers: docs/social-graph.md."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence

import structlog

from control_api.joined_cache import JoinedCache
from control_api.token.access import is_user_id
from control_api.user.graph_channel import GraphChannel, Method, no_answer, parse_target
from protos.social_graph_pb2 import (
    GetFollowerCountRequest,
    GetFollowerCountResponse,
    IsFollowerRequest,
    IsFollowerResponse,
    ListFollowersRequest,
    ListFollowersResponse,
)
from protos.social_graph_pb2_grpc import SocialGraphStub

MAX_CACHED = 8192
"""Answers of each kind that are remembered: about 2 MB."""
PAGE = 1000
"""Followers asked for at once."""
MAX_PAGE_TOKEN = 1024
"""Characters."""
MAX_PAGES = 100_000
"""More followers than there are people; whoever has more pages sends them in a circle."""

log = structlog.get_logger(__name__)


class GrpcSocialGraph:
    """Implements `control_api.user.social_graph_port.SocialGraph`. Has to be made in the event loop that uses it.

    Args:
        target: as `control_api.user.graph_channel.parse_target` takes it.
        deadline_s: for one question with all its retries, for a page of followers likewise.
        cache_s: how long answers are remembered.
        clock: monotonic time in seconds.
        roots: certificates in PEM that vouch for a `grpcs://` target; None for those that gRPC brings along.

    Raises:
        ValueError: such a target cannot be.
    """

    def __init__(
        self,
        target: str,
        *,
        deadline_s: float = 1.0,
        cache_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        roots: bytes | None = None,
    ) -> None:
        self._channel = GraphChannel(parse_target(target), deadline_s=deadline_s, clock=clock, roots=roots)
        stub = SocialGraphStub(self._channel.channel)
        self._get_count: Method[GetFollowerCountResponse] = stub.GetFollowerCount
        self._get_is: Method[IsFollowerResponse] = stub.IsFollower
        self._get_page: Method[ListFollowersResponse] = stub.ListFollowers
        self._counts: JoinedCache[str, int] = JoinedCache(MAX_CACHED, cache_s, clock)
        self._pairs: JoinedCache[tuple[str, str], bool] = JoinedCache(MAX_CACHED, cache_s, clock)

    async def follower_count(self, user_id: str, fresh: bool = False) -> int:
        """Count who follows a user.

        Args:
            user_id: the one who is followed.
            fresh: no remembered answer will do. The answer is then at most `deadline_s` old: a question that is
                already on its way is joined. It is remembered like any other.

        Raises:
            CapacityError: the graph does not answer, late, or nonsense.
        """
        return await self._counts.get(user_id, lambda: self._ask_count(user_id), fresh=fresh)

    async def is_follower(self, user_id: str, follower_id: str) -> bool:
        """Tell whether `follower_id` follows `user_id`, or did so less than `cache_s` ago.

        Raises:
            CapacityError: the graph does not answer, or late.
        """
        return await self._pairs.get((user_id, follower_id), lambda: self._ask_is(user_id, follower_id))

    async def followers(self, user_id: str) -> AsyncIterator[Sequence[str]]:
        """List who follows a user, in pages of up to 1000; never from memory.

        Raises:
            CapacityError: the graph does not answer, late, or nonsense; pages may have come before.
        """
        token = ""
        for _ in range(MAX_PAGES):
            request = ListFollowersRequest(user_id=user_id, page_size=PAGE, page_token=token)
            page = await self._channel.ask(self._get_page, request)
            following = page.next_page_token
            is_loop = following != "" and following == token
            if is_loop or len(page.follower_ids) > PAGE or len(following) > MAX_PAGE_TOKEN:
                log.warning("follower graph sent a page that cannot be", followers=len(page.follower_ids))
                raise no_answer()
            ids = [follower_id for follower_id in page.follower_ids if is_user_id(follower_id)]
            if ids:
                yield ids
            if not following:
                return
            token = following
        log.warning("follower graph sends pages without end", pages=MAX_PAGES)
        raise no_answer()

    async def close(self) -> None:
        """Close the connection. Whoever waits for an answer gets a `CapacityError`, later callers as well."""
        await self._channel.close()
        await self._counts.drain()
        await self._pairs.drain()

    async def _ask_count(self, user_id: str) -> int:
        answer = await self._channel.ask(self._get_count, GetFollowerCountRequest(user_id=user_id))
        if answer.count < 0:
            log.warning("follower graph sent a negative count", count=answer.count)
            raise no_answer()
        return answer.count

    async def _ask_is(self, user_id: str, follower_id: str) -> bool:
        request = IsFollowerRequest(user_id=user_id, follower_id=follower_id)
        return (await self._channel.ask(self._get_is, request)).is_follower
