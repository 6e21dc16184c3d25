"""What is told when: in ticks, summed, in order, nothing twice."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_api.realtime.happening import Happening
from control_api.realtime.recent import RecentChat
from control_api.realtime.room import SUM_S, TICK_S, Room
from tests.websocket.frame import FrameReader


def comment(seq: int) -> Happening:
    return Happening("comment", {"id": f"c{seq}", "seq": seq, "content": str(seq), "is_pinned": False})


def reaction(kind: str = "fire", user: str = "ann") -> Happening:
    return Happening("reaction", {"type": kind, "user_id": user})


def status(text: str) -> Happening:
    return Happening("stream_status", {"status": text})


def messages(frames: bytes) -> list[dict[str, Any]]:
    """Read whole frames."""
    reader = FrameReader()
    found = [frame.message() for frame in reader.receive_data(frames)]
    assert reader.is_empty, "the last frame is not whole"
    return found


def told(room: Room, now: float) -> list[tuple[str, Any]]:
    return [(one["type"], one["data"]) for one in messages(room.data_to_send(now))]


@pytest.fixture
def room() -> Room:
    return Room(RecentChat(), "live", 3)


def test_quiet_room_has_no_timer(room: Room) -> None:
    assert room.get_timer() is None
    assert room.data_to_send(100.0) == b""


def test_first_comment_after_quiet_is_due_at_once_and_the_next_in_a_tick(room: Room) -> None:
    room.receive_happening(comment(1))
    due = room.get_timer()
    assert due is not None
    assert due <= 100.0
    assert [data["seq"] for _, data in told(room, 100.0)] == [1]
    room.receive_happening(comment(2))
    room.receive_happening(comment(3))
    assert room.get_timer() == 100.0 + TICK_S
    assert [data["seq"] for _, data in told(room, 100.0 + TICK_S)] == [2, 3]
    assert room.get_timer() is None


def test_first_reaction_names_its_user_and_bursts_are_summed(room: Room) -> None:
    room.receive_happening(reaction("fire", "ann"))
    assert told(room, 100.0) == [("reaction", {"type": "fire", "count": 1, "user_id": "ann"})]
    for user in ("bob", "cid"):
        room.receive_happening(reaction("fire", user))
    room.receive_happening(reaction("wow", "dan"))
    assert room.get_timer() == 100.0 + SUM_S
    assert told(room, 100.0 + SUM_S) == [
        ("reaction", {"type": "fire", "count": 2}),
        ("reaction", {"type": "wow", "count": 1, "user_id": "dan"}),
    ]


def test_reactions_come_along_with_a_comment_when_they_are_nearly_due(room: Room) -> None:
    room.receive_happening(reaction())
    room.data_to_send(100.0)
    room.receive_happening(reaction())
    room.receive_happening(comment(1))
    assert [kind for kind, _ in told(room, 100.05)] == ["comment"], "a tenth of a second is not over"
    room.receive_happening(comment(2))
    assert [kind for kind, _ in told(room, 100.09)] == ["comment", "reaction"]


def test_viewers_are_told_at_once_then_summed_and_not_when_nothing_has_changed(room: Room) -> None:
    room.receive_viewer_count(4)
    assert told(room, 100.0) == [("viewer_update", {"viewer_count": 4})]
    room.receive_viewer_count(5)
    room.receive_viewer_count(6)
    assert room.get_timer() == 100.0 + SUM_S
    room.receive_viewer_count(4)
    assert room.get_timer() is None
    room.receive_viewer_count(7)
    assert told(room, 100.2) == [("viewer_update", {"viewer_count": 7})]


def test_status_is_told_when_it_changes_and_behind_what_was_said(room: Room) -> None:
    room.receive_happening(status("live"))
    assert told(room, 100.0) == []
    room.receive_happening(status("ended"))
    room.receive_happening(comment(1))
    assert [kind for kind, _ in told(room, 101.0)] == ["comment", "stream_status"]
    assert room.status == "ended"


def test_what_is_told_out_of_order_within_a_piece_is_put_in_order(room: Room) -> None:
    room.receive_happening(Happening("comment_deleted", {"id": "c1", "seq": 3}))
    room.receive_happening(comment(2))
    assert [data["seq"] for _, data in told(room, 100.0)] == [2, 3]


def test_comment_that_was_stored_before_the_room_began_is_not_told_again() -> None:
    room = Room(RecentChat([comment(7).data]), "live", 0)
    room.receive_happening(comment(7))
    room.receive_happening(comment(8))
    assert [data["seq"] for _, data in told(room, 100.0)] == [8]


@given(st.lists(st.sampled_from(["comment", "reaction", "viewers", "wait"]), max_size=60))
def test_every_comment_once_every_reaction_counted_and_never_two_pieces_in_a_tick(actions: list[str]) -> None:
    room, now, seq, reactions, count = Room(RecentChat(), "live", 0), 50.0, 0, 0, 0
    pieces: list[float] = []
    seen: list[tuple[str, Any]] = []

    def take() -> None:
        due = room.get_timer()
        if due is not None and due <= now and (piece := told(room, now)):
            pieces.append(now)
            seen.extend(piece)

    for action in actions:
        match action:
            case "comment":
                seq += 1
                room.receive_happening(comment(seq))
            case "reaction":
                reactions += 1
                room.receive_happening(reaction())
            case "viewers":
                count += 1
                room.receive_viewer_count(count)
            case "wait":
                now += 0.03
        take()
    for _ in range(10):
        now += 0.03
        take()
    assert [data["seq"] for kind, data in seen if kind == "comment"] == list(range(1, seq + 1))
    assert sum(data["count"] for kind, data in seen if kind == "reaction") == reactions
    assert [data["viewer_count"] for kind, data in seen if kind == "viewer_update"][-1:] == (
        [count] if count else []
    )
    assert all(later - earlier >= TICK_S - 1e-9 for earlier, later in itertools.pairwise(pieces))
    assert room.get_timer() is None
