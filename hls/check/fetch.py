"""Requests over HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from urllib.parse import urljoin, urlsplit

import httpx

from .exchange import ORIGIN, Exchange, FetchError

MAX_BODY_BYTES = 128 << 20
"""Of an answer, decoded: ten seconds of 100 Mbit/s. More is no segment, but an attempt on the memory."""
MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


class HttpFetcher:
    """Fetches with one pool of connections; HTTP/2 where the server offers it.

    Args:
        headers: sent along to the site of `url` alone: they may hold a secret, and a playlist may name any host.
        url: of that site.
        is_insecure: whether any certificate is taken.
    """

    def __init__(
        self, headers: Mapping[str, str] | None = None, url: str = "", *, is_insecure: bool = False
    ) -> None:
        self._headers = dict(headers or {})
        self._site = urlsplit(url)[:2]
        self._client = httpx.AsyncClient(
            http2=True,
            verify=not is_insecure,
            headers={"User-Agent": "mediaserver-hlscheck", "Origin": ORIGIN},
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=50),
        )

    async def __aenter__(self) -> HttpFetcher:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    def now_s(self) -> float:
        """Return the time on the clock of exchanges."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 20.0,
    ) -> Exchange:
        """Make a request and follow redirects; statuses are answers, not errors.

        Raises:
            FetchError: no answer came, it was too large, or redirects did not end.
        """
        target, redirects = url, list[str]()
        while True:
            if urlsplit(target).scheme not in ("http", "https"):
                raise FetchError(f"{target[:200]!r} is no address of http or https")
            try:
                async with asyncio.timeout(timeout_s):
                    exchange = await self._once(target, method, headers or {})
            except TimeoutError:
                raise FetchError(f"no answer within {timeout_s:g} s from {target}") from None
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
                raise FetchError(f"{type(error).__name__}: {error or 'no answer'} ({target})") from error
            location = exchange.headers.get("location")
            if exchange.status not in _REDIRECTS or location is None:
                break
            redirects.append(target)
            if len(redirects) > MAX_REDIRECTS:
                raise FetchError(f"more than {MAX_REDIRECTS} redirects from {url}")
            target = urljoin(target, location)
        return Exchange(
            url=url,
            status=exchange.status,
            headers=exchange.headers,
            body=exchange.body,
            method=method,
            http_version=exchange.http_version,
            final_url=target,
            redirects=tuple(redirects),
            started_s=exchange.started_s,
            first_byte_s=exchange.first_byte_s,
            finished_s=exchange.finished_s,
            request_headers=dict(headers or {}),
        )

    async def _once(self, url: str, method: str, headers: Mapping[str, str]) -> Exchange:
        started_s = time.monotonic()
        sent = {**(self._headers if urlsplit(url)[:2] == self._site else {}), **headers}
        body, first_byte_s = bytearray(), 0.0
        async with self._client.stream(method, url, headers=sent, timeout=None) as response:
            async for chunk in response.aiter_bytes():
                first_byte_s = first_byte_s or time.monotonic()
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise FetchError(f"an answer of more than {MAX_BODY_BYTES} bytes from {url}")
            finished_s = time.monotonic()
            return Exchange(
                url=url,
                status=response.status_code,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=bytes(body),
                http_version=response.http_version,
                started_s=started_s,
                first_byte_s=first_byte_s or finished_s,
                finished_s=finished_s,
            )
