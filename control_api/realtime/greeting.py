"""What somebody who comes, or comes back, is told first. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from control_api.realtime.frame import message_frame
from control_api.realtime.happening import Happening
from control_api.realtime.room import Room


def greeting(room: Room, missed: Sequence[Happening] | None, *, is_back: bool, **more: object) -> bytes:
    """Make a `welcome`, and what somebody who comes back has missed.

    The comments of the welcome are the newest ones; for somebody who comes back those that were missed, and what else
    was missed follows as it would have come. When that is not known any more, `gap` is true and the newest are told.

    Args:
        room: of the stream.
        missed: what somebody who comes back has missed; None of somebody new, and when that is not known.
        is_back: whether somebody comes back.
        more: what else the welcome tells.
    """
    welcome = {
        "comments": room.chat.comments if missed is None else _comments(missed),
        "pinned": room.chat.pinned,
        "viewer_count": room.viewer_count,
        "status": room.status,
        "seq": room.chat.seq,
        "gap": is_back and missed is None,
        **more,
    }
    rest = [one for one in missed or () if one.type != "comment"]
    return b"".join([message_frame("welcome", welcome), *(message_frame(one.type, one.data) for one in rest)])


def _comments(missed: Sequence[Happening]) -> list[dict[str, object]]:
    deleted = {one.data["id"] for one in missed if one.type == "comment_deleted"}
    return [one.data for one in missed if one.type == "comment" and one.data["id"] not in deleted]
