"""Playback tokens: the part `~TOKEN` of a path that lets a player see a private stream.

A token names the stream, the viewer, the stream's salt and its end, and is signed; an admin's says that it is one. It
stands in paths because players drop headers and queries between a playlist and its segments. Another salt ends all
tokens of a stream at once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import NamedTuple

from media.error import StreamError

TTL_S = 12 * 3600
ADMIN = "admin"
"""A fifth claim, not part of the viewer's id: ids are any text."""
MAX_TOKEN = 1024
"""Characters; a viewer id of 128 characters outside ASCII makes about 800."""


def new_salt() -> str:
    """Make a salt."""
    return secrets.token_urlsafe(9)


class TokenHolder(NamedTuple):
    """Whom a token was issued to."""

    viewer_id: str
    is_admin: bool


class PlaybackSigner:
    """Issues and verifies playback tokens.

    Args:
        secret: of the server; another key is derived from it, so that no access token passes as one of these.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"playback token", hashlib.sha256)

    def issue(self, stream_id: str, salt: str, viewer_id: str, now: float, *, is_admin: bool = False) -> str:
        """Let a viewer see a stream until 12 hours after `now` (Unix time), unless its salt changes before."""
        claims: list[str | int] = [stream_id, viewer_id, salt, int(now) + TTL_S]
        if is_admin:
            claims.append(ADMIN)
        payload = _encode(json.dumps(claims, separators=(",", ":")).encode())
        return f"{payload}.{self._sign(payload)}"

    def verify(self, stream_id: str, salt: str, token: str, now: float) -> str:
        """Return the viewer id of a token.

        Raises:
            StreamError: `not_found`, since who may not see a stream does not learn that there is one.
        """
        return self.holder(stream_id, salt, token, now).viewer_id

    def holder(self, stream_id: str, salt: str, token: str, now: float) -> TokenHolder:
        """Return whom a token was issued to.

        Raises:
            StreamError: `not_found`, as `verify`.
        """
        payload, _, signature = token.partition(".")
        good = len(token) <= MAX_TOKEN and token.isascii()
        if not good or not hmac.compare_digest(signature, self._sign(payload)):
            raise refused()
        try:
            named, viewer_id, named_salt, expires_at, *rights = json.loads(
                urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
            )
        except (ValueError, Base64Error):
            raise refused() from None
        if (named, named_salt) != (stream_id, salt) or now >= expires_at:
            raise refused()
        return TokenHolder(str(viewer_id), ADMIN in rights)

    def _sign(self, payload: str) -> str:
        return _encode(hmac.digest(self._key, payload.encode(), hashlib.sha256))


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def refused() -> StreamError:
    """Make what whoever has no good token is told, whether or not there is such a stream."""
    return StreamError("not_found", "There is no such stream, or this link has expired.")
