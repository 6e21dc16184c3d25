"""STUN and TURN servers that viewers are told of (RFC 9725, 4.4)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class IceServer:
    """Servers with the same credentials."""

    urls: tuple[str, ...]
    """`stun:host:port`, `turn:host:port?transport=udp`, `turns:…`."""
    username: str = ""
    credential: str = ""


def link_values(server: IceServer, *, has_secrets: bool = True) -> list[str]:
    """Write a server as values of `Link` headers.

    Args:
        server: it.
        has_secrets: whether the asker may have the credentials.
    """
    credentials = ""
    if server.username and has_secrets:
        user, secret = _quote(server.username), _quote(server.credential)
        credentials = f'; username="{user}"; credential="{secret}"; credential-type="password"'
    return [f'<{url}>; rel="ice-server"{credentials}' for url in server.urls]


def with_temporary_credentials(server: IceServer, secret: str, name: str, expires_at: int) -> IceServer:
    """Give a TURN server credentials that it can check without knowing anybody (coturn's `use-auth-secret`).

    Args:
        server: it.
        secret: that it shares with us (`static-auth-secret`).
        name: of whom the credentials are for, for its log.
        expires_at: seconds since the epoch.
    """
    username = f"{expires_at}:{name}"
    # SHA-1 is what the draft (draft-uberti-behave-turn-rest-00) and every TURN server asks for.
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return replace(server, username=username, credential=base64.b64encode(digest).decode())


def _quote(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
