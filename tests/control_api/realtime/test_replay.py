"""Where a node is in a log, what is kept, and who holds what: without any Redis."""

from __future__ import annotations

import pytest

from control_api.realtime.backlog import Backlog, Posting
from control_api.realtime.flight import Flight
from control_api.realtime.replay import (
    MAX_SOURCES,
    ORIGIN,
    Entry,
    Follow,
    Place,
    pack,
    parse_logged,
    parse_published,
)
from control_api.realtime.slot_map import SlotMap


def entry(entry_id: bytes, previous: bytes, number: int = 1, source: bytes = b"one") -> Entry:
    return Entry(entry_id, previous, source, number, is_gap=False, message=b"x")


def logged(previous: bytes, number: int) -> bytes:
    return previous + b" " + pack(b"one", number, b"%d" % number)


@pytest.mark.parametrize("message", [b"", b"\n", b"a b\nc"])
@pytest.mark.parametrize("is_gap", [False, True])
def test_a_message_is_read_as_it_was_packed(message: bytes, is_gap: bool) -> None:
    packed = pack(b"node:1", 7, message, is_gap=is_gap)
    wanted = Entry(b"5-0", b"4-2", b"node:1", 7, is_gap, message)
    assert parse_logged(b"5-0", b"4-2 " + packed) == wanted
    assert parse_published(b"5-0 4-2 " + packed) == wanted


@pytest.mark.parametrize("nonsense", [b"", b"x", b"1-1 2-2 a 1 m", b"1-1 2-2 a b m\n", b"a b c d e f\n"])
def test_nonsense_is_no_message(nonsense: bytes) -> None:
    assert parse_published(nonsense) is None


def test_a_place_follows_what_fits_and_finds_out_what_is_missing() -> None:
    place = Place()
    assert place.follow(entry(b"1-0", ORIGIN)) is Follow.IGNORE
    place.begin(b"1-0")
    assert place.follow(entry(b"2-0", b"1-0", 1)) is Follow.DELIVER
    assert place.follow(entry(b"3-0", b"2-0", 1)) is Follow.IGNORE  # published again
    assert place.follow(entry(b"4-0", b"3-0", 2)) is Follow.DELIVER
    assert place.follow(entry(b"9-0", ORIGIN, 3)) is Follow.DELIVER  # the log had expired
    assert place.follow(entry(b"11-0", b"10-0", 5)) is Follow.READ
    assert place.follow(entry(b"12-0", b"11-0", 6)) is Follow.IGNORE
    found = [(b"10-0", logged(b"9-0", 4)), (b"11-0", logged(b"10-0", 5)), (b"12-0", logged(b"11-0", 6))]
    piece = place.replay(found[:2], b"12-0")
    assert [one.number for one in piece.entries] == [4, 5]
    assert (piece.is_gap, piece.is_done) == (False, False)
    piece = place.replay(found[2:], b"12-0")
    assert [one.number for one in piece.entries] == [6]
    assert (piece.is_gap, piece.is_done) == (False, True)


@pytest.mark.parametrize(
    ("last", "found", "newest", "is_gap"),
    [
        (b"5-0", [], b"5-0", False),
        (ORIGIN, [], ORIGIN, False),
        (b"5-0", [], ORIGIN, True),
        (b"5-0", [], b"3-0", True),
        (b"5-0", [(b"6-0", logged(b"5-0", 1))], b"6-0", False),
        (b"5-0", [(b"8-0", logged(b"7-0", 1))], b"8-0", True),
        (b"5-0", [(b"8-0", logged(ORIGIN, 1))], b"8-0", True),
        (b"5-0", [(b"6-0", b"nonsense"), (b"7-0", logged(b"6-0", 1))], b"7-0", False),
        (None, [], b"5-0", True),
    ],
)
def test_a_log_reaches_back_or_not(
    last: bytes | None, found: list[tuple[bytes, bytes]], newest: bytes, is_gap: bool
) -> None:
    place = Place()
    if last is not None:
        place.begin(last)
    place.fall_behind()
    piece = place.replay(found, newest)
    assert (piece.is_gap, piece.is_done, place.last) == (is_gap, True, newest)


def test_sources_are_remembered_up_to_a_limit() -> None:
    place = Place()
    for number in range(MAX_SOURCES + 1):
        assert place.take(b"%d" % number, 1)
    assert not place.take(b"1", 1)
    assert place.take(b"0", 1)  # forgotten


def test_the_oldest_make_room_and_are_told_first() -> None:
    backlog = Backlog(max_kept=3, max_bytes=100)
    for number in range(1, 6):
        backlog.add(Posting("ab"[number % 2], number, b"x"))
    assert len(backlog) == 3
    assert backlog.take_all() == [
        Posting("b", 1, b"", is_gap=True),
        Posting("a", 2, b"", is_gap=True),
        Posting("b", 3, b"x"),
        Posting("a", 4, b"x"),
        Posting("b", 5, b"x"),
    ]
    assert backlog.take_all() == []
    backlog.add(Posting("a", 6, b"x" * 101))
    backlog.add(Posting("a", 4, b"", is_gap=True))
    assert backlog.take_all() == [Posting("a", 6, b"", is_gap=True)]


def test_what_flies_lands_once_it_is_received() -> None:
    flight = Flight()
    one, two, three = (Posting("a", number, b"x") for number in (1, 2, 3))
    for posting in (one, two, three):
        flight.start(posting)
    flight.note_stored(one, is_awaited=False)
    flight.note_stored(two, is_awaited=True)
    assert len(flight) == 2
    flight.receive("a", 3)
    flight.note_stored(three, is_awaited=True)
    assert flight.take_all() == [two]
    flight.start(two)
    flight.note_stored(two, is_awaited=True)
    flight.settle("a")
    assert flight.take_all() == []


def test_a_map_of_slots() -> None:
    slots = SlotMap(
        [[8192, 16383, [b"10.0.0.2", 7000, b"id"]], [0, 8191, [b"", 6379, b"id"], [b"replica", 1, b"id"]]],
        ("10.0.0.1", 6379),
    )
    assert slots.is_whole
    assert slots.addresses == [("10.0.0.1", 6379), ("10.0.0.2", 7000)]
    assert slots.address("foo") == ("10.0.0.2", 7000)  # slot 12182
    assert slots.address("bar") == ("10.0.0.1", 6379)  # slot 5061
    for address in slots.addresses:
        assert slots.address(slots.key_of(address, "probe:")) == address
    assert not SlotMap([[1, 16383, [b"h", 1]]], ("", 0)).is_whole
