"""Ids of viewers: a user's is the user id, whoever has no token gets one that is signed.

A signed id is whoever shows it, so nobody can make another viewer leave, or make up viewers by the million without
asking for each.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode

from control_api.stream.record import Identity

PREFIX = "anon-"
RANDOM_BYTES = 12
SIGNATURE_BYTES = 16
MAX_VIEWER_ID = 160
"""Characters of what may be sent as an id; those made here have 44."""

_USER = "user:"


class ViewerIds:
    """Makes and reads ids of viewers.

    A *key* is what viewers are told apart by within the server: a signed id as it is, a user id behind a prefix, so a
    user who is called like a signed id is somebody else.

    Args:
        secret: of the server; another key is derived from it, so that nothing else it signs passes as an id.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"viewer id", hashlib.sha256)

    def new(self) -> str:
        """Make an id for somebody without a token."""
        name = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
        return f"{name}.{self._sign(name)}"

    def is_signed(self, viewer_id: str) -> bool:
        """Tell whether an id was made here."""
        name, _, signature = viewer_id.partition(".")
        good = name.startswith(PREFIX) and viewer_id.isascii() and len(viewer_id) <= MAX_VIEWER_ID
        return good and hmac.compare_digest(signature, self._sign(name))

    def key_of(self, viewer_id: str) -> str:
        """Give the key of an id that is known to be good, such as that in a playback token."""
        return viewer_id if self.is_signed(viewer_id) else user_key(viewer_id)

    def joining(self, identity: Identity | None, viewer_id: str | None) -> tuple[str, str]:
        """Find out who joins: the user, whose id it is, or somebody new. An id that is not from here is not taken.

        Returns:
            The id, and its key.
        """
        if identity is not None:
            return identity.user_id, user_key(identity.user_id)
        known = viewer_id if viewer_id is not None and self.is_signed(viewer_id) else self.new()
        return known, known

    def leaving(self, identity: Identity | None, viewer_id: str | None) -> str | None:
        """Find out who leaves; returns the key, None when it is not for whoever asks to say that."""
        if identity is not None and viewer_id in (None, identity.user_id):
            return user_key(identity.user_id)
        return viewer_id if viewer_id is not None and self.is_signed(viewer_id) else None

    def _sign(self, name: str) -> str:
        digest = hmac.digest(self._key, name.encode(), hashlib.sha256)[:SIGNATURE_BYTES]
        return urlsafe_b64encode(digest).rstrip(b"=").decode()


def user_key(user_id: str) -> str:
    """Give the key of a user."""
    return _USER + user_id


def user_of(key: str) -> str | None:
    """Give the user id of a key, None when it is no user's."""
    return key[len(_USER) :] if key.startswith(_USER) else None
