"""Cursors of lists whose entries have numbers, the newest first."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

from control_api.page import bad_cursor

ID_BYTES = 8
LONGEST = 11
"""Characters of base64 without padding."""


def encode_id(number: int) -> str:
    """Make the cursor behind an entry."""
    return urlsafe_b64encode(number.to_bytes(ID_BYTES)).rstrip(b"=").decode()


def decode_id(cursor: str) -> int:
    """Read a cursor.

    Raises:
        ProblemError: 422, this server has not made it.
    """
    try:
        number = int.from_bytes(urlsafe_b64decode(f"{cursor}="))
    except ValueError:
        number = 0
    if not 0 < number < 2**63 or encode_id(number) != cursor:
        raise bad_cursor()
    return number
