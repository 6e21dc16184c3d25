"""Stream keys and channel keys: what an encoder shows to be let in.

A key is found by its SHA-256, so how long a look-up takes says nothing about how much of a guess was right.
The prefix lets a log redact keys wherever they turn up.
"""

from __future__ import annotations

import hashlib
import re
import secrets

KEY_BYTES = 24
"""192 random bits: beyond guessing, and 32 characters to paste."""

KEY_PATTERN = re.compile(r"\b(sk|ck)_[A-Za-z0-9_-]{32}")
"""How keys look, wherever they stand in a text."""


def new_stream_key() -> str:
    """Make a key for one stream."""
    return f"sk_{secrets.token_urlsafe(KEY_BYTES)}"


def new_channel_key() -> str:
    """Make a key that stays the same from show to show."""
    return f"ck_{secrets.token_urlsafe(KEY_BYTES)}"


def key_digest(key: str) -> bytes:
    """Turn a key, or anything that was sent as one, into what it is looked up by."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
