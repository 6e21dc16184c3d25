"""What somebody has missed of a chat, from what is left of it. Pure.

A comment tells only its last change. That is enough: whoever takes the events is where those are who saw everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from control_api.chat.event import ChatEvent, CommentAdded, CommentDeleted, CommentPinned, CommentUnpinned
from control_api.chat.store import ChangedComment


@dataclass(frozen=True, slots=True)
class Missed:
    """What happened after a place in a chat."""

    events: Sequence[ChatEvent]
    """In the order of `seq`."""
    is_whole: bool
    """Whether that is all; else a client begins anew with the newest comments."""


def missed_events(changes: Iterable[ChangedComment], since: int, limit: int) -> Missed:
    """Tell what happened after a place.

    Args:
        changes: comments that were written or changed after it: as many of each as the limit and one more, or all.
        since: the place, as a `seq`.
        limit: events at most.
    """
    found = sorted((event for change in changes for event in _events(change, since)), key=_order)
    events = [event for _, event in found]
    return Missed(events[:limit], len(events) <= limit)


def _events(change: ChangedComment, since: int) -> Iterator[tuple[int, ChatEvent]]:
    comment, seq = change.comment, change.changed_seq
    is_new = comment.seq > since
    if is_new and not change.is_deleted:
        yield comment.seq, CommentAdded(replace(comment, is_pinned=False))
    if seq is None or seq <= since:
        return
    if comment.is_pinned:
        yield seq, CommentPinned(comment, seq)
    elif not is_new:
        kind = CommentDeleted if change.is_deleted else CommentUnpinned
        yield seq, kind(comment.stream_id, comment.id, seq)


def _order(found: tuple[int, ChatEvent]) -> int:
    return found[0]
