"""What stands for a user who was deleted, where something has to."""

from __future__ import annotations

import hashlib
import hmac

from control_api.postgres.erasure_table import GONE


class Pseudonyms:
    """Makes the same pseudonym of a user each time, so that deeds of one user stay those of one.

    Args:
        secret: of the server; another key is derived from it, so nobody else can try out whose a pseudonym is.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"erased user", hashlib.sha256)

    def of(self, user_id: str) -> str:
        """Give the pseudonym of a user."""
        return GONE + hmac.digest(self._key, user_id.encode(), hashlib.sha256).hex()[:32]
