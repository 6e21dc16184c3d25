"""Sends a message to its receiver, once, and says what became of it. Whoever calls keeps messages and tries again."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from datetime import datetime
from types import TracebackType
from typing import Self

import aiohttp

from control_api.webhook.outcome import Outcome, failed, judge
from control_api.webhook.reason import reason
from control_api.webhook.resolver import AddressRefusedError, CheckedResolver, Lookup, guarded_socket, look_up
from control_api.webhook.signature import SignatureError, sign
from control_api.webhook.target import parse_target
from media.error import StreamError

MAX_SENDS = 32
"""Requests at once; others wait, and that does not count as the receiver's time."""
MAX_ANSWER = 4096
"""Bytes of an answer's body that are read: enough for a receiver to end its answer in peace."""
DRAIN_S = 1.0
"""How long a body is waited for: the status has said everything."""
EVENT_HEADER = "webhook-event"
"""The type of the event, for receivers that route by it. Not signed: the body says it too."""
USER_AGENT = "mediaserver-webhook/1"


class WebhookSender:
    """Sends webhooks. Made, used and closed in one event loop.

    Args:
        allow_private: whether receivers may be on this server's own networks.
        timeout_s: how long a receiver has, from its name to the head of its answer, in seconds.
        lookup: what names are resolved with.
        tls: whom to trust; None for the system's certificate authorities.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        timeout_s: float = 10.0,
        lookup: Lookup = look_up,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(MAX_SENDS)
        self._resolver = CheckedResolver(allow_private=allow_private, lookup=lookup)
        self._session = aiohttp.ClientSession(
            # A connection for each message: none outlives the check of its address.
            connector=aiohttp.TCPConnector(
                resolver=self._resolver,
                use_dns_cache=False,
                force_close=True,
                limit=MAX_SENDS,
                socket_factory=guarded_socket(allow_private=allow_private),
                ssl=tls if tls is not None else True,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Time is taken below. Nothing is decompressed: a small body would become a large one.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,
            read_bufsize=MAX_ANSWER,
            trust_env=False,  # a proxy would resolve the name once more, and for itself
        )

    async def send(
        self, url: str, secret: str, event_id: str, event_type: str, body: bytes, *, now: datetime
    ) -> Outcome:
        """Send a message once.

        Args:
            url: of the receiver; checked again, as what is allowed may have changed since it was registered.
            secret: signs it.
            event_id: the same for each attempt.
            event_type: such as `stream.live`.
            body: JSON.
            now: when this attempt is made, with its time zone. A receiver allows it to be five minutes ago, so
                callers should not queue more than a few hundred messages here.

        Returns:
            What became of it; whatever the receiver does is an outcome and no error, as is a sender that is closed.
        """
        try:
            target = parse_target(url, self._allow_private)
            headers = sign(secret, event_id, now, body)
        except (StreamError, SignatureError) as error:
            return failed(str(error))
        headers |= {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "Accept-Encoding": "identity",
            EVENT_HEADER: event_type,
        }
        async with self._slots:
            if self._session.closed:
                return failed("this server was stopped before it was sent")
            try:
                async with asyncio.timeout(self._timeout_s):
                    response = await self._session.post(
                        target.url, data=body, headers=headers, allow_redirects=False
                    )
            except (aiohttp.ClientError, OSError, AddressRefusedError) as error:
                return failed(reason(error, self._timeout_s))
            try:
                await _drain(response)
            finally:
                response.close()
        return judge(response.status, response.headers.get("Retry-After"), now)

    async def close(self) -> None:
        """Close it; messages that are on their way fail. Closing it again does nothing."""
        await self._session.close()
        await self._resolver.close()

    async def __aenter__(self) -> Self:
        """Begin to use it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read a little of the body, and drop it."""
    size = 0
    with contextlib.suppress(aiohttp.ClientError, OSError):
        async with asyncio.timeout(DRAIN_S):
            while size < MAX_ANSWER and not response.content.at_eof():
                size += len(await response.content.read(MAX_ANSWER - size))
