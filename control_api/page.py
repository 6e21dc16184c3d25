"""Cursors: where the next page of a list begins, as text that says nothing to clients."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

from control_api.problem import Fault, ProblemError
from control_api.stream.record import is_stream_id

MAX_CURSOR = 200
MAX_COUNT = 2**31 - 1


def encode_cursor(number: int, stream_id: str) -> str:
    """Make the cursor behind an entry of a list: a stream with its viewer count, or a comment's `seq` in its stream."""
    return urlsafe_b64encode(json.dumps([number, stream_id]).encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> tuple[int, str]:
    """Read a cursor.

    Raises:
        ProblemError: 422, this server has not made it.
    """
    try:
        if len(cursor) > MAX_CURSOR:
            raise ValueError
        number, stream_id = json.loads(urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
        if type(number) is not int or not 0 <= number <= MAX_COUNT:
            raise ValueError
        if not isinstance(stream_id, str) or not is_stream_id(stream_id):
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        raise bad_cursor() from None
    return number, stream_id


def bad_cursor() -> ProblemError:
    """Make the refusal of a cursor that this server has not made, or not for this list."""
    fault = Fault("cursor", "must be the next_cursor of an earlier answer")
    return ProblemError(422, "invalid", f"The query does not fit: cursor: {fault.message}.", [fault])
