"""Signatures of webhooks, after the Standard Webhooks scheme (standardwebhooks.com, 1.0.0), symmetric part.

Id, time and body are signed together, with full stops between them. Hence no id may hold a full stop: two different
messages could have the same signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import datetime

from media.error import MediaServerError

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
PREFIX = "whsec_"
VERSION = "v1"
SECRET_BYTES = 32
SHORTEST, LONGEST = 24, 64
"""Bytes that a secret may have."""
TOLERANCE_S = 300.0
"""How far a message's time may be off, in either direction: longer ago is a replay."""
MAX_SIGNATURES = 16
"""Signatures in one header that are looked at; the scheme has several while a secret is being exchanged."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class SignatureError(MediaServerError):
    """A message or a secret is not what it should be. The text says why, and holds neither."""


def new_secret() -> str:
    """Make a secret: `whsec_` and base64 of random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sign(secret: str, message_id: str, sent_at: datetime, body: bytes) -> dict[str, str]:
    """Make the three headers of a message.

    Args:
        secret: as `new_secret` makes them.
        message_id: the same for each attempt; letters, digits, `_` and `-`.
        sent_at: when this attempt is made, with its time zone.
        body: the very bytes that are sent.

    Raises:
        SignatureError: the secret or the id cannot be used.
    """
    if not _ID.fullmatch(message_id):
        raise SignatureError("an id is 1 to 128 letters, digits, underscores and hyphens")
    timestamp = str(int(sent_at.timestamp()))
    signature = base64.b64encode(_digest(_key(secret), message_id, timestamp, body)).decode()
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: f"{VERSION},{signature}",
    }


def verify(
    secret: str, headers: Mapping[str, str], body: bytes, now: datetime, tolerance_s: float = TOLERANCE_S
) -> None:
    """Check that a message comes from who knows the secret, unchanged and not long ago.

    Args:
        secret: as `new_secret` makes them.
        headers: of the request; the case of names does not matter.
        body: the bytes that came, not what a parser made of them.
        now: with its time zone.
        tolerance_s: how far the message's time may be off, in seconds.

    Raises:
        SignatureError: it does not, or the secret cannot be used.
    """
    key = _key(secret)
    found = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp = found.get(ID_HEADER, ""), found.get(TIMESTAMP_HEADER, "")
    if not _ID.fullmatch(message_id):
        raise SignatureError("the message has no id that could be")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise SignatureError("the message has no time that could be")
    expected = _digest(key, message_id, timestamp, body)
    if not any(hmac.compare_digest(expected, each) for each in _signatures(found.get(SIGNATURE_HEADER, ""))):
        raise SignatureError("no signature fits the message")
    # Behind the signature, so that nobody without the secret learns what the clock says.
    if abs(now.timestamp() - int(timestamp)) > tolerance_s:
        raise SignatureError("the message is too old, or from the future")


def _key(secret: str) -> bytes:
    """Read a secret's bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not SHORTEST <= len(key) <= LONGEST:
        raise SignatureError(f"a secret is {PREFIX} and base64 of {SHORTEST} to {LONGEST} bytes")
    return key


def _digest(key: bytes, message_id: str, timestamp: str, body: bytes) -> bytes:
    return hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)


def _signatures(header: str) -> list[bytes]:
    """Read the signatures that this version knows; whatever else is in the list is somebody else's."""
    found = []
    for word in header.split(" ", MAX_SIGNATURES)[:MAX_SIGNATURES]:
        version, _, text = word.partition(",")
        if version == VERSION:
            try:
                found.append(base64.b64decode(text, validate=True))
            except (binascii.Error, ValueError):
                continue
    return found
