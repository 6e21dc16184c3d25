"""Why something cannot be done in a chat, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from control_api.stream.record import Status, Stream
from media.error import CapacityError, StreamError

NOT_LIVE = {
    Status.CREATED: "The stream has not been started: its chat opens with it.",
    Status.SCHEDULED: "The stream has not been started: its chat opens with it.",
    Status.LIVE: "The stream has just ended, and its chat with it.",
    Status.ENDED: "The stream has ended, and its chat with it.",
    Status.CANCELLED: "The stream was cancelled: it has no chat.",
}
"""Why nothing can be said, by what the stream was when that was looked up."""

Result = TypeVar("Result")


@contextmanager
def writing() -> Iterator[None]:
    """Say of a chat in which nothing can be stored that it can still be read.

    Raises:
        CapacityError: in the place of another one.
    """
    try:
        yield
    except CapacityError as error:
        words = f"The chat is read-only at the moment. {error.detail}"
        raise CapacityError(words, retry_after_s=error.retry_after_s) from error


def accepted(result: Result | None, stream: Stream) -> Result:
    """Refuse what the store did not take: the stream has ended since it was looked up.

    Raises:
        StreamError: `not_live`.
    """
    if result is None:
        raise StreamError("not_live", NOT_LIVE[stream.status])
    return result


def no_comment() -> StreamError:
    """Refuse what is about a comment that is not there, or no more."""
    return StreamError("not_found", "There is no such comment.")
