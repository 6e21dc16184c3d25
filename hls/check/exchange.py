"""A request and its answer, as values, and the port through which they are made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from media.error import PeerError

ORIGIN = "https://player.example"
"""Sent as Origin, so that answers carry what a browser on another site would see."""

_MAX_AGE = re.compile(r"\d{1,10}", re.ASCII)


class FetchError(PeerError):
    """There was no answer, or none that could be taken."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer."""

    url: str
    """That was asked for."""
    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes = b""
    """Without its content coding."""
    method: str = "GET"
    http_version: str = "HTTP/1.1"
    final_url: str = ""
    """That answered, after redirects."""
    redirects: tuple[str, ...] = ()
    """Addresses that sent elsewhere."""
    started_s: float = 0.0
    first_byte_s: float = 0.0
    """When the first byte of the body came, on the clock of `started_s`."""
    finished_s: float = 0.0
    request_headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        """Whether the answer is what was asked for."""
        return self.status in (200, 206)

    @property
    def waited_s(self) -> float:
        """Seconds until the first byte of the body."""
        return self.first_byte_s - self.started_s

    @property
    def transfer_s(self) -> float:
        """Seconds from the first byte of the body to the last."""
        return self.finished_s - self.first_byte_s

    @property
    def content_type(self) -> str:
        """Media type without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_gzipped(self) -> bool:
        """Whether a content coding was applied."""
        return self.headers.get("content-encoding", "").strip().lower() in ("gzip", "x-gzip", "br", "zstd")

    @property
    def cache_directives(self) -> Mapping[str, str]:
        """Cache-Control: argument by directive, empty where it has none."""
        found = {}
        for item in self.headers.get("cache-control", "").lower().split(","):
            name, _, value = item.strip().partition("=")
            if name:
                found[name] = value.strip('"')
        return found

    @property
    def max_age_s(self) -> int | None:
        """How long any cache may keep the answer; None when it does not say."""
        directives = self.cache_directives
        if "no-store" in directives or "no-cache" in directives:
            return 0
        values = [directives[name] for name in ("s-maxage", "max-age") if name in directives]
        return int(values[0]) if values and _MAX_AGE.fullmatch(values[0]) else None

    @property
    def crosses_origin(self) -> bool:
        """Whether a redirect led to another scheme, host or port."""
        return bool(self.redirects) and urlsplit(self.url)[:2] != urlsplit(self.final_url)[:2]


class Fetcher(Protocol):
    """Makes requests."""

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
        ...

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...

    def now_s(self) -> float:
        """Return the time on the clock of exchanges."""
        ...
