"""Access tokens of somebody else: verified with the keys that their issuer publishes (`JWT_JWKS_URL`)."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx
import jwt
import structlog

from control_api.stream.record import Identity
from control_api.token.access import TokenError, read_token
from control_api.token.key_set import ALGORITHMS, KeySet, KeySetError, VerificationKey, parse_key_set
from media.ending import end_task
from media.error import CapacityError

FETCH_TIMEOUT_S = 3.0
MAX_BODY = 256 * 1024
"""Bytes of an answer. Real sets have some kilobytes."""
FRESH_S = 600.0
"""How long keys are used when the issuer does not say."""
MIN_FRESH_S, MAX_FRESH_S = 60.0, 86_400.0
"""Bounds of what the issuer may say."""
RETRY_S = 5.0
"""Between two fetches that fail."""
UNKNOWN_KEY_S = 30.0
"""From the last fetch to one because of a key that is not in the set: anybody can invent names of keys."""

log = structlog.get_logger(__name__)


class JwksVerifier:
    """Implements `control_api.token.access.TokenVerifier`. Keys are fetched when the first token comes.

    Args:
        url: of the key set, see `check_jwks_url`.
        issuer: `iss` that a token must have; empty for any.
        audience: `aud` that a token must hold; empty for any.
        client: fetches, and is left open; None for one of its own.
        clock: monotonic time in seconds.

    Raises:
        ValueError: keys from such an address could be anybody's.
    """

    def __init__(
        self,
        url: str,
        issuer: str = "",
        audience: str = "",
        *,
        client: httpx.AsyncClient | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check_jwks_url(url)
        self._url = url
        self._issuer = issuer
        self._audience = audience
        self._client = client or httpx.AsyncClient()
        self._owns_client = client is None
        self._clock = clock
        self._keys: KeySet | None = None
        self._fresh_until = -math.inf
        self._fetched_at = -math.inf
        self._is_failing = False
        self._is_closed = False
        self._fetch_task: asyncio.Task[None] | None = None

    async def verify(self, token: str) -> Identity:
        """Find out whom a token speaks for.

        Raises:
            TokenError: the token is malformed, forged, expired, not yet good or meant for somebody else.
            CapacityError: the keys are not known at the moment.
        """
        kid, algorithm = _read_header(token)
        key = await self._find(kid, algorithm)
        return read_token(
            token, key.key, algorithm, issuer=self._issuer, audience=self._audience, needs_expiry=True
        )

    async def close(self) -> None:
        """Stop fetching. Whoever waits for keys gets a `CapacityError`."""
        self._is_closed = True
        if self._fetch_task is not None:
            await end_task(self._fetch_task)
        if self._owns_client:
            await self._client.aclose()

    async def _find(self, kid: str | None, algorithm: str) -> VerificationKey:
        keys = await self._current()
        if kid is not None and not keys.knows(kid):
            if self._fetch_task is not None or self._is_due(UNKNOWN_KEY_S):
                await self._fetched()
                keys = self._keys or keys
            if self._is_failing and not keys.knows(kid):
                raise _no_keys()  # it may be a new key, and a client would throw a refused token away
        key = keys.find(kid, algorithm)
        if key is None:
            raise TokenError("The access token is signed with a key that its issuer does not list.")
        return key

    async def _current(self) -> KeySet:
        if self._clock() >= self._fresh_until and (self._fetch_task is not None or self._is_due(RETRY_S)):
            if self._keys is not None and self._is_failing:
                self._begin_fetch()  # nobody waits for an issuer that does not answer; the old keys do
            else:
                await self._fetched()
        if self._keys is None:
            raise _no_keys()
        return self._keys

    def _is_due(self, gap_s: float) -> bool:
        return self._clock() - self._fetched_at >= gap_s

    async def _fetched(self) -> None:
        """Wait for a fetch; who gives up waiting does not end it."""
        task = self._begin_fetch()
        if task is not None:
            await asyncio.wait({task})

    def _begin_fetch(self) -> asyncio.Task[None] | None:
        if self._fetch_task is None and not self._is_closed:
            self._fetched_at = self._clock()
            self._fetch_task = asyncio.create_task(self._fetch())
            self._fetch_task.add_done_callback(self._end_fetch)
        return self._fetch_task

    def _end_fetch(self, _: asyncio.Task[None]) -> None:
        self._fetch_task = None

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                body, fresh_s = await self._get()
            self._keys = parse_key_set(body)
        except TimeoutError:
            self._fail(f"no answer within {FETCH_TIMEOUT_S:g} s")
        except (httpx.HTTPError, httpx.StreamError, OSError, KeySetError) as error:
            self._fail(f"{type(error).__name__}: {error}")
        except Exception:  # the boundary of a task
            self._fail("a fault of this server")
            log.exception("fetching keys of access tokens failed")
        else:
            self._is_failing = False
            self._fresh_until = self._clock() + fresh_s

    def _fail(self, reason: str) -> None:
        self._is_failing = True
        host = urlsplit(self._url).hostname
        kept = self._keys is not None
        log.warning(
            "keys of access tokens cannot be fetched", host=host, reason=reason, old_keys_are_used=kept
        )

    async def _get(self) -> tuple[bytes, float]:
        # Not compressed: a few bytes of gzip can be a gigabyte of JSON.
        headers = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}
        body = bytearray()
        async with self._client.stream(
            "GET", self._url, headers=headers, timeout=FETCH_TIMEOUT_S, follow_redirects=False
        ) as response:
            if response.status_code != 200:
                raise KeySetError(f"the answer's status is {response.status_code}")
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BODY:
                    raise KeySetError(f"the answer is larger than {MAX_BODY // 1024} KiB")
        return bytes(body), fresh_time(response.headers.get("Cache-Control", ""))


def check_jwks_url(url: str) -> None:
    """Check that keys come from whom they seem to come from: https, or http of this machine.

    Raises:
        ValueError: they may not; the text is a sentence without a subject.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        raise ValueError("is no address") from None
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError("has to begin with https:// and name a host")
    if parts.username is not None:
        raise ValueError("must not hold a user or a password")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("has to begin with https://: over http, anybody on the way could put in keys")


def fresh_time(cache_control: str) -> float:
    """Read how many seconds keys may be kept, within bounds, from `Cache-Control`."""
    if re.search(r"(?i)(^|[\s,])no-(cache|store)\b", cache_control):
        return MIN_FRESH_S
    match = re.search(r'(?i)(?:^|[\s,])max-age\s*=\s*"?([0-9]{1,12})', cache_control)
    return FRESH_S if match is None else min(max(float(match[1]), MIN_FRESH_S), MAX_FRESH_S)


def _read_header(token: str) -> tuple[str | None, str]:
    """Read which key a token names, before anything is fetched for it."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise TokenError("The access token is not valid.") from None
    kid, algorithm = header.get("kid"), header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenError("The access token is signed in a way that is not allowed.")
    return kid, algorithm


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _no_keys() -> CapacityError:
    return CapacityError("The keys of the access tokens cannot be fetched at the moment.", retry_after_s=5)
