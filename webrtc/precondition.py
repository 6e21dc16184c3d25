"""`If-Match` of WHEP and WHIP (RFC 9725, 4.3; RFC 9110, 13.1.1). Pure."""

from __future__ import annotations

from .http_answer import RefusedError

ANY = frozenset({"*", '"*"'})
"""The specification writes the star as if it were a tag; both ways are in use."""


def check_precondition(header: str | None, etag: str) -> None:
    """Let a change pass that names the ICE session which it is for.

    Args:
        header: `If-Match`; None where it is missing.
        etag: that counts, without quotation marks.

    Raises:
        RefusedError: 428 without the header, 412 for another session.
    """
    if header is None:
        raise RefusedError(428, "precondition_required", 'If-Match is needed: the ETag that counts, or "*".')
    named = {tag.strip() for tag in header.split(",")}
    if not named & (ANY | {f'"{etag}"'}):
        raise RefusedError(412, "precondition_failed", "ICE was restarted meanwhile: this ETag is outdated.")
