from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from media.nal import MAX_NALS, join_length_prefixed
from webrtc.ingest import depacketiser as module
from webrtc.ingest.depacketiser import Depacketiser
from webrtc.ingest.packet import AccessUnit, MediaPacket
from webrtc.rtp.packetiser import packetise_h264

SPS, PPS, AUD, SEI = b"\x67sps", b"\x68pps", b"\x09\xf0", b"\x06sei"
IDR, SLICE = b"\x65idr", b"\x41slice"


def stap(*nals: bytes) -> bytes:
    return b"\x78" + b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)


def fragments(nal: bytes, size: int = 2) -> list[bytes]:
    pieces = [nal[at : at + size] for at in range(1, len(nal), size)]
    found = []
    for index, piece in enumerate(pieces):
        flags = (0x80 if index == 0 else 0) | (0x40 if index == len(pieces) - 1 else 0)
        found.append(bytes([nal[0] & 0xE0 | 28, flags | nal[0] & 0x1F]) + piece)
    return found


class Line:
    """Packets on their way; `None` is one that is lost."""

    def __init__(self) -> None:
        self.depacketiser = Depacketiser()
        self.sequence = 0

    def unit(self, timestamp: int, *payloads: bytes | None, is_marked: bool = True) -> list[AccessUnit]:
        found = []
        for index, payload in enumerate(payloads):
            self.sequence += 1
            if payload is None:
                self.depacketiser.note_hole()
                continue
            marker = is_marked and index == len(payloads) - 1
            found += self.depacketiser.receive(
                MediaPacket(self.sequence, timestamp, marker, payload, timestamp / 10)
            )
        return found


def keyframe(line: Line, timestamp: int = 1) -> None:
    assert [unit.is_keyframe for unit in line.unit(timestamp, stap(SPS, PPS), IDR)] == [True]


FORMS = [
    ("single", [SPS, PPS, IDR]),
    ("aggregate", [stap(SPS, PPS, IDR)]),
    ("aggregate-and-fragments", [stap(SPS, PPS), *fragments(IDR)]),
    ("fragments", [*fragments(SPS), *fragments(PPS), *fragments(IDR)]),
    ("one-fragment", [stap(SPS, PPS), *fragments(IDR, 9)]),
]


@pytest.mark.parametrize("payloads", [case[1] for case in FORMS], ids=[case[0] for case in FORMS])
def test_forms(payloads: list[bytes]) -> None:
    line = Line()
    keyframe(line)
    assert line.unit(2, *payloads) == [AccessUnit(2, (SPS, PPS, IDR), True, True, 0.2)]


def test_a_new_timestamp_ends_a_unit_without_marker() -> None:
    line = Line()
    keyframe(line)
    assert line.unit(2, SLICE, is_marked=False) == []
    assert [unit.timestamp for unit in line.unit(3, SLICE)] == [2, 3]


def test_padding_alone_is_nothing() -> None:
    line = Line()
    keyframe(line)
    assert [unit.nals for unit in line.unit(2, SLICE, b"", SLICE)] == [(SLICE, SLICE)]
    assert line.unit(3, b"") == []


def test_nothing_is_lost_before_anything_has_come() -> None:
    assert not Depacketiser().has_lost


def test_nothing_passes_before_the_first_keyframe() -> None:
    line = Line()
    assert line.unit(1, SLICE) == []
    assert line.depacketiser.has_lost
    assert line.unit(2, SLICE) == []
    assert line.depacketiser.dropped == 0
    keyframe(line, 3)
    assert not line.depacketiser.has_lost


LOSSES = [
    ("inside", [None, SLICE], 1),
    ("at-the-end", [SLICE, None], 1),
    ("all", [None], 1),
    ("middle-fragment", [fragments(SLICE)[0], None, fragments(SLICE)[2]], 1),
    ("last-fragment", [*fragments(SLICE)[:2], None], 1),
]


@pytest.mark.parametrize("case", [case[1:] for case in LOSSES], ids=[case[0] for case in LOSSES])
def test_behind_a_hole_nothing_passes_before_the_next_keyframe(case: tuple[list[bytes | None], int]) -> None:
    payloads, dropped = case
    line = Line()
    keyframe(line)
    assert line.unit(2, *payloads) == []
    assert line.unit(3, SLICE) == []
    assert line.depacketiser.has_lost
    assert line.unit(4, SLICE) == []
    keyframe(line, 5)
    assert [unit.timestamp for unit in line.unit(6, SLICE)] == [6]
    assert dropped + 2 <= line.depacketiser.dropped <= dropped + 3


@pytest.mark.parametrize(
    ("first", "passes"), [(AUD, True), (SPS, True), (stap(SPS, PPS), True), (PPS, False), (IDR, False)]
)
def test_right_behind_a_hole_only_what_stands_first_begins_a_unit(first: bytes, passes: bool) -> None:
    line = Line()
    keyframe(line)
    line.unit(2, None)
    assert bool(line.unit(3, first, IDR)) == passes


def test_a_keyframe_of_which_something_is_missing_does_not_pass() -> None:
    line = Line()
    keyframe(line)
    assert line.unit(2, stap(SPS, PPS), None, IDR) == []
    assert line.unit(3, SLICE) == []


DAMAGED = [
    ("aggregate-cut-short", b"\x78\x00\x09abc"),
    ("aggregate-without-length", b"\x78\x00"),
    ("fragment-without-start", fragments(SLICE)[1]),
    ("fragment-without-body", b"\x7c\x85"),
    ("fragment-not-ended", fragments(SLICE)[0]),
]


@pytest.mark.parametrize("payload", [case[1] for case in DAMAGED], ids=[case[0] for case in DAMAGED])
def test_damaged(payload: bytes) -> None:
    line = Line()
    keyframe(line)
    assert line.unit(2, payload) == []
    assert line.depacketiser.has_lost
    assert line.unit(3, SLICE) == []
    keyframe(line, 4)


def test_a_whole_unit_within_fragments_is_damage() -> None:
    line = Line()
    keyframe(line)
    assert line.unit(2, fragments(SLICE)[0], SLICE, *fragments(SLICE)[1:]) == []


@pytest.mark.parametrize(("kind", "name"), [(25, "STAP-B"), (26, "MTAP16"), (27, "MTAP24"), (29, "FU-B")])
def test_interleaved_mode_is_refused(kind: int, name: str) -> None:
    with pytest.raises(PeerError, match=f"{name}.*packetization-mode"):
        Line().unit(1, bytes([0x60 | kind, 0, 0, 0]))


@pytest.mark.parametrize("kind", [0, 30, 31])
def test_what_has_no_meaning_yet_is_left_out(kind: int) -> None:
    line = Line()
    keyframe(line)
    assert [unit.nals for unit in line.unit(2, bytes([kind, 1]), SLICE)] == [(SLICE,)]


def test_a_unit_has_no_more_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ACCESS_UNIT_BYTES", 1000)
    line = Line()
    keyframe(line)
    assert line.unit(2, *fragments(b"\x41" + bytes(3000), 1000)) == []
    keyframe(line, 3)
    assert line.unit(4, *(b"\x41" + bytes(999) for _ in range(3))) == []
    keyframe(line, 5)
    assert line.unit(6, *(stap(*[b"\x41"] * 100) for _ in range(MAX_NALS // 100 + 1))) == []


def test_sets_alone_pass_at_any_time() -> None:
    line = Line()
    line.unit(1, SLICE)
    assert [(unit.nals, unit.has_picture) for unit in line.unit(2, stap(SPS, PPS))] == [((SPS, PPS), False)]
    assert [unit.is_keyframe for unit in line.unit(2, IDR)] == [True]


@given(st.lists(st.binary(min_size=1, max_size=4000), min_size=1, max_size=8))
def test_what_our_packetiser_takes_apart_comes_together_again(bodies: list[bytes]) -> None:
    line = Line()
    keyframe(line)
    nals = [bytes([0x41]) + body for body in bodies]
    payloads = packetise_h264(join_length_prefixed(nals))
    assert [unit.nals for unit in line.unit(2, *payloads)] == [tuple(nals)]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.one_of(st.none(), st.binary(max_size=12)))))
def test_garbage(items: list[tuple[int, bool, bytes | None]]) -> None:
    line = Line()
    for timestamp, is_marked, payload in items:
        try:
            units = line.unit(timestamp, payload, is_marked=is_marked)
        except PeerError:
            return
        assert all(nal for unit in units for nal in unit.nals)
