"""A follower graph for tests: a real gRPC server that behaves as it is told."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from protos.social_graph_pb2 import (
    GetFollowerCountRequest,
    GetFollowerCountResponse,
    IsFollowerRequest,
    IsFollowerResponse,
    ListFollowersRequest,
    ListFollowersResponse,
)
from protos.social_graph_pb2_grpc import SocialGraphServicer, add_SocialGraphServicer_to_server

Context = grpc.aio.ServicerContext[Any, Any]


class Graph(SocialGraphServicer):
    """Counts every call. Waits for `gate`; then fails with what `failures` hold, as long as they hold something."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.pairs: set[tuple[str, str]] = set()
        self.pages: dict[str, ListFollowersResponse] = {}
        self.calls: Counter[str] = Counter()
        self.failures: deque[grpc.StatusCode] = deque()
        self.down: grpc.StatusCode | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()

    async def GetFollowerCount(  # noqa: N802 named by the service
        self, request: GetFollowerCountRequest, context: Context
    ) -> GetFollowerCountResponse:
        await self._behave(f"count {request.user_id}", context)
        return GetFollowerCountResponse(count=self.counts.get(request.user_id, 0))

    async def IsFollower(self, request: IsFollowerRequest, context: Context) -> IsFollowerResponse:  # noqa: N802
        await self._behave("is", context)
        return IsFollowerResponse(is_follower=(request.user_id, request.follower_id) in self.pairs)

    async def ListFollowers(self, request: ListFollowersRequest, context: Context) -> ListFollowersResponse:  # noqa: N802
        await self._behave(f"page {request.page_size}", context)
        return self.pages.get(request.page_token, ListFollowersResponse())

    async def _behave(self, call: str, context: Context) -> None:
        self.calls[call] += 1
        self.arrived.set()
        await self.gate.wait()
        code = self.failures.popleft() if self.failures else self.down
        if code is not None:
            await context.abort(code, "as told")


@asynccontextmanager
async def serve(
    graph: Graph, port: int = 0, credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[int]:
    """Serve on the loopback address; gives the port."""
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    add_SocialGraphServicer_to_server(graph, server)
    address = f"127.0.0.1:{port}"
    bound = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(None)
