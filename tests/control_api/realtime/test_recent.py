"""Whoever comes, or comes back, ends with what everybody else has."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from control_api.realtime import recent
from control_api.realtime.greeting import greeting
from control_api.realtime.happening import Happening
from control_api.realtime.recent import RecentChat
from control_api.realtime.room import Room

from .test_room import comment, messages


def act(kind: str, target: int, seq: int) -> Happening:
    """Make a happening; `target` is the seq of the comment that is meant."""
    if kind == "comment":
        return comment(seq)
    data = {"id": f"c{target}", "seq": seq}
    return Happening(kind, data, comment(target).data if kind == "comment_pinned" else None)


class Screen:
    """What a client shows, by what it is told."""

    def __init__(self) -> None:
        self.comments: dict[str, int] = {}
        self.pinned: str | None = None
        self.seq = 0

    def welcome(self, data: dict[str, Any], *, is_new: bool) -> None:
        if is_new:
            self.comments.clear()
        for one in data["comments"]:
            assert one["id"] not in self.comments, "told twice"
            self.comments[one["id"]] = one["seq"]
        self.pinned = data["pinned"]["id"] if data["pinned"] else None
        self.seq = max(self.seq, data["seq"])

    def see(self, kind: str, data: dict[str, Any]) -> None:
        self.seq = max(self.seq, data["seq"])
        match kind:
            case "comment":
                assert data["id"] not in self.comments, "told twice"
                self.comments[data["id"]] = data["seq"]
            case "comment_pinned":
                self.pinned = data["id"]
            case "comment_unpinned":
                self.pinned = None if self.pinned == data["id"] else self.pinned
            case "comment_deleted":
                self.comments.pop(data["id"], None)
                self.pinned = None if self.pinned == data["id"] else self.pinned


KINDS = st.sampled_from(["comment", "comment", "comment_pinned", "comment_unpinned", "comment_deleted"])


@given(st.lists(st.tuples(KINDS, st.integers(0, 9)), min_size=1, max_size=40), st.data())
def test_who_comes_back_at_any_time_ends_with_what_the_others_have(
    actions: list[tuple[str, int]], data: st.DataObject
) -> None:
    room = Room(RecentChat(), "live", 0)
    stays, leaves = Screen(), Screen()
    away = data.draw(st.integers(0, len(actions)))
    written: list[int] = []
    now = 0.0
    for number, (kind, choice) in enumerate(actions):
        if kind != "comment" and not written:
            continue
        seq = number + 1
        target = written[choice % len(written)] if written else seq
        if kind == "comment":
            written.append(seq)
        elif kind == "comment_deleted":
            written.remove(target)
        room.receive_happening(act(kind, target, seq))
        now += 1
        for one in messages(room.data_to_send(now)):
            stays.see(one["type"], one["data"])
            if number < away:
                leaves.see(one["type"], one["data"])
    first, *rest = messages(greeting(room, room.chat.missed(leaves.seq), is_back=True))
    assert first["data"]["gap"] is False
    leaves.welcome(first["data"], is_new=False)
    for one in rest:
        leaves.see(one["type"], one["data"])
    assert leaves.comments == stays.comments
    assert leaves.pinned == stays.pinned
    assert leaves.seq == stays.seq


def test_what_was_told_later_with_a_lower_seq_is_missed_all_the_same() -> None:
    chat = RecentChat()
    for seq in (1, 3, 2):
        chat.note(comment(seq))
    assert [one.seq for one in chat.missed(3) or ()] == [2]


def test_gap_when_it_does_not_reach_back() -> None:
    chat = RecentChat([comment(20).data])
    assert chat.missed(19) is None
    assert chat.missed(20) == []
    for seq in range(21, 22 + recent.KEPT):
        chat.note(comment(seq))
    assert chat.missed(20) is None
    assert len(chat.missed(21) or ()) == recent.KEPT


def test_nothing_is_known_of_the_past_without_a_database_and_learnt_later() -> None:
    chat = RecentChat(is_known=False)
    assert chat.missed(0) is None
    chat.note(comment(5))
    assert chat.missed(4) is None
    chat.learn([comment(4).data, comment(5).data], comment(4).data, 6)
    assert [one["seq"] for one in chat.comments] == [4, 5]
    assert [one["is_pinned"] for one in chat.comments] == [True, False]
    assert chat.missed(6) == []
    assert chat.missed(5) is None


def test_new_client_is_shown_the_newest_comments_without_deleted_ones() -> None:
    chat = RecentChat()
    for seq in range(1, recent.SHOWN + 11):
        chat.note(comment(seq))
    chat.note(Happening("comment_deleted", {"id": "c60", "seq": 100}))
    (welcome,) = messages(greeting(Room(chat, "live", 2), None, is_back=False, viewer_id="v"))
    shown = welcome["data"]
    assert [one["seq"] for one in shown["comments"]] == list(range(11, 60))
    assert (shown["viewer_count"], shown["status"], shown["viewer_id"], shown["gap"]) == (
        2,
        "live",
        "v",
        False,
    )
