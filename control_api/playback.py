"""Playback tokens: the part `~TOKEN` of a path that lets a player see a private stream.

A token names the stream, the viewer, a salt and its end, and is signed. It stands in paths because players
drop headers and queries between a playlist and its segments.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error

from media.error import StreamError

TTL_S = 12 * 3600
MAX_TOKEN = 1024
"""Characters; a viewer id of 128 characters outside ASCII makes about 800."""


class PlaybackSigner:
    """Issues and verifies playback tokens.

    Args:
        secret: of the server; another key is derived from it, so that no access token passes as one of these.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"playback token", hashlib.sha256)

    def issue(self, stream_id: str, viewer_id: str, now: float) -> str:
        """Let a viewer see a stream until 12 hours after `now` (Unix time)."""
        claims = [stream_id, viewer_id, secrets.token_urlsafe(6), int(now) + TTL_S]
        payload = _encode(json.dumps(claims, separators=(",", ":")).encode())
        return f"{payload}.{self._sign(payload)}"

    def verify(self, stream_id: str, token: str, now: float) -> str:
        """Return the viewer id of a token.

        Raises:
            StreamError: `not_found`, since who may not see a stream does not learn that there is one.
        """
        payload, _, signature = token.partition(".")
        good = len(token) <= MAX_TOKEN and token.isascii()
        if not good or not hmac.compare_digest(signature, self._sign(payload)):
            raise _refused()
        try:
            named, viewer_id, _salt, expires_at = json.loads(
                urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
            )
        except (ValueError, Base64Error):
            raise _refused() from None
        if named != stream_id or now >= expires_at:
            raise _refused()
        return str(viewer_id)

    def _sign(self, payload: str) -> str:
        return _encode(hmac.digest(self._key, payload.encode(), hashlib.sha256))


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _refused() -> StreamError:
    return StreamError("not_found", "There is no such stream, or this link has expired.")
