from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webrtc.ingest.jitter import (
    MAX_ASKED,
    MAX_HELD_PACKETS,
    MAX_JUMP,
    MAX_MISSING,
    MAX_WAIT_S,
    MIN_WAIT_S,
    REORDER_WAIT_S,
    JitterBuffer,
)
from webrtc.ingest.packet import Hole


def insert(buffer: JitterBuffer, number: int, now: float = 0.0, *, is_repeated: bool = False) -> int | None:
    return buffer.insert(
        number & 0xFFFF, 0, number.to_bytes(8, "big"), now, is_marked=False, is_repeated=is_repeated
    )


def drain(buffer: JitterBuffer, now: float = 0.0) -> list[int | str]:
    """Take what there is: numbers of packets, and `-n` for n that will not come."""
    found: list[int | str] = []
    while (item := buffer.pop(now)) is not None:
        found.append(f"-{item.packets}" if isinstance(item, Hole) else int.from_bytes(item.payload, "big"))
    return found


ORDERS = [
    ("in-order", [1, 2, 3], [1, 2, 3]),
    ("two-swapped", [1, 3, 2, 4], [1, 2, 3, 4]),
    ("wrap", [65_534, 65_535, 65_536, 65_537], [65_534, 65_535, 65_536, 65_537]),
    ("swapped-at-the-wrap", [65_534, 65_537, 65_536, 65_535], [65_534, 65_535, 65_536, 65_537]),
    ("twice", [1, 2, 2, 3, 1], [1, 2, 3]),
    ("before-the-first", [5, 4, 6], [5, 6]),
    ("hole", [1, 2, 4, 5], [1, 2]),
]


@pytest.mark.parametrize(
    ("numbers", "expected"), [case[1:] for case in ORDERS], ids=[case[0] for case in ORDERS]
)
def test_order(numbers: list[int], expected: list[int]) -> None:
    buffer = JitterBuffer(is_repaired=True)
    for number in numbers:
        insert(buffer, number)
    assert drain(buffer) == expected


def test_what_is_missing_is_asked_for_at_once_and_again() -> None:
    buffer = JitterBuffer(is_repaired=True)
    insert(buffer, 65_534)
    insert(buffer, 65_538, 1.0)
    assert buffer.ask(1.0) == [65_535, 0, 1]
    assert buffer.ask(1.0) == []
    insert(buffer, 65_536, 1.05, is_repeated=True)
    due = buffer.get_timer()
    assert due is not None
    assert buffer.ask(due) == [65_535, 1]
    assert drain(buffer, due) == [65_534]
    assert buffer.repaired == 1


def test_nobody_is_asked_who_does_not_repeat() -> None:
    buffer = JitterBuffer(is_repaired=False)
    insert(buffer, 1)
    insert(buffer, 3, 1.0)
    assert buffer.ask(1.0) == []
    assert buffer.get_timer() == pytest.approx(1.0 + REORDER_WAIT_S)
    assert drain(buffer, 1.0 + REORDER_WAIT_S) == [1, "-1", 3]
    assert buffer.get_timer() is None


def test_what_does_not_come_is_given_up() -> None:
    buffer = JitterBuffer(is_repaired=True)
    insert(buffer, 1)
    insert(buffer, 4, 1.0)
    assert drain(buffer, 1.0) == [1]
    insert(buffer, 5, 1.1)
    assert drain(buffer, 1.0 + buffer.wait_s) == ["-2", 4, 5]
    insert(buffer, 2, 2.0)
    assert (buffer.late, drain(buffer, 2.0)) == (1, [])


@pytest.mark.parametrize(("rtt_s", "wait_s"), [(0.005, MIN_WAIT_S), (0.08, 0.24), (0.5, MAX_WAIT_S)])
def test_the_wait_follows_the_round_trip(rtt_s: float, wait_s: float) -> None:
    buffer = JitterBuffer(is_repaired=True)
    now = 0.0
    insert(buffer, 0)
    for number in range(2, 200, 2):
        now += 1.0
        insert(buffer, number, now)
        assert buffer.ask(now) == [number - 1]
        insert(buffer, number - 1, now + rtt_s, is_repeated=True)
        drain(buffer, now + rtt_s)
    assert buffer.rtt_s == pytest.approx(rtt_s, rel=0.01)
    assert buffer.wait_s == pytest.approx(wait_s, rel=0.01)


def test_an_answer_to_one_of_two_requests_says_nothing() -> None:
    buffer = JitterBuffer(is_repaired=True)
    insert(buffer, 1)
    insert(buffer, 3, 1.0)
    before = buffer.rtt_s
    assert [buffer.ask(1.0), buffer.ask(1.2)] == [[2], [2]]
    insert(buffer, 2, 1.21, is_repeated=True)
    assert buffer.rtt_s == before


def test_nothing_is_asked_for_after_a_blackout() -> None:
    buffer = JitterBuffer(is_repaired=True)
    insert(buffer, 1)
    insert(buffer, 3 + MAX_ASKED, 1.0)
    assert buffer.ask(1.0) == []
    assert drain(buffer, 1.0) == [1, f"-{MAX_ASKED + 1}", 3 + MAX_ASKED]
    assert buffer.get_timer() is None


def test_a_blackout_ends_the_wait_for_what_was_missing_before() -> None:
    buffer = JitterBuffer(is_repaired=True)
    for number in (1, 3, 4 + MAX_ASKED + 1):
        insert(buffer, number, 1.0)
    assert drain(buffer, 1.0) == [1, "-1", 3, f"-{MAX_ASKED + 1}", 5 + MAX_ASKED]


def test_no_more_is_missed_than_can_be_asked_for() -> None:
    buffer = JitterBuffer(is_repaired=True)
    number = 0
    for _ in range(100):
        insert(buffer, number)
        assert len(buffer.ask(0.0)) <= MAX_ASKED
        drain(buffer)
        number += MAX_ASKED
    assert len(drain(buffer, 10.0)) <= 2 * (MAX_MISSING // MAX_ASKED + 1)


def test_a_stray_number_is_not_believed() -> None:
    buffer = JitterBuffer(is_repaired=True)
    for number in (1, 40_000, 2, 3):
        insert(buffer, number)
    assert drain(buffer) == [1, 2, 3]


def test_a_sender_may_begin_anew() -> None:
    buffer = JitterBuffer(is_repaired=True)
    for number in (1, 2, 4, 30_000, 30_001, 30_002):
        insert(buffer, number)
    assert drain(buffer) == ["-1", 30_001, 30_002]


def test_retransmissions_from_long_ago_are_no_beginning() -> None:
    buffer = JitterBuffer(is_repaired=True)
    insert(buffer, 10_000)
    assert insert(buffer, 10_000 - MAX_JUMP - 1, is_repeated=True) is None
    assert insert(buffer, 10_000 - MAX_JUMP, is_repeated=True) is not None
    assert drain(buffer) == [10_000]


def test_no_more_is_held_than_there_is_room_for() -> None:
    buffer = JitterBuffer(is_repaired=True)
    insert(buffer, 0)
    for number in range(2, MAX_HELD_PACKETS + 4):
        insert(buffer, number)
        buffer.ask(0.0)
    assert drain(buffer)[:3] == [0, "-1", 2]


@given(st.permutations(range(40)), st.sets(st.integers(1, 38)), st.sets(st.integers(0, 39)))
def test_whatever_the_order_each_packet_comes_once_and_in_order(
    order: Sequence[int], lost: set[int], twice: set[int]
) -> None:
    buffer = JitterBuffer(is_repaired=True)
    insert(buffer, 65_500 - 1)
    for index in order:
        for _ in range(1 + (index in twice)):
            if index not in lost:
                insert(buffer, 65_500 + index)
    found = drain(buffer) + drain(buffer, 10.0)
    assert [item for item in found if isinstance(item, int)] == [
        65_499,
        *(65_500 + index for index in range(40) if index not in lost),
    ]
    assert -sum(int(item) for item in found if isinstance(item, str)) == len(lost)
    assert buffer.get_timer() is None
