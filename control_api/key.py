"""Stream keys and channel keys: what an encoder shows to be let in.

They are stored as `control_api.key_box` has it. The prefix lets a log redact keys wherever they turn up.
"""

from __future__ import annotations

import re
import secrets

KEY_BYTES = 24
"""192 random bits: beyond guessing, and 32 characters to paste."""

STREAM_PREFIX, CHANNEL_PREFIX = "sk_", "ck_"

KEY_PATTERN = re.compile(r"\b(sk|ck)_[A-Za-z0-9_-]{32}")
"""How keys look, wherever they stand in a text."""


def new_stream_key() -> str:
    """Make a key for one stream."""
    return f"{STREAM_PREFIX}{secrets.token_urlsafe(KEY_BYTES)}"


def new_channel_key() -> str:
    """Make a key that stays the same from show to show."""
    return f"{CHANNEL_PREFIX}{secrets.token_urlsafe(KEY_BYTES)}"
