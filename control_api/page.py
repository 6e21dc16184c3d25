"""Cursors: where the next page of a list begins, as text that says nothing to clients."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

from control_api.problem import Fault, ProblemError

MAX_CURSOR = 200


def encode_cursor(viewer_count: int, stream_id: str) -> str:
    """Make the cursor behind a stream."""
    return urlsafe_b64encode(json.dumps([viewer_count, stream_id]).encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> tuple[int, str]:
    """Read a cursor.

    Raises:
        ProblemError: 422, this server has not made it.
    """
    try:
        if len(cursor) > MAX_CURSOR:
            raise ValueError
        viewer_count, stream_id = json.loads(
            urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        )
        if type(viewer_count) is not int or not isinstance(stream_id, str):
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        fault = Fault("cursor", "must be the next_cursor of an earlier answer")
        raise ProblemError(
            422, "invalid", f"The query does not fit: cursor: {fault.message}.", [fault]
        ) from None
    return viewer_count, stream_id
