"""The connection to the follower graph: gRPC with deadlines and retries, behind a circuit breaker."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Any, Protocol, TypeVar

import grpc
import structlog
from google.protobuf.message import Message
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import CLOSED, HALF_OPENED, OPENED, HalfOpenedState

from media.error import CapacityError

FAILURES = 5
"""So many failed calls in a row, and no more are made."""
PROBE_S = 5.0
"""After that, one call in so many seconds finds out whether the graph is back."""
MAX_ANSWER = 1024 * 1024
"""Bytes. A page of 1000 ids of 128 characters, four bytes each, is half of it."""

_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": "socialink.social_graph.v1.SocialGraph"}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.05s",
                "maxBackoff": "0.3s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
_OPTIONS = (
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.max_receive_message_length", MAX_ANSWER),
    # gRPC would wait for up to two minutes before it connects again.
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # A peer that vanished without a word is found in seconds instead of a quarter of an hour.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # The graph is a neighbour: a proxy that is configured for the way to the Internet is not for it.
    ("grpc.enable_http_proxy", 0),
)
_ABOUT_ONE_REQUEST = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.FAILED_PRECONDITION,
    }
)
"""What a healthy graph says about a request that it does not like: no reason to stop asking for others."""

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")

Answer = TypeVar("Answer", bound=Message)
Answer_co = TypeVar("Answer_co", bound=Message, covariant=True)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a gRPC service is."""

    host: str
    """A name or an address; of IPv6 in brackets."""
    port: int
    is_tls: bool = False


class Method(Protocol[Answer_co]):
    """A call of a generated stub."""

    def __call__(self, request: Any, *, timeout: float, wait_for_ready: bool) -> Awaitable[Answer_co]:
        """Begin the call."""
        ...


def parse_target(target: str) -> Target:
    """Read `host:port` or `grpc://host:port` (plain), or `grpcs://host:port` (TLS).

    Raises:
        ValueError: it is none of these; the text is a sentence without a subject.
    """
    scheme, mark, rest = target.strip().rpartition("://")
    if mark and scheme.lower() not in ("grpc", "grpcs"):
        raise ValueError("has to begin with grpc:// or grpcs://, or be host:port")
    host, _, port = rest.rpartition(":")
    if not _is_host(host):
        raise ValueError("has to be host:port, an IPv6 address in brackets")
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise ValueError("has to end with a port between 1 and 65535")
    return Target(host, int(port), is_tls=scheme.lower() == "grpcs")


def no_answer() -> CapacityError:
    """Make the error for every case in which the graph does not say what was asked."""
    return CapacityError("The follower graph does not answer at the moment.", retry_after_s=5)


class GraphChannel:
    """One channel. Has to be made in the event loop that uses it.

    Args:
        target: where the graph is.
        deadline_s: for one call with all its retries.
        clock: monotonic time in seconds.
        roots: certificates in PEM that vouch for the graph; None for those that gRPC brings along.
    """

    def __init__(
        self, target: Target, *, deadline_s: float, clock: Callable[[], float], roots: bytes | None = None
    ) -> None:
        self.channel = _open(target, roots)
        """For a generated stub."""
        self._deadline_s = deadline_s
        self._clock = clock
        # The library's own time to live is by the wall clock, which may step back for hours.
        self._breakers = AsyncCircuitBreakerFactory(
            default_threshold=FAILURES,
            default_ttl=math.inf,
            exclude=[asyncio.CancelledError, (grpc.aio.AioRpcError, _is_about_one_request)],
        )
        self._breakers.add_listener(self._on_event)
        self._probe_at = 0.0
        self._reason = ""
        self._is_closed = False

    async def ask(self, method: Method[Answer], request: Message) -> Answer:
        """Make a call.

        Raises:
            CapacityError: no good answer came in time, or none is expected.
        """
        if self._is_closed:
            raise no_answer()
        breaker = await self._breakers.get_breaker("social_graph")
        is_probe = breaker.context.state == OPENED and self._clock() >= self._probe_at
        if is_probe:
            breaker.context.set_state(HalfOpenedState())
        elif breaker.context.state in (OPENED, HALF_OPENED):  # half open: another call is finding out
            raise no_answer()
        try:
            async with breaker:
                # A channel that has just failed refuses calls by itself; the one that finds out has to connect.
                return await self._call(method, request, wait_for_ready=is_probe)
        except grpc.aio.AioRpcError:
            raise no_answer() from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise no_answer() from None  # gRPC's way to say that the channel was closed

    async def close(self) -> None:
        """Close the channel; open calls end at once."""
        self._is_closed = True
        await self.channel.close()

    async def _call(self, method: Method[Answer], request: Message, *, wait_for_ready: bool) -> Answer:
        try:
            return await method(request, timeout=self._deadline_s, wait_for_ready=wait_for_ready)
        except grpc.aio.AioRpcError as error:
            self._reason = f"{error.code().name}: {error.details()}"[:200]
            if _is_about_one_request(error):
                log.warning("follower graph refuses a request", reason=self._reason)
            raise

    def _on_event(self, _circuit: str, kind: str, event: Any) -> None:
        if kind != "state_changed":
            return
        if event.state == OPENED:
            self._probe_at = self._clock() + PROBE_S
            log.warning("follower graph does not answer, no calls for a while", reason=self._reason)
        elif event.state == CLOSED:
            log.info("follower graph answers again")


def _is_host(host: str) -> bool:
    if not (host.startswith("[") and host.endswith("]")):
        return _HOST.fullmatch(host) is not None
    try:
        IPv6Address(host[1:-1])
    except AddressValueError:
        return False
    return True


def _open(target: Target, roots: bytes | None) -> grpc.aio.Channel:
    # With its scheme, no host can be taken for another kind of target, such as `unix:7`.
    address = f"dns:///{target.host}:{target.port}"
    if not target.is_tls:
        return grpc.aio.insecure_channel(address, options=_OPTIONS)
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(roots), options=_OPTIONS)


def _is_about_one_request(error: BaseException) -> bool:
    return isinstance(error, grpc.aio.AioRpcError) and error.code() in _ABOUT_ONE_REQUEST
