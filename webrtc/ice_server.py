"""STUN and TURN servers that clients are told of.

TURN takes users and passwords that end by themselves and that it can check without asking anybody: made with a secret
that it shares with this server (draft-uberti-behave-turn-rest-00, coturn's `use-auth-secret`).
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import NamedTuple

TTL_S = 24 * 3600
"""For how long a user and a password are good; a session that has begun goes on."""


class IceServer(NamedTuple):
    """One server, with what it takes."""

    url: str
    username: str = ""
    credential: str = ""


class IceServers:
    """Makes the list for each client.

    Args:
        urls: `stun:…` and `turn:…` addresses.
        secret: shared with the TURN servers.
        wall_clock: seconds since the epoch.
    """

    def __init__(self, urls: Sequence[str], secret: str, wall_clock: Callable[[], float]) -> None:
        self._urls = urls
        self._secret = secret.encode()
        self._wall_clock = wall_clock

    def __call__(self) -> list[IceServer]:
        """List the servers as they are now."""
        username = str(int(self._wall_clock()) + TTL_S)
        digest = hmac.digest(self._secret, username.encode(), hashlib.sha1)
        credential = b64encode(digest).decode()
        return [
            IceServer(url, username, credential) if url.startswith("turn") else IceServer(url)
            for url in self._urls
        ]
